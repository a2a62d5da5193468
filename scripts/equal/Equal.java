import static java.nio.charset.StandardCharsets.UTF_8;
import static org.apache.spark.sql.functions.col;

import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.ObjectWriter;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Main;
import io.mambaspark.jobs.MambaFunctions;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.ml.MambaPerplexity;
import io.mambaspark.jobs.sql.MambaExtensions;
import java.io.IOException;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import scala.jdk.javaapi.CollectionConverters;

/**
 * Runs every case of {@code scripts/equal.sh} in one JVM. Writes the results of each case to {@code
 * FOLDER/cases/NAME.txt}, except values that differ between two runs of one jar: times, names of
 * runs, and the path of the folder. Writes the texts of the columns {@code error} and {@code
 * token_error} to {@code NAME.errors}.
 */
public final class Equal {
  /** Runs before a session exists, so that the command starts and stops its own session. */
  private static final String OWN_SESSION =
      """
      own-session: score --model demo --input demo --limit 9 --max-tokens 20
      """;

  private static final String HELP =
      """
      help: --help
      help: --version
      help:
      help: help score
      help: score --help
      help: compare --help
      help: tokenize --help
      help: inspect --help
      help: inspect --model demo
      help: inspect --model $IN/other
      """;

  private static final String SCORES =
      """
      demo: score --model demo --input demo --max-tokens 60
      demo-output: score --model demo --input demo --output $OUT/demo --max-tokens 90 --group-by kind --report $OUT/demo.html --bucket head:30,middle:60
      demo-thresholds: score --model demo --input demo --output $OUT/thresholds --max-tokens 60 --bucket-thresholds $OUT/demo --min-perplexity 50 --max-perplexity 5000.5
      demo-logits: score --model demo --input demo --limit 2 --max-tokens 5 --emit logits --output $OUT/demo-logits
      demo-bf16: score --model demo --input demo --limit 9 --max-tokens 50 --weights bf16 --model-delivery file --prefix-token bos --partitions 2
      demo-integers: score --model demo --input demo --limit 9 --max-tokens 50 --weights int8-out16 --emit perplexity,token-ranks --output $OUT/demo-integers
      dry-run: score --model demo --input demo --dry-run
      dry-run: score --model demo --input $IN/texts --text-column text --emit token-ranks,top-k=3,last-logits --output $OUT/dry --dry-run
      dry-run: score --model demo --input $IN/tokens --max-tokens 5 --window strided --output $OUT/dry --target-unit-tokens 40 --dry-run
      dry-run: score --model demo --input $CASES/json-lines/in --input-format json --text-column text --output $OUT/dry --dry-run
      units: score --model demo --input $IN/texts --text-column text --target-unit-tokens 60 --output $OUT/units --group-by kind --report $OUT/units.html
      units-tokens: score --model demo --input $IN/tokens --target-unit-tokens 40 --emit perplexity,token-logprobs,token-ranks,top-k=3,position-nll,last-logits --output $OUT/units-tokens
      units-logits: score --model demo --input $IN/tokens --max-tokens 4 --emit logits --keep-columns id --output $OUT/units-logits
      units-top-k: score --model demo --input $IN/tokens --emit top-k=2,last-logits --keep-columns id --output $OUT/units-top-k
      units-counts: score --model demo --input $IN/tokens --byte-count-column bytes --word-count-column words --prefix-token 7 --max-tokens 9 --output $OUT/units-counts
      units-bytes: score --model demo --input $IN/bytes --text-column text --emit token-logprobs --output $OUT/units-bytes
      units-bucket: score --model demo --input $IN/texts --text-column text --bucket a:25,b:50.5 --group-by kind,id --report $OUT/units-bucket.html --max-perplexity 20000 --output $OUT/units-bucket
      units-strict: score --model demo --input $IN/tokens --strict --keep-columns id,kind --on-error quarantine --output $OUT/units-strict
      windows: score --model demo --input $IN/texts --text-column text --window rolling --window-tokens 16 --keep-columns id --output $OUT/rolling
      windows: score --model demo --input $IN/texts --text-column text --window strided --window-tokens 16 --stride 5 --keep-columns id --emit perplexity,position-nll --output $OUT/strided
      windows: score --model demo --input $IN/texts --text-column text --window chunked --window-tokens 12 --keep-columns id --report $OUT/chunked.html --output $OUT/chunked
      windows: score --model demo --input $IN/texts --text-column text --window chunked --window-tokens 12 --prefix-token bos --keep-columns id --limit 9 --output $OUT/chunked-bos
      pairs: score --model demo --input $IN/pairs --context-column context --continuation-column continuation --target-unit-tokens 20 --group-by kind --report $OUT/pairs.html --output $OUT/pairs
      pairs: score --model demo --input $IN/pairs --context-column context_ids --continuation-column continuation_ids --keep-columns id --emit token-logprobs,token-ranks,top-k=2 --prefix-token bos --output $OUT/pairs-ids
      pairs: score --model demo --input $CASES/harness/merged-continuation.jsonl --input-format json --context-column context --continuation-column continuation --output $OUT/merged
      json: score --model demo --input $CASES/json-lines/in --input-format json --text-column text --output-format json --strict --output $OUT/json
      json-kept: score --model demo --input $CASES/json-lines/in --input-format json --text-column text --keep-columns id --partitions 3 --report $OUT/json.html --output $OUT/json-kept
      json-typed: score --model demo --input $IN/typed.json --input-format json --text-column text --output $OUT/json-typed
      json-surrogates: score --model demo --input $CASES/harness/surrogates.jsonl --input-format json --text-column text --emit token-logprobs --output-format json --output $OUT/surrogates
      json-gzip: score --model demo --input $IN/texts.json --input-format JSON --text-column text --group-by kind --bucket head:50 --output-format orc --output $OUT/json-gzip
      orc: score --model demo --input $IN/orc --input-format orc --text-column text --keep-columns id,s,m --output-format orc --emit top-k=2 --output $OUT/orc
      csv: score --model demo --input $IN/csv --input-format csv --text-column _c1 --output $OUT/csv
      limit: score --model demo --input $IN/texts --text-column text --limit 7 --output $OUT/limit
      partitions: score --model demo --input $IN/texts --text-column text --partitions 3 --output-format json --output $OUT/partitions
      table: score --model demo --input-table texts --text-column text --group-by kind --keep-columns kind --output $OUT/table
      cases: score --model demo --input $CASES/column-only-in-second/in --text-column text --output $OUT/lacks
      cases: score --model demo --input $CASES/kept-column-null-first/in --text-column text --partitions 2 --output $OUT/nulls
      cases: score --model demo --input $CASES/int-widths/in/i64first --keep-columns id --output $OUT/widths
      cases: score --model demo --input $CASES/empty-frame-first/in --text-column text --output $OUT/empty-frame
      cases: score --model demo --input $CASES/column-case/in --text-column TEXT --keep-columns Id --output $OUT/case
      cases: score --model demo --input $CASES/nested-folders/in --text-column text --output $OUT/nested
      cases: score --model demo --input $CASES/overlapping-inputs/in $CASES/overlapping-inputs/in/a.parquet --text-column text --output $OUT/overlapping
      cases: score --model demo --input $CASES/partition-over-column/in --text-column text --output $OUT/over
      cases: score --model demo --input $CASES/summary-files/in --text-column text --output $OUT/summary-files
      cases: score --model demo --input $CASES/foreign-types/in/half.parquet --text-column text --keep-columns text --output $OUT/half
      damaged: score --model demo --input $CASES/damaged-and-odd-path --text-column text --output $OUT/damaged
      damaged: score --model demo --input $CASES/damaged-and-odd-path/bad?dir --text-column text --strict --output $OUT/damaged-units
      damaged: score --model demo --input $CASES/damaged-and-odd-path/badpart --text-column text --strict --limit 99 --output $OUT/damaged-limit
      damaged: score --model demo --input $CASES/damaged-and-odd-path/badpart --text-column text --on-error fail --output $OUT/damaged-fail
      damaged: score --model demo --input $IN/damaged --text-column text --strict --keep-columns id --output $OUT/damaged-pages
      damaged: score --model demo --input $IN/damaged --text-column text --strict --keep-columns id --output $OUT/damaged-pages --resume
      damaged: score --model demo --input $IN/damaged --text-column text --keep-columns id --partitions 2 --output $OUT/damaged-partitions
      damaged: score --model demo --input $IN/damaged --text-column text --keep-columns id --on-error fail --output $OUT/damaged-fail
      damaged: score --model demo --input $IN/damaged/pages.parquet --text-column text --keep-columns id --on-error fail --target-unit-tokens 9999 --output $OUT/damaged-fail
      damaged: score --model demo --input $IN/damaged/pages.parquet --text-column text --keep-columns id --on-error fail --partitions 1 --output $OUT/damaged-fail-2
      fail: score --model demo --input $IN/tokens --on-error fail --target-unit-tokens 9999 --output $OUT/fail
      fail: score --model demo --input $IN/bytes --text-column text --on-error fail --partitions 1 --output $OUT/fail-2
      other-model: score --model $IN/other --input $IN/texts --text-column text --tokenizer demo --keep-columns id --output $OUT/other
      overwrite: score --model demo --input $IN/texts --text-column text --keep-columns id --output $OUT/demo --overwrite
      overwrite: score --model demo --input demo --limit 5 --max-tokens 9 --output $OUT/demo --overwrite
      compare: compare --model demo --model demo --weights bf16 --input demo --limit 20 --max-tokens 50 --group-by kind --output $OUT/compare
      compare: compare --model demo --model $IN/other --tokenizer demo --input $IN/texts --text-column text --group-by kind --prefix-token bos --output $OUT/compare-same
      compare: compare --model demo --model $IN/other --input $IN/texts --text-column text --keep-columns id,s --output-format json --partitions 2 --output $OUT/compare-other
      compare: compare --model demo --model $IN/other --input $IN/tokens --max-tokens 8 --strict --keep-columns id --output $OUT/compare-tokens
      tokenize: tokenize --tokenizer demo --input $IN/texts --output $OUT/tokenize
      tokenize: tokenize --tokenizer $IN/other --input $IN/bytes --strict --keep-columns id --output-format json --output $OUT/tokenize-bytes
      tokenize: tokenize --tokenizer demo --input $CASES/json-lines/in --input-format json --limit 30 --output $OUT/tokenize-json
      tokenize: score --model demo --input $OUT/tokenize --byte-count-column byte_count --word-count-column word_count --emit token-logprobs,top-k=3 --group-by kind --partitions 2 --output $OUT/tokenize-scores
      """;

