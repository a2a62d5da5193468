import static java.util.stream.Collectors.joining;

import io.mambaspark.jobs.cli.Commands;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;

/**
 * Runs commands on tables in one Spark session, and checks what they print and what the tables hold.
 * scripts/tables.sh starts it. The first argument is the format, the second a folder for files. With a
 * third one, checks the tables whose commands the script has killed and repeated.
 */
public final class Tables {
  private static SparkSession spark;
  private static Path folder;

  /** A finished command. */
  private record Done(int code, String out, String err) {
    Done ok() {
      check(code == 0, "exit code %d: %s%s", code, out, err);
      return this;
    }

    Done says(String text) {
      check((out + err).contains(text), "expected '%s' in: %s%s", text, out, err);
      return this;
    }

    /** The command was refused with a message, in one line. */
    void refused(String text) {
      check(code == 1 || code == 2, "exit code %d: %s%s", code, out, err);
      says(text);
      String line = err.lines().filter(l -> l.startsWith("error: ")).collect(joining());
      System.out.println("    " + line.replace(folder.toString(), "FOLDER"));
    }
  }

  private static void check(boolean holds, String message, Object... args) {
    if (!holds) {
      throw new AssertionError(String.format(message, args));
    }
  }

  private static Done run(String... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code = Commands.run(new PrintWriter(out), new PrintWriter(err), args);
    return new Done(code, out.toString(), err.toString());
  }

  /** Runs score with the demo model on the texts of an input. */
  private static Done score(String... args) {
    return run(joined(new String[] {"score", "--model", "demo", "--text-column", "text"}, args));
  }

  private static String[] joined(String[] first, String... second) {
    List<String> all = new ArrayList<>(Arrays.asList(first));
    all.addAll(Arrays.asList(second));
    return all.toArray(String[]::new);
  }

  private static long count(String table) {
    return spark.table(table).count();
  }

  private static void equal(Object expected, Object found, String what) {
    check(expected.equals(found), "%s: expected %s, found %s", what, expected, found);
  }

  /** The rows as JSON, whose numbers read back to the same bits, in the order of the lines. */
  private static List<String> rows(String table) {
    return spark.table(table).drop("part").toJSON().collectAsList().stream().sorted().toList();
  }

  private static List<String> filesAsJson(Path files) {
    return spark.read().parquet(files.toString()).drop("part").toJSON().collectAsList().stream()
        .sorted()
        .toList();
  }

  public static void main(String[] args) throws Exception {
    String format = args[0];
    folder = Path.of(args[1]);
    spark = SparkSession.builder().getOrCreate();
    if (args.length > 2) {
      afterKills(format, args[2]);
    } else if (format.equals("iceberg")) {
      all(format, "ice.db.");
    } else {
      all(format, "spark_catalog.default.");
      paths();
      sparkTables();
    }
    System.out.println(format + ": passed on Spark " + spark.version());
  }

  /** Checks the tables of commands that were killed and then repeated. */
  private static void afterKills(String format, String prefix) throws Exception {
    for (String name : List.of("killed", "killed_stream")) {
      // The folders of Delta are named by their paths, because the catalog of this session is new.
      String table = format.equals("iceberg") ? prefix + name : "delta.`" + prefix + name + "`";
      long rows = count(table);
      equal(207L, rows, "rows of " + table);
      equal(rows, spark.table(table).select("id").distinct().count(), "distinct rows of " + table);
      String history =
          format.equals("iceberg")
              ? "SELECT * FROM " + table + ".history"
              : "DESCRIBE HISTORY " + table;
      System.out.printf("    %s: %d rows, %d commits%n", name, rows, spark.sql(history).count());
    }
  }

  /** Tables of Delta that are named by their folders. */
  private static void paths() throws Exception {
    step("tables named by paths");
    String table = "delta.`" + folder + "/by-path`";
    String[] command = {"--input", folder + "/docs", "--output-table", table};
    score(command).ok();
    score(command).ok().says("written before");
    score(joined(command, "--max-tokens", "3")).ok();
    equal(80L, count(table), "rows of a table named by its path");
    String[] stream = {
      "--input-table", table, "--output-table", "delta.`" + folder + "/streamed-by-path`",
      "--stream", "--keep-columns", "id", "--checkpoint-location", folder + "/by-path-checkpoint"
    };
    score(stream).ok();
    score(stream).ok();
    equal(80L, count("delta.`" + folder + "/streamed-by-path`"), "rows of a stream of paths");
    score("--input", folder + "/by-path", "--output", folder + "/x").refused("in Delta format");
  }

