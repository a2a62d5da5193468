package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.text.Utf8;
import java.util.AbstractMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils;

/**
 * The files that lie under the paths that a user has named. A job lists them once; planning,
 * reading, the dry run, a resumed run and the summary all use this list.
 *
 * <p>A path that exists is taken literally, otherwise it is a glob. Folders are listed with all
 * their sub-folders. A file that two paths name is listed once.
 *
 * @param files sorted by path
 * @param leftOut entries of a folder that are no data, by path, and why: Spark's hidden names, the
 *     footers that {@code _metadata} files repeat
 * @param unread entries that may be data and cannot be read, by path, and why
 */
public record InputFiles(
    List<InputFile> files, Map<String, String> leftOut, Map<String, String> unread) {
  /** A summary names at most so many entries that were left out, and always gives their number. */
  private static final int MOST_LEFT_OUT = 1000;

  private static final Pattern ESCAPES = Pattern.compile("(%[0-9a-fA-F]{2})+");

  /** Formats whose files are never empty, even without rows. */
  private static final Set<String> SIGNED_FORMATS = Set.of("parquet", "orc", "avro");

  /** The start of the reason for leaving out a link to a folder above it. */
  public static final String LOOP = "link back to ";

  /** No files: the rows are those of a table, of the demo, or of another source. */
  public static final InputFiles NONE = new InputFiles(List.of(), Map.of(), Map.of());

  /**
   * A file that holds rows.
   *
   * @param path with its scheme
   * @param size bytes
   * @param modified milliseconds since 1970
   * @param partition the values of its partition folders ({@code k=v}), by column; null for Hive's
   *     default partition
   */
  public record InputFile(Path path, long size, long modified, Map<String, String> partition) {
    /** The path for people and records: without a password, and not encoded. */
    public String name() {
      return Refusal.redacted(path.toString());
    }
  }

  /** How many entries the user has named that may hold rows. */
  int named() {
    return files.size() + unread.size();
  }

  /** The sizes of all files. */
  public long bytes() {
    return files.stream().mapToLong(InputFile::size).sum();
  }

  /** How many of the named files are read, for people. */
  public String described() {
    Map<String, Long> reasons =
        leftOut.values().stream()
            .collect(Collectors.groupingBy(why -> why, TreeMap::new, Collectors.counting()));
    StringBuilder text =
        new StringBuilder(String.format(Locale.ROOT, "%,d of %,d", files.size(), named()));
    reasons.forEach(
        (why, count) -> text.append(String.format(Locale.ROOT, "; left out %,d: %s", count, why)));
    return text.toString();
  }

  /** The entries of a summary, none where no files were listed. */
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    if (this != NONE) {
      Map<String, Object> numbers = new LinkedHashMap<>();
      numbers.put("named", named());
      numbers.put("read", files.size());
      numbers.put("unread", unread.size());
      numbers.put("left_out", leftOut.size());
      json.put("files", numbers);
      Map<String, String> some = new LinkedHashMap<>();
      leftOut.entrySet().stream()
          .limit(MOST_LEFT_OUT)
          .forEach(entry -> some.put(entry.getKey(), entry.getValue()));
      json.put("left_out_files", some);
    }
    json.put("unreadable_files", unread);
    return json;
  }

  /** Moves files of no bytes, which Spark skips without an error, to the unread ones. */
  public InputFiles withoutEmpty(String format) {
    Map<String, String> empty = new TreeMap<>();
    if (SIGNED_FORMATS.contains(format)) {
      files.stream()
          .filter(file -> file.size() == 0)
          .forEach(file -> empty.put(file.name(), "it has no bytes"));
    }
    return without(empty);
  }

  /** Moves files that turned out to be damaged to the unread ones. */
  public InputFiles without(Map<String, String> damaged) {
    if (damaged.isEmpty()) {
      return this;
    }
    Map<String, String> all = new TreeMap<>(unread);
    all.putAll(damaged);
    return new InputFiles(
        files.stream().filter(file -> !damaged.containsKey(file.name())).toList(), leftOut, all);
  }

  /**
   * Lists what lies under the paths. Needs no Spark session.
   *
   * @throws Refusal if a path does not exist, or a folder belongs to a table
   */
  public static InputFiles list(List<String> paths, Configuration configuration) {
    return InputListing.of(paths, configuration);
  }

  /**
   * The same files.
   *
   * @throws Refusal if there are none
   */
  InputFiles notEmpty(List<String> paths) {
    if (files.isEmpty()) {
      throw Refusal.because(
          "Cannot read input %s: it holds no file to read%s",
          Refusal.redacted(String.join(", ", paths)),
          unread.isEmpty() ? example(leftOut) : example(unread));
    }
    return this;
  }

  private static String example(Map<String, String> entries) {
    return entries.entrySet().stream()
        .findFirst()
        .map(first -> " (%s: %s)".formatted(first.getKey(), first.getValue()))
        .orElse("");
  }

  /**
   * The same files.
   *
   * @throws Refusal if the partition folders of two files differ
   */
  public InputFiles oneTable() {
    for (InputFile file : files) {
      InputFile first = files.get(0);
      if (!file.partition.keySet().equals(first.partition.keySet())) {
        throw Refusal.because(
            "Input files have different partition folders and cannot be one table: %s has %s, %s"
                + " has %s; score them in separate runs",
            first.name(), folders(first), file.name(), folders(file));
      }
    }
    return this;
  }

  private static String folders(InputFile file) {
    return file.partition.isEmpty()
        ? "none"
        : file.partition.keySet().stream().map(key -> key + "=").collect(Collectors.joining(", "));
  }

  /** Whether an entry of a folder is no data, by the rule of Spark. */
  static boolean isHidden(String name) {
    return name.startsWith(".")
        || (name.startsWith("_") && !name.contains("="))
        || name.endsWith("._COPYING_");
  }

  /** Why {@link #isHidden} leaves an entry out. */
  static String hidden(String name) {
    return name.equals("_metadata") || name.equals("_common_metadata")
        ? "footers of the files beside it"
        : "hidden name";
  }

  /** The column and the value that a folder's name gives; null if it is a plain folder. */
  static Map.Entry<String, String> partition(String folder) {
    int equals = folder.indexOf('=');
    if (equals < 1) {
      return null;
    }
    String value = folder.substring(equals + 1);
    return new AbstractMap.SimpleEntry<>(
        unescaped(folder.substring(0, equals)),
        value.equals(ExternalCatalogUtils.DEFAULT_PARTITION_NAME()) ? null : unescaped(value));
  }

  /**
   * Decodes percent escapes as bytes of UTF-8, as pyarrow writes them; escapes that are not UTF-8
   * as one character each, as Spark and Hive do.
   */
  private static String unescaped(String name) {
    Matcher escapes = ESCAPES.matcher(name);
    return escapes.replaceAll(
        escape -> {
          byte[] bytes = HexFormat.of().parseHex(escape.group().replace("%", ""));
          try {
            return Matcher.quoteReplacement(Utf8.decode(bytes));
          } catch (Utf8.Malformed e) {
            return Matcher.quoteReplacement(ExternalCatalogUtils.unescapePathName(escape.group()));
          }
        });
  }
}