  private static final String STREAM =
      """
      stream: score --stream --model demo --input $OUT/in --text-column text --strict --output $OUT/stream
      stream-json: score --stream available-now --max-files-per-batch 1 --model demo --input $OUT/in-json --input-format json --text-column text --output-format json --checkpoint-location $OUT/checkpoint --bucket-thresholds $OUT/units-bucket --output $OUT/stream-json
      """;

  /** Commands with invalid options. $S is replaced by a complete command line of score. */
  private static final String WRONG_USAGE =
      """
      scroe
      score
      score --model demo
      score --model demo --input
      score --model demo --input demo --frobnicate
      score --model demo --input demo --limit ten
      score --model demo --input demo x
      score --model demo --model demo --input demo
      score --model demo --input demo --input-table t
      score --model demo --input demo --limit 0
      score --model demo --input demo --partitions -1
      score --model demo --input demo --output-format xml
      score --model demo --input $IN/texts
      score --model demo --input demo --emit logits
      score --model demo --input demo --overwrite
      score --model demo --input demo --resume
      score --model demo --input demo --output $OUT/no --resume
      score --model demo --input $IN/texts --output $OUT/no --allow-new-input
      score --model demo --input $IN/texts --output $OUT/no --target-unit-tokens 0
      score --model demo --input $IN/texts --output $OUT/no --target-unit-tokens 9 --limit 9
      score --model demo --input demo --weights f64
      score --model demo --input demo --model-delivery pigeon
      score --model demo --input demo --on-error ignore
      score --model demo --input demo --emit perplexity,bananas
      score --model demo --input demo --emit perplexity,perplexity
      score --model demo --input demo --emit ,
      score --model demo --input demo --emit top-k=0
      score --model demo --input demo --emit logits,perplexity
      score --model demo --input demo --prefix-token cls
      score --model demo --input demo --max-tokens 0
      score --model demo --input demo --bucket head
      score --model demo --input demo --bucket head:60,middle:30
      score --model demo --input demo --bucket tail:60
      score --model demo --input demo --bucket a:10,a:20
      score --model demo --input demo --max-files-per-batch 2
      score --model demo --input demo --checkpoint-location c
      score --model demo --input demo --stream
      score --model demo --input $IN/texts --output $OUT/no --stream 5x
      score --model demo --input $IN/texts --output $OUT/no --stream --resume
      score --model demo --input $IN/texts --output $OUT/no --stream --bucket a:50
      score --model demo --input $IN/texts --output $OUT/no --stream --input-format csv
      score --model demo --input $IN/texts --output $OUT/no --stream --max-files-per-batch 0
      $S --text-column a --tokens-column b
      $S --context-column a
      $S --continuation-column a
      $S --context-column a --continuation-column a
      $S --byte-count-column a --word-count-column a
      $S --tokenizer t
      $S --window sliding
      $S --window-tokens 9
      $S --stride 9
      $S --window strided --stride 0
      $S --window chunked --window-tokens 2
      $S --window rolling --prefix-token none
      $S --window chunked --emit logits
      $S --context-column a --continuation-column b --window rolling
      $S --context-column a --continuation-column b --max-tokens 5
      $S --context-column a --continuation-column b --emit logits
      $S --min-perplexity 5 --emit top-k=2
      $S --min-perplexity 9 --max-perplexity 5
      $S --max-perplexity NaN
      $S --bucket a:50 --bucket-thresholds f
      $S --group-by a,b,a
      $S --group-by ,
      $S --report r --emit logits
      compare --model demo --input demo --output $OUT/no
      compare --model demo --model demo --input demo
      compare --model demo --model $IN/other --input $IN/texts --text-column text --max-tokens 5 --output $OUT/no
      tokenize --input demo --output $OUT/no
      tokenize --tokenizer demo --input demo
      inspect
      inspect --model
      """;