  private static void step(String name) {
    System.out.println("  " + name);
  }

  /** All checks of a format. */
  private static void all(String format, String prefix) throws Exception {
    System.out.println(format);
    documents(prefix);
    batch(format, prefix);
    inputs(format, prefix);
    writers(format, prefix);
    refusals(format, prefix);
    streams(format, prefix);
  }

  /** Creates the table of documents. */
  private static void documents(String prefix) throws Exception {
    spark.sql("CREATE NAMESPACE IF NOT EXISTS " + prefix.substring(0, prefix.lastIndexOf('.')));
    spark
        .range(0, 40, 1, 4)
        .selectExpr(
            "id",
            "concat('Ship ', id, repeat(' sailed.', int(id % 4))) AS text",
            "id % 2 AS part")
        .writeTo(prefix + "docs")
        .using(prefix.startsWith("ice") ? "iceberg" : "delta")
        .create();
    spark.table(prefix + "docs").write().mode("overwrite").parquet(folder + "/docs");
  }

  private static void batch(String format, String prefix) throws Exception {
    step("create, repeat, append, overwrite");
    String table = prefix + "scores";
    String[] command = {
      "--input", folder + "/docs", "--output-table", table, "--partition-by", "part",
      "--table-property", "owner.team=corpus", "--output-format", format
    };
    score(command).ok().says("written to " + format + " table " + table);
    equal(40L, count(table), "rows");
    score("--input", folder + "/docs", "--output", folder + "/" + format + "-files").ok();
    equal(filesAsJson(folder.resolve(format + "-files")), rows(table), "rows of the table");
    String described =
        spark.sql("DESCRIBE TABLE EXTENDED " + table).collectAsList().stream()
            .map(Row::toString)
            .collect(joining("\n"));
    check(described.contains("Sum of -ln p"), "no column comment: %s", described);
    check(described.contains("owner.team=corpus"), "no property: %s", described);
    check(described.contains("# Partition"), "no partitions: %s", described);

    score(command).ok().says("written before").says("nothing to do");
    equal(40L, count(table), "rows after a repeated run");
    score(joined(command, "--max-tokens", "5")).ok().says("--table-property has no effect");
    equal(80L, count(table), "rows after another run");
    score(joined(command, "--max-tokens", "5")).ok().says("written before");
    String commits = commits(format, table);
    check(commits.contains("mamba-spark.model"), "no properties of the commit: %s", commits);

    String[] replace = joined(command, "--overwrite");
    score(joined(replace, "--max-tokens", "7")).ok();
    equal(40L, count(table), "rows after a replacement");
    score(joined(replace, "--max-tokens", "7")).ok().says("written before");
    score(replace).ok().says("written to");
    equal(filesAsJson(folder.resolve(format + "-files")), rows(table), "rows after --overwrite");
    score(joined(replace, "--max-tokens", "7")).ok().says("written to");
    equal(40L, count(table), "rows after an earlier replacement again");
    score(joined(command, "--max-tokens", "3")).ok();
    score(joined(replace, "--max-tokens", "3")).ok().says("written to");
    equal(40L, count(table), "rows after a replacement by the run that appended last");

    step("buckets, groups, report, the demo, tokenize");
    score(
            "--input", folder + "/docs", "--output-table", prefix + "buckets", "--output-format",
            format, "--bucket", "head:30,middle:60", "--group-by", "part", "--report",
            folder + "/" + format + ".html")
        .ok();
    check(spark.table(prefix + "buckets").select("bucket").distinct().count() == 3, "buckets");
    check(folder.resolve(format + ".html").toFile().length() > 10_000, "no report");
    String[] demo = {
      "score", "--model", "demo", "--input", "demo", "--max-tokens", "4", "--output-format", format,
      "--output-table", prefix + "demo"
    };
    run(demo).ok();
    run(demo).ok().says("written before");
    String[] tokenize = {
      "tokenize", "--tokenizer", "demo", "--input-table", prefix + "docs", "--output-table",
      prefix + "tokens", "--output-format", format
    };
    run(tokenize).ok();
    run(tokenize).ok().says("written before");
    equal(40L, count(prefix + "tokens"), "rows of tokenize");
    run(
            "score", "--model", "demo", "--input-table", prefix + "tokens", "--keep-columns", "id",
            "--output", folder + "/" + format + "-of-tokens")
        .ok();
    equal(
        spark.table(table).count(),
        (long) filesAsJson(folder.resolve(format + "-of-tokens")).size(),
        "rows of tokens");
  }