  /** Commands that are refused because of a file, and similar commands that succeed. */
  private static final String REFUSED =
      """
      inspect --model $IN/nowhere
      inspect --model $IN/no-config
      inspect --model $IN/no-weights
      inspect --model $IN/cut
      inspect --model $IN/mamba2
      score --model $IN/cut --input demo
      score --model $IN/no-tokenizer --input $IN/texts --text-column text --output $OUT/no
      score --model demo --input demo --prefix-token 4096
      score --model demo --input $IN/nowhere --output $OUT/no
      score --model demo --input $IN/nothing*here --output $OUT/no
      score --model demo --input $IN/texts --output $OUT/no
      score --model demo --input $IN/texts --text-column id2 --output $OUT/no
      score --model demo --input $IN/texts --text-column s --output $OUT/no
      score --model demo --input $IN/texts --tokens-column text --output $OUT/no
      score --model demo --input $IN/texts --text-column text --keep-columns id,zap --output $OUT/no
      score --model demo --input $IN/texts --text-column text --keep-columns id,ID --output $OUT/no
      score --model demo --input $IN/texts --text-column text --keep-columns id --group-by kind --output $OUT/no
      score --model demo --input $IN/texts --text-column text --group-by s --output $OUT/no
      score --model demo --input $IN/tokens --byte-count-column kind --output $OUT/no
      score --model demo --input $IN/pairs --context-column context --continuation-column continuation_ids --output $OUT/no
      score --model demo --input $OUT/units --text-column text --output $OUT/no
      score --model demo --input $IN/texts --text-column text --tokenizer $IN/nowhere --output $OUT/no
      score --model demo --input $IN/texts --text-column text --tokenizer $IN/typed.json --output $OUT/no
      score --model demo --input $IN/texts --text-column text --output $OUT/units
      score --model demo --input $IN/texts --text-column text --output $OUT/units --resume
      score --model demo --input $IN/texts --text-column text --output $OUT/json --resume
      score --model demo --input $IN/tokens --output $OUT/units-strict --resume --max-tokens 3
      score --model demo --input $IN/texts --text-column text --output $OUT/stream --overwrite --resume
      score --model demo --input $IN/texts --text-column text --output $OUT/stream
      score --model demo --input $IN/texts --text-column text --output $IN/texts/below
      score --model demo --input $IN/texts --text-column text --output $IN/texts --overwrite
      score --model demo --input $IN/texts --text-column text --output /
      score --model demo --input demo --report $IN
      score --model demo --input demo --report $IN/typed.json
      score --model demo --input $IN/texts --text-column text --report $OUT/no/x.html --output $OUT/no
      score --model demo --input demo --bucket-thresholds $IN/nowhere
      score --model demo --input demo --bucket-thresholds $IN/texts/a.parquet
      score --model demo --input demo --bucket-thresholds $OUT/units
      score --model demo --input-table nowhere.at_all --output $OUT/no
      score --model demo --input $IN/texts --input-format json --text-column text --output $OUT/no
      score --model demo --input $IN/typed.json --text-column text --output $OUT/no
      score --model demo --input $IN/texts --input-format frob --text-column text --output $OUT/no
      score --model demo --input $CASES/delta-folder/in --text-column text --output $OUT/no
      score --model demo --input $CASES/foreign-types/in/half.parquet --text-column text --output $OUT/no
      score --model demo --input $CASES/foreign-types/in/uuid.parquet --text-column text --output $OUT/no
      score --model demo --input $CASES/nested-folders/in/top.parquet $IN/tokens --text-column text --output $OUT/no
      score --model demo --input $IN/unlike --text-column text --output $OUT/no
      score --model demo --input $IN/texts/a.parquet --text-column text --stream --output $OUT/no
      score --model demo --input $IN/texts --text-column text --stream --output $OUT/units
      score --model demo --input $IN/texts --text-column text --stream --output $OUT/stream
      score @$IN/nowhere.args
      compare --model demo --model $IN/nowhere --input demo --output $OUT/no
      compare --model demo --model $IN/other --input $IN/texts --text-column zap --output $OUT/no
      compare --model demo --model demo --input demo --output $OUT/units
      tokenize --tokenizer $IN/nowhere --input demo --output $OUT/no
      tokenize --tokenizer demo --input $IN/tokens --output $OUT/no
      tokenize --tokenizer demo --input $IN/texts --output $OUT/units
      """;