  private static String commits(String format, String table) throws Exception {
    return spark
        .sql(
            format.equals("iceberg")
                ? "SELECT summary FROM " + table + ".snapshots"
                : "DESCRIBE HISTORY " + table)
        .toJSON()
        .collectAsList()
        .toString();
  }

  private static void inputs(String format, String prefix) throws Exception {
    step("deleted rows, predicates, snapshots, dry run");
    String docs = prefix + "docs";
    String out = folder + "/" + format + "-";
    Object before =
        format.equals("iceberg")
            ? spark.sql("SELECT snapshot_id FROM " + docs + ".refs").first().get(0)
            : spark.sql("DESCRIBE HISTORY " + docs + " LIMIT 1").first().get(0);
    spark.sql("DELETE FROM " + docs + " WHERE id IN (3, 17)");
    score("--input-table", docs, "--output", out + "deleted").ok().says("read " + format);
    equal(38L, spark.read().parquet(out + "deleted").count(), "rows after a delete");
    score("--input-table", docs, "--where", "part = 1 AND id < 20", "--output", out + "where")
        .ok()
        .says("where part = 1");
    equal(8L, spark.read().parquet(out + "where").count(), "rows of a predicate");
    score(
            "--input-table", docs, "--input-option", "versionAsOf=" + before, "--output",
            out + "earlier")
        .ok()
        .says(" " + before);
    equal(40L, spark.read().parquet(out + "earlier").count(), "rows of an earlier version");
    if (format.equals("iceberg")) {
      score(
              "--input-table", docs, "--input-option", "snapshot-id=" + before, "--output",
              out + "snapshot")
          .ok()
          .says("snapshot " + before);
      equal(40L, spark.read().parquet(out + "snapshot").count(), "rows of a snapshot");
    }
    String again = prefix + "again";
    String[] dated = {
      "--input-table", docs, "--input-option", "timestampAsOf=2100-01-01", "--output-table", again,
      "--output-format", format, "--max-tokens", "2"
    };
    score(dated).ok();
    score(joined(dated, "--where", "id < 5 AND current_date() > DATE'2000-01-01'")).ok();
    score(dated).ok().says("written before");
    equal(42L, count(again), "rows of two runs");
    String quoted = "`" + docs.replace(".", "`.`") + "`";
    score("--input-table", quoted, "--output-table", again, "--max-tokens", "2")
        .ok()
        .says("written before");
    spark.sql("CREATE OR REPLACE TEMP VIEW nothing AS SELECT * FROM " + docs + " WHERE id < 0");
    score("--input-table", "nothing", "--output-table", again).ok();
    equal(
        0L,
        format.equals("delta")
            ? 0L
            : spark.sql("SELECT * FROM " + again + ".snapshots WHERE operation <> 'append'").count(),
        "commits that are no appends");
    // A table that is dropped and created again has the same version of Delta.
    for (int start : new int[] {0, 1000}) {
      spark.sql("DROP TABLE IF EXISTS " + prefix + "staged");
      spark
          .range(start, start + 2)
          .selectExpr("id", "'A text.' AS text", "0L AS part")
          .writeTo(prefix + "staged")
          .using(format)
          .create();
      score("--input-table", prefix + "staged", "--output-table", again).ok().says("written to");
    }
    equal(46L, count(again), "rows of a table that was created again");
    score("--input-table", docs, "--dry-run").ok().says("rows").says("input size");
    score("--input-table", docs, "--where", "nope = 1", "--output", out + "x")
        .refused("--where nope = 1: ");
    score("--input-table", prefix + "missing", "--output", out + "x")
        .refused("there is no such table");
  }

  private static void writers(String format, String prefix) throws Exception {
    step("two writers at once");
    String table = prefix + "shared";
    String[] command = {
      "--input", folder + "/docs", "--output-table", table, "--output-format", format
    };
    score(joined(command, "--max-tokens", "3")).ok();
    ExecutorService threads = Executors.newFixedThreadPool(2);
    try {
      Future<Done> a = threads.submit(() -> score(joined(command, "--max-tokens", "4")));
      Future<Done> b = threads.submit(() -> score(joined(command, "--max-tokens", "5")));
      a.get().ok();
      b.get().ok();
      equal(120L, count(table), "rows of two runs at once");
      Future<Done> c = threads.submit(() -> score(joined(command, "--max-tokens", "6")));
      Future<Done> d = threads.submit(() -> score(joined(command, "--max-tokens", "6")));
      check(c.get().code() == 0 || d.get().code() == 0, "both writers of a run failed");
      equal(160L, count(table), "rows of one run twice at once");
    } finally {
      threads.shutdown();
    }
  }

  private static void refusals(String format, String prefix) throws Exception {
    step("refusals");
    String table = prefix + "scores";
    String[] input = {"--input", folder + "/docs"};
    score(joined(input, "--output-table", table, "--emit", "token-logprobs"))
        .refused("it has no column token_logprobs");
    score(joined(input, "--output-table", table, "--keep-columns", "id"))
        .refused("the run does not write its column");
    spark.sql("CREATE OR REPLACE TEMP VIEW seen AS SELECT * FROM " + table);
    score(joined(input, "--output-table", "seen")).refused("is a view");
    score(joined(input, "--output-table", table, "--partition-by", "id"))
        .refused("is partitioned by part");
    score(joined(input, "--output-table", table, "--output-format", "orc")).refused("exists");
    score("--input-table", table, "--output-table", table).refused("is the input table");
    score(joined(input, "--output-table", "nope.db.t")).refused("catalog nope is not defined");
    spark.conf().set("spark.sql.catalog.broken", "org.apache.iceberg.spark.NoSuchCatalog");
    score(joined(input, "--output-table", "broken.db.t")).refused("is not on the class path");
    score(joined(input, "--output-table", table, "--resume")).refused("use --stream");
    score(joined(input, "--output-table", table, "--output", folder + "/x")).refused("not both");
    score(joined(input, "--output", folder + "/x", "--where", "id = 1"))
        .refused("--where needs --input-table");
    score(joined(input, "--output-table", table, "--output-option", "txnVersion=3"))
        .refused("cannot be set");
    score(joined(input, "--output-table", prefix + "new", "--output-format", "icebreg"))
        .refused("--output-format icebreg");
    if (format.equals("iceberg")) {
      score("--input-table", table + ".snapshots", "--output", folder + "/x")
          .refused("name the table itself");
      score(joined(input, "--output-table", prefix + "files")).ok();
      score(joined(input, "--output-table", prefix + "files")).ok().says("written before");
    }
    score(joined(input, "--output-table", "nodb.new")).refused("schema nodb does not exist");
    score(joined(input, "--output-table", prefix + "new", "--partition-by", "nope"))
        .refused("is not among the written columns");
  }