  private static final ObjectMapper JSON =
      new ObjectMapper().enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);
  private static final ObjectWriter SORTED =
      new ObjectMapper()
          .enable(SerializationFeature.ORDER_MAP_ENTRIES_BY_KEYS)
          .writerWithDefaultPrettyPrinter();

  private final Path in;
  private final Path own;
  private final Path out;
  private final Path cases;

  private Equal(Path in, Path own, Path cases) {
    this.in = in;
    this.own = own;
    this.out = own.resolve("out");
    this.cases = cases;
  }

  /** Arguments: {@code inputs IN DEMO}, or {@code cases IN FOLDER CASES}. */
  public static void main(String[] args) throws IOException {
    if (args[0].equals("inputs")) {
      new Inputs(Path.of(args[1]), Path.of(args[2])).write();
    } else {
      new Equal(Path.of(args[1]), Path.of(args[2]), Path.of(args[3])).run();
    }
  }

  private void run() throws IOException {
    Files.createDirectories(own.resolve("cases"));
    Files.createDirectories(out);
    runAll(HELP);
    runAll(OWN_SESSION);
    SparkSession spark = SparkSession.builder().appName("equal").getOrCreate();
    spark.read().parquet(in + "/texts").createOrReplaceTempView("texts");
    runAll(SCORES);
    resume();
    stream();
    refuse("wrong-usage", WRONG_USAGE);
    refuse("refused", REFUSED);
    attempt("api", () -> api(spark));
    attempt("functions", () -> functions(spark));
    attempt("ml", () -> ml(spark));
    // All files that the cases wrote.
    tell("files", String.join("\n", names(out)));
    spark.stop();
  }

  /** A step of a case. If it fails, its exception is the result of the case. */
  private interface Step {
    void run() throws Exception;
  }

  private void attempt(String name, Step step) throws IOException {
    long start = System.nanoTime();
    try {
      step.run();
    } catch (Exception | LinkageError e) {
      e.printStackTrace();
      tell(name, "FAILED with " + e);
    }
    System.out.printf("%s: %.1f s%n", name, (System.nanoTime() - start) / 1e9);
  }

  /** Appends text to the results of a case. */
  private void tell(String name, String text) throws IOException {
    append(name + ".txt", text);
  }

  private void append(String file, String text) throws IOException {
    String plain =
        text.replace(own.toString(), "OWN")
            .replaceAll("\\[B@[0-9a-f]+", "[B")
            .replaceAll("\\d{8}-\\d{6}-[0-9a-f]{8}", "RUN")
            .replaceAll("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "UUID");
    Files.writeString(
        own.resolve("cases").resolve(file),
        plain + "\n",
        StandardOpenOption.CREATE,
        StandardOpenOption.APPEND);
  }

  private void runAll(String commands) throws IOException {
    for (String line : commands.lines().toList()) {
      int colon = line.indexOf(':');
      command(line.substring(0, colon), line.substring(colon + 1).strip());
    }
  }

  private void refuse(String name, String commands) throws IOException {
    int number = 0;
    for (String line : commands.lines().toList()) {
      number++;
      // Each command has its own output, so that no command is refused because of another one's
      // output.
      command(name, line.replace("$OUT/no", "$OUT/no-" + number));
    }
  }

  /** Runs a command. Records its exit code, its printed text and the files that it wrote. */
  private void command(String name, String line) throws IOException {
    attempt(
        name,
        () -> {
          StringWriter printed = new StringWriter();
          StringWriter errors = new StringWriter();
          String given = line.replace("$S", "score --model m --input i --output o");
          List<String> args =
              Arrays.stream(given.split(" "))
                  .filter(arg -> !arg.isEmpty())
                  .map(arg -> arg.replace("$IN", in.toString()))
                  .map(arg -> arg.replace("$OUT", out.toString()))
                  .map(arg -> arg.replace("$CASES", cases.toString()))
                  .toList();
          int code =
              Main.run(
                  new PrintWriter(printed, true),
                  new PrintWriter(errors, true),
                  args.toArray(String[]::new));
          // Removes the times of a summary and the speed of a dry run.
          String still =
              printed
                  .toString()
                  .replaceAll("(?m)^(  (seconds|tokens per second|speed|time) +).*$", "$1");
          tell(name, "$ %s\nexit %d\n%s%s".formatted(line, code, still, errors));
          if ((code == 0 || code == 3) && !args.contains("--dry-run")) {
            written(name, args);
          }
        });
  }

  private void written(String name, List<String> args) throws IOException {
    if (args.contains("--report")) {
      String page = Files.readString(Path.of(args.get(args.indexOf("--report") + 1)));
      tell(name, sortedPairs(page.replaceAll("(?s)<h2>Speed</h2>.*?(?=<h2>)", "")));
    }
    if (!args.contains("--output")) {
      return;
    }
    Path folder = Path.of(args.get(args.indexOf("--output") + 1));
    int format = args.indexOf("--output-format");
    rows(name, SparkSession.active(), format < 0 ? "parquet" : args.get(format + 1), folder);
    for (String file : names(folder)) {
      if (file.matches("_mamba_summary.json|_mamba/(units/.*|run-\\d+)\\.json")) {
        tell(name, file + " " + record(Files.readString(folder.resolve(file))));
      }
    }
  }

  /** Returns the page with its lists of options and versions sorted by name. */
  private static String sortedPairs(String page) {
    return Pattern.compile("(?s)<dl class=\"pairs\">\n(.*?)</dl>")
        .matcher(page)
        .replaceAll(
            list ->
                Matcher.quoteReplacement(
                    list.group(1).lines().sorted().collect(Collectors.joining("\n"))));
  }

  /** Returns a summary or a file of the ledger, without values that differ from run to run. */
  private static String record(String text) throws IOException {
    ObjectNode json = (ObjectNode) JSON.readTree(text);
    json.remove(List.of("run", "seconds", "tokens_per_second", "versions"));
    if (json.path("file").isObject()) {
      // The output file contains the name of the run, and error texts.
      ((ObjectNode) json.get("file")).remove("sha256");
      if (!json.path("totals").path("errors").isEmpty()) {
        ((ObjectNode) json.get("file")).remove("size");
      }
    }
    // The order of the fields of a JSON object is not significant.
    return SORTED.writeValueAsString(JSON.treeToValue(json, Object.class));
  }

  private void rows(String name, SparkSession spark, String format, Path folder)
      throws IOException {
    if (format.equals("json")) {
      // Reads lines of text, to compare the order of columns and the digits of numbers, too.
      List<String[]> lines = new ArrayList<>();
      for (Row row : spark.read().text(folder.toString()).collectAsList()) {
        ObjectNode json = (ObjectNode) JSON.readTree(row.getString(0));
        String[] line = {null, null};
        for (String error : List.of("error", "token_error")) {
          JsonNode text = json.path(error);
          if (text.isTextual()) {
            line[1] = text.asText();
            json.put(error, true);
          }
        }
        line[0] = json.toString();
        lines.add(line);
      }
      sorted(name, lines);
    } else {
      rows(name, spark.read().format(format).load(folder.toString()));
    }
  }

  /** Records the schema, and the rows with the exact bits of their numbers. */
  private void rows(String name, Dataset<Row> rows) throws IOException {
    StructType schema = rows.schema();
    for (StructField field : schema.fields()) {
      tell(name, "column " + new StructType(new StructField[] {field}).json());
    }
    List<String[]> lines = new ArrayList<>();
    for (Row row : rows.collectAsList()) {
      String[] line = {null, null};
      List<String> values = new ArrayList<>();
      for (int i = 0; i < row.size(); i++) {
        boolean error = schema.apply(i).name().matches("(token_)?error");
        if (error && !row.isNullAt(i)) {
          line[1] = row.getString(i);
        }
        values.add(error ? String.valueOf(!row.isNullAt(i)) : exact(row.get(i)));
      }
      line[0] = String.join(" | ", values);
      lines.add(line);
    }
    sorted(name, lines);
  }

  private void sorted(String name, List<String[]> lines) throws IOException {
    List<String> rows = lines.stream().map(line -> line[0]).sorted().toList();
    tell(name, rows.size() + " rows\n" + String.join("\n", rows));
    String errors =
        lines.stream()
            .filter(line -> line[1] != null)
            .map(line -> line[0] + " | " + line[1])
            .sorted()
            .collect(Collectors.joining("\n"));
    if (!errors.isEmpty()) {
      append(name + ".errors", errors);
    }
  }

  private static String exact(Object value) {
    if (value instanceof Double number) {
      return number + "#" + Long.toHexString(Double.doubleToRawLongBits(number));
    }
    if (value instanceof Float number) {
      return number + "#" + Integer.toHexString(Float.floatToRawIntBits(number));
    }
    if (value instanceof byte[] bytes) {
      return HexFormat.of().formatHex(bytes);
    }
    if (value instanceof Row row) {
      return CollectionConverters.asJava(row.toSeq()).stream()
          .map(Equal::exact)
          .toList()
          .toString();
    }
    if (value instanceof scala.collection.Seq<?> list) {
      String elements =
          CollectionConverters.asJava(list).stream().map(Equal::exact).toList().toString();
      // A list of logits is as long as the vocabulary, so a hash replaces it.
      return list.size() < 1000 ? elements : list.size() + " values, " + sha256(elements);
    }
    if (value instanceof scala.collection.Map<?, ?> map) {
      Map<String, String> entries = new TreeMap<>();
      CollectionConverters.asJava(map).forEach((key, of) -> entries.put(exact(key), exact(of)));
      return entries.toString();
    }
    return String.valueOf(value).replace("\n", "\\n");
  }

  private static String sha256(String text) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      return HexFormat.of().formatHex(digest.digest(text.getBytes(UTF_8)));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("This Java platform has no SHA-256", e);
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      return files
          .filter(Files::isRegularFile)
          .map(file -> folder.relativize(file).toString())
          .filter(file -> !file.endsWith(".crc"))
          .sorted()
          .toList();
    }
  }

  private void resume() throws IOException {
    String units =
        "score --model demo --input $IN/texts/%s --text-column text --keep-columns id"
            + " --output $OUT/resume --target-unit-tokens 60 ";
    command("resume", units.formatted("a.parquet"));
    command("resume", units.formatted("a.parquet") + "--resume");
    command("resume", units.formatted("*") + "--resume");
    command("resume", units.formatted("*") + "--resume --allow-new-input --strict");
    Path folder = out.resolve("resume");
    List<String> written =
        names(folder).stream().filter(file -> file.matches("part-.*\\.parquet")).toList();
    for (String file : written.subList(0, 2)) {
      Files.delete(folder.resolve(file));
    }
    Files.delete(folder.resolve("_mamba/units/" + written.get(0) + ".json"));
    Files.delete(folder.resolve("_mamba_summary.json"));
    command("resume", units.formatted("*"));
    command("resume", units.formatted("*") + "--resume --emit token-ranks");
    command("resume", units.formatted("*") + "--resume --bucket a:50");
    command("resume", units.formatted("*") + "--resume");
    command("resume", units.formatted("*").replace("60", "30") + "--overwrite --resume");
  }

  private void stream() throws IOException {
    for (String name : List.of("a", "b")) {
      copy(in.resolve("texts/" + name + ".parquet"), out.resolve("in"));
      copy(in.resolve("texts.json/" + name + ".json.gz"), out.resolve("in-json"));
      runAll(STREAM);
    }
    copy(cases.resolve("json-lines/in/a.jsonl"), out.resolve("in-json"));
    runAll(STREAM);
  }

  private static void copy(Path file, Path folder) throws IOException {
    Files.createDirectories(folder);
    Files.copy(file, folder.resolve(file.getFileName()), StandardCopyOption.COPY_ATTRIBUTES);
  }

  private void api(SparkSession spark) throws IOException {
    Dataset<Row> texts = spark.read().parquet(in + "/texts").select("id", "kind", "text", "s", "m");
    Dataset<Row> tokens = spark.read().parquet(in + "/tokens");
    Dataset<Row> pairs =
        spark.read().parquet(in + "/pairs").select("id", "context", "continuation");
    try (MambaScorer scorer = MambaScorer.load("demo")) {
      tell("api", scorer.fingerprint());
      MambaScorer ofTexts = scorer.textColumn("text");
      tell("api", ofTexts.outputSchema(texts.schema()).json());
      rows("api", ofTexts.score(texts));
      rows("api", ofTexts.keepColumns("id").window("rolling").emit("token-logprobs").score(texts));
      rows("api", ofTexts.keepColumns().window("strided", 9, 4).tokenizer("demo").score(texts));
      rows("api", ofTexts.minPerplexity(100).maxPerplexity(9000).weights("bf16").score(texts));
      rows("api", scorer.maxTokens(6).prefixToken("bos").emit("top-k=2,token-ranks").score(tokens));
      rows("api", scorer.byteCountColumn("bytes").wordCountColumn("words").score(tokens));
      rows(
          "api",
          scorer
              .tokensColumn("tokens")
              .keepColumns("id")
              .modelDelivery("file")
              .maxTokens(2)
              .emit("logits")
              .score(tokens.limit(2)));
      rows("api", scorer.contextAndContinuationColumns("context", "continuation").score(pairs));
      refusal("api", () -> scorer.score(texts));
      refusal("api", () -> scorer.outputSchema(texts.schema()));
      refusal("api", () -> scorer.maxTokens(0));
      refusal("api", () -> scorer.emit("zap"));
      refusal("api", () -> scorer.window("zap"));
      refusal("api", () -> scorer.window("full", 3, null));
      refusal("api", () -> scorer.minPerplexity(0));
      refusal("api", () -> scorer.onError("zap"));
      refusal("api", () -> scorer.weights("zap"));
      refusal("api", () -> scorer.modelDelivery("zap"));
      refusal("api", () -> scorer.prefixToken("zap"));
      refusal("api", () -> scorer.tokenizer("demo").score(tokens));
      refusal("api", () -> scorer.keepColumns("zap").score(tokens));
      refusal("api", () -> scorer.saveModel(out + "/units"));
      scorer.saveModel(out + "/saved");
    }
    refusal("api", () -> MambaScorer.load(in + "/nowhere"));
    refusal("api", () -> MambaScorer.load(in + "/cut"));
  }

  private void refusal(String name, Step step) throws IOException {
    try {
      step.run();
      tell(name, "not refused");
    } catch (Exception e) {
      tell(name, e.getClass().getName() + ": " + e.getMessage());
    }
  }

  private void functions(SparkSession spark) throws IOException {
    spark.read().parquet(in + "/tokens").createOrReplaceTempView("tokens");
    MambaFunctions.register(spark, "scored", "demo");
    tell("functions", MambaFunctions.SCORE.json());
    rows("functions", spark.sql("SELECT id, s.* FROM (SELECT id, scored(text) AS s FROM texts)"));
    rows(
        "functions", spark.sql("SELECT id, s.* FROM (SELECT id, scored(tokens) AS s FROM tokens)"));
    refusal("functions", () -> spark.sql("SELECT mamba_nll(text) FROM texts"));
    MambaExtensions.register(spark, "demo");
    rows(
        "functions",
        spark.sql(
            "SELECT id, mamba_score(text) AS s, mamba_nll(text), mamba_perplexity(text) FROM texts"
                + " WHERE mamba_perplexity(text) < 5000"));
    for (String name : List.of("mamba_score", "mamba_nll", "mamba_perplexity")) {
      rows("functions", spark.sql("DESCRIBE FUNCTION EXTENDED " + name));
    }
    refusal("functions", () -> spark.sql("SELECT mamba_nll() FROM texts"));
    refusal("functions", () -> spark.sql("SELECT mamba_nll(id, text) FROM texts"));
    refusal("functions", () -> spark.sql("SELECT mamba_nll(s) FROM texts"));
    refusal("functions", () -> MambaFunctions.register(spark, "f", in + "/nowhere"));
    spark.conf().set(MambaExtensions.MODEL, in + "/nowhere");
    refusal("functions", () -> spark.sql("SELECT mamba_nll(text) FROM texts"));
    spark.conf().unset(MambaExtensions.MODEL);
    refusal("functions", () -> spark.sql("SELECT mamba_nll(text) FROM texts"));
  }

  private void ml(SparkSession spark) throws IOException {
    Dataset<Row> texts = spark.read().parquet(in + "/texts").select("id", "text", "s");
    MambaPerplexity stage = new MambaPerplexity("stage");
    tell("ml", stage.explainParams());
    refusal("ml", () -> stage.transform(texts));
    stage.setModel("demo");
    refusal("ml", () -> stage.transform(texts));
    stage.setTextColumn("text");
    tell("ml", stage.modelFingerprint() + " " + stage.transformSchema(texts.schema()).json());
    rows("ml", stage.transform(texts));
    stage.setEmit("token-logprobs,top-k=2").setPrefixToken("bos").setMaxTokens(9);
    stage.setWindow("strided").setWindowTokens(8).setStride(3).setOnError("quarantine");
    stage.setWeights("bf16").setModelDelivery("file").setTokenizer("demo").setSaveModel(true);
    tell("ml", stage.explainParams());
    rows("ml", stage.transform(texts));
    stage.save(out + "/stage");
    refusal("ml", () -> stage.save(out + "/stage"));
    MambaPerplexity loaded = MambaPerplexity.load(out + "/stage");
    tell("ml", loaded.explainParams());
    rows("ml", loaded.transform(texts));
    refusal("ml", () -> stage.setMaxTokens(0));
    refusal("ml", () -> stage.setWindow("zap").transform(texts));
    refusal("ml", () -> stage.setWindow("full").transform(texts));
    refusal("ml", () -> loaded.setFingerprint("0123").transform(texts));
    refusal(
        "ml",
        () ->
            new MambaPerplexity("t")
                .setModel("demo")
                .setTextColumn("t")
                .setTokensColumn("u")
                .transform(texts));
  }

  /**
   * The input of the cases. Both jars read the same files, because the names of units depend on
   * the paths of the files.
   *
   * @param in the folder to write
   * @param demo the folder with the model and the texts of the demo
   */
  private record Inputs(Path in, Path demo) {
    void write() throws IOException {
      SparkSession spark = SparkSession.builder().appName("inputs").getOrCreate();
      Dataset<Row> texts = texts(spark);
      for (String half : List.of("a", "b")) {
        Dataset<Row> rows = texts.where("pmod(crc32(id), 2) = " + (half.equals("a") ? 0 : 1));
        file(rows, "parquet", "texts/" + half + ".parquet");
        file(rows.select("id", "kind", "text"), "json", "texts.json/" + half + ".json.gz");
      }
      file(texts.drop("t"), "orc", "orc/a.orc");
      file(texts.selectExpr("id", "translate(text, '\n', ' ')"), "csv", "csv/a.csv");
      file(bytes(spark), "parquet", "bytes/a.parquet");
      file(tokens(spark), "parquet", "tokens/a.parquet");
      file(pairs(spark), "parquet", "pairs/a.parquet");
      file(spark.sql("SELECT 1 AS text"), "parquet", "unlike/a.parquet");
      file(spark.sql("SELECT 'a' AS text, true AS kind"), "parquet", "unlike/b.parquet");
      file(spark.sql("SELECT 'a' AS text, 1 AS kind"), "parquet", "unlike/c.parquet");
      spark.stop();
      Files.writeString(
          in.resolve("typed.json"),
          """
          {"text":"It was the best of times","n":12345678901234567890,"x":1.5,"a":[1,null],"o":{"k":true}}
          {"text":"it was the worst","n":1,"x":1e400,"a":["s"],"o":{"k":0,"j":"2020-01-01"},"o":1}
          {"text":null,"x":3}
          """);
      byte[] parquet = Files.readAllBytes(in.resolve("texts/a.parquet"));
      Files.createDirectories(in.resolve("damaged"));
      Files.write(in.resolve("damaged/good.parquet"), parquet);
      Arrays.fill(parquet, 4, 200, (byte) 0x55);
      Files.write(in.resolve("damaged/pages.parquet"), parquet);
      Files.write(in.resolve("damaged/cut.parquet"), Arrays.copyOf(parquet, 500));
      models();
    }

    /** Returns texts, some of them unusual, with columns of many types that jobs copy. */
    private Dataset<Row> texts(SparkSession spark) {
      return spark
          .read()
          .json(demo + "/corpus.jsonl")
          .where("pmod(crc32(id), 9) = 0")
          .selectExpr("id", "kind", "substring(text, 1, 180) AS text")
          .union(
              spark.sql(
                  "VALUES ('null', 'odd', null), ('empty', 'odd', ''), ('letter', 'odd', 'a'),"
                      + " ('spaces', null, '  \n '), ('emoji', null, 'a 😀 b é')"))
          .withColumn(
              "kind", col("kind").as("kind", Metadata.fromJson("{\"comment\":\"Its kind\"}")))
          .selectExpr(
              "*",
              "named_struct('n', length(text), 'x', cast(length(text) AS float) / 7) AS s",
              "map(id, array(0.0D, -0.0D, double('NaN'), null)) AS m",
              "encode(kind, 'UTF-16') AS b",
              "timestamp'1955-11-05 06:15:00' + make_interval(0, 0, 0, length(text)) AS t",
              "cast(length(text) AS decimal(20,3)) / 7 AS d",
              "date'1582-10-10' AS day");
    }

    private static Dataset<Row> bytes(SparkSession spark) {
      return spark.sql(
          "SELECT * FROM VALUES ('good', encode('the sea é', 'UTF-8')), ('bad', X'61ff62'),"
              + " ('cut', X'61e2'), ('empty', X''), ('null', null) AS v(id, text)");
    }

    private static Dataset<Row> tokens(SparkSession spark) {
      return spark.sql(
          """
          SELECT id, kind, tokens, 4 * size(tokens) AS bytes, size(tokens) AS words FROM (
            SELECT string(id) AS id, 'good' AS kind,
              transform(sequence(0, 3 + id), i -> cast(pmod((i + 7) * (id + 31) * 37, 4096) AS int)) AS tokens
            FROM range(20)
            UNION ALL SELECT * FROM VALUES ('null', 'odd', null), ('empty', 'odd', array()),
              ('one', 'odd', array(5)), ('element', 'bad', array(1, null, 3)),
              ('negative', 'bad', array(1, -2)), ('outside', 'bad', array(1, 2, 4096)))
          UNION ALL SELECT 'count', 'bad', array(1, 2, 3), -1, 2
          """);
    }

    private static Dataset<Row> pairs(SparkSession spark) {
      return spark.sql(
          """
          SELECT string(c * 10 + k) AS id, string(c) AS kind,
            element_at(array('It was the best of', 'The unfortu', '', null, 'the sea '), c) AS context,
            element_at(array(' times', 'nate man', 'n', '', null), k) AS continuation,
            element_at(array(array(1, 2, 3), array(), null, array(9, 4096), array(5)), c) AS context_ids,
            element_at(array(array(7, 8), array(), null, array(-1), array(10)), k) AS continuation_ids
          FROM (SELECT explode(sequence(1, 5)) AS c) CROSS JOIN (SELECT explode(sequence(1, 5)) AS k)
          """);
    }

    /** Writes rows to one file with the given name, in row groups of at most four rows. */
    private void file(Dataset<Row> rows, String format, String name) throws IOException {
      Path folder = in.resolve("part");
      rows.coalesce(1)
          .sortWithinPartitions(rows.columns()[0])
          .write()
          .option("parquet.block.row.count.limit", 4)
          .option(
              "compression",
              format.equals("json") ? "gzip" : format.equals("csv") ? "none" : "snappy")
          .format(format)
          .save(folder.toString());
      Files.createDirectories(in.resolve(name).getParent());
      for (String part : names(folder)) {
        if (part.startsWith("part-")) {
          Files.move(folder.resolve(part), in.resolve(name));
        }
        Files.deleteIfExists(folder.resolve(part));
        Files.deleteIfExists(folder.resolve("." + part + ".crc"));
      }
      Files.delete(folder);
    }

    /** Writes a model with other weights and another tokenizer, and some invalid models. */
    private void models() throws IOException {
      Path tiny = demo.resolve("tiny-books");
      byte[] weights = Files.readAllBytes(tiny.resolve("model.safetensors"));
      byte[] config = Files.readAllBytes(tiny.resolve("config.json"));
      String tokenizer = Files.readString(tiny.resolve("tokenizer.json"));
      model("no-config", null, weights);
      model("no-weights", config, null);
      model("no-tokenizer", config, weights);
      model("cut", config, Arrays.copyOf(weights, weights.length / 2));
      model(
          "mamba2", new String(config, UTF_8).replace("mamba", "mamba2").getBytes(UTF_8), weights);
      // Flips the last bit of every fifth BF16 weight.
      for (int i = weights.length - 2; i > weights.length / 2; i -= 10) {
        weights[i] ^= 1;
      }
      model("other", config, weights);
      String lowercase = "\"normalizer\": {\"type\": \"Lowercase\"}";
      Files.writeString(
          in.resolve("other/tokenizer.json"), tokenizer.replace("\"normalizer\": null", lowercase));
    }

    private void model(String name, byte[] config, byte[] weights) throws IOException {
      Path folder = Files.createDirectories(in.resolve(name));
      if (config != null) {
        Files.write(folder.resolve("config.json"), config);
      }
      if (weights != null) {
        Files.write(folder.resolve("model.safetensors"), weights);
      }
    }
  }
}