  private static void streams(String format, String prefix) throws Exception {
    step("streams");
    String docs = prefix + "docs";
    String table = prefix + "streamed";
    String source = prefix + "source";
    spark.table(docs).repartition(4).writeTo(source).using(format).create();
    String[] command = {
      "--input-table", source, "--output-table", table, "--output-format", format, "--stream",
      "--max-files-per-batch", "1", "--partition-by", "part", "--checkpoint-location",
      folder + "/" + format + "-checkpoint"
    };
    score(command).ok().says("batches                   4");
    equal(38L, count(table), "rows of a stream");
    score(command).ok();
    equal(38L, count(table), "rows of a stream without new rows");
    spark.sql("INSERT INTO " + source + " VALUES (100, 'A new document arrived today.', 1)");
    score(command).ok();
    equal(39L, count(table), "rows of a stream with one new row");
    check(commits(format, table).contains("mamba-spark.model"), "no properties of the commits");
    score(joined(Arrays.copyOf(command, command.length - 1), folder + "/" + format + "-other"))
        .refused("has rows of this stream");
    spark.sql("DELETE FROM " + source + " WHERE id = 5");
    score(command).refused("--input-option ");
    String skip =
        format.equals("delta")
            ? "skipChangeCommits=true"
            : "streaming-skip-overwrite-snapshots=true";
    String[] skipping = joined(command, "--input-option", skip);
    if (format.equals("iceberg")) {
      skipping = joined(skipping, "--input-option", "streaming-skip-delete-snapshots=true");
    }
    spark.sql("INSERT INTO " + source + " VALUES (101, 'And another one, later.', 0)");
    score(skipping).ok();
    equal(40L, count(table), "rows of a stream that skips a delete");
    equal(40L, spark.table(table).select("id").distinct().count(), "distinct rows");

    spark.sql(
        "CREATE TABLE "
            + prefix
            + "ordered (error STRING, truncated BOOLEAN, perplexity DOUBLE, token_count BIGINT, nll"
            + " DOUBLE, ID BIGINT, byte_count BIGINT, bits_per_byte DOUBLE, word_count BIGINT) USING "
            + format);
    score(
            "--input", folder + "/docs", "--stream", "--keep-columns", "id", "--output-table",
            prefix + "ordered", "--checkpoint-location", folder + "/" + format + "-ordered")
        .ok();
    equal(40L, count(prefix + "ordered"), "rows of a table with another order of columns");
    score("--input", folder + "/docs", "--stream", "--output-table", prefix + "of_files")
        .refused("needs --checkpoint-location");
    String[] files = {
      "--input", folder + "/docs", "--stream", "--output-table", prefix + "of_files",
      "--output-format", format, "--checkpoint-location", folder + "/" + format + "-of-files"
    };
    score(files).ok();
    score(files).ok();
    equal(40L, count(prefix + "of_files"), "rows of a stream of files");
    score(joined(files, "--max-tokens", "3")).refused("Cannot resume output");
    String[] toFolder = {
      "--input-table", docs, "--where", "part = 0", "--stream", "--output",
      folder + "/" + format + "-streamed"
    };
    if (format.equals("iceberg")) {
      toFolder = joined(toFolder, "--input-option", "streaming-skip-overwrite-snapshots=true");
      toFolder = joined(toFolder, "--input-option", "streaming-skip-delete-snapshots=true");
    }
    score(toFolder).ok();
    score(toFolder).ok();
    equal(
        20L,
        spark.read().parquet(folder + "/" + format + "-streamed").count(),
        "rows of a stream of a table into a folder");
    score("--input-table", "seen", "--stream", "--output", folder + "/x").refused("Cannot stream");
  }

  /** Tables of Spark's own formats. */
  private static void sparkTables() throws Exception {
    System.out.println("parquet tables of Spark");
    String table = "spark_catalog.default.plain";
    String[] command = {
      "--input", folder + "/docs", "--output-table", table, "--output-format", "parquet"
    };
    score(command).ok().says("has no transactions");
    equal(40L, count(table), "rows");
    score(joined(command, "--max-tokens", "3")).ok().says("has no transactions");
    equal(80L, count(table), "rows after an append");
    String[] partitioned = {
      "--input", folder + "/docs", "--output-table", "spark_catalog.default.parts", "--output-format",
      "parquet", "--partition-by", "part"
    };
    score(partitioned).ok();
    score(partitioned).ok();
    equal(80L, count("spark_catalog.default.parts"), "rows of a partitioned table");
    score(joined(command, "--overwrite")).refused("Cannot overwrite");
    score("--input-table", table, "--stream", "--output", folder + "/x").refused("Cannot stream");
    score(
            "--input", folder + "/docs", "--stream", "--output-table", table, "--checkpoint-location",
            folder + "/c")
        .refused("Cannot stream into");
  }
}
