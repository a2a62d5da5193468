package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.text.Utf8;
import java.util.AbstractMap;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.catalog.ExternalCatalogUtils;

/**
 * The files under the paths that the user named. A job lists them once; planning, reading, the dry
 * run, a resumed run and the summary all use this list.
 *
 * <p>A path that exists is literal; any other path is a glob. Folders are listed with all their
 * sub-folders. A file under two of the paths is listed once.
 *
 * @param files sorted by path
 * @param excluded the paths of folder entries that are not data, with the reasons: names that Spark
 *     hides, and {@code _metadata} files, which repeat footers
 * @param unread the paths of entries that may be data but cannot be read, with the reasons
 */
public record InputFiles(
    List<InputFile> files, Map<String, String> excluded, Map<String, String> unread) {
  /** The maximum number of excluded entries that a summary names; it always gives their number. */
  private static final int MAX_LEFT_OUT = 1000;

  private static final Pattern ESCAPES = Pattern.compile("(%[0-9a-fA-F]{2})+");

  /** The formats whose files are never empty, even without rows. */
  private static final Set<String> SIGNED_FORMATS = Set.of("parquet", "orc", "avro");

  /** The beginning of the reason for excluding a link to a folder above it. */
  public static final String LOOP = "link back to ";

  /** No files: the rows come from a table, the demo or another source. */
  public static final InputFiles NONE = new InputFiles(List.of(), Map.of(), Map.of());

  /**
   * A file that holds rows.
   *
   * @param path with its scheme
   * @param size in bytes
   * @param modified the modification time in milliseconds since 1970
   * @param partition the values of its partition folders ({@code k=v}), by column; the value of
   *     Hive's default partition is null
   */
  public record InputFile(Path path, long size, long modified, Map<String, String> partition) {
    /** Returns the path for messages and records: without a password or percent encoding. */
    public String name() {
      return Refusal.redacted(path.toString());
    }
  }

  /** Returns the number of named entries that may hold rows, readable or not. */
  int named() {
    return files.size() + unread.size();
  }

  /** Returns the total size of the files in bytes. */
  public long bytes() {
    return files.stream().mapToLong(InputFile::size).sum();
  }

  /** Describes how many of the named files are read, and why other entries are excluded. */
  public String described() {
    Map<String, Long> reasons =
        excluded.values().stream()
            .collect(Collectors.groupingBy(why -> why, TreeMap::new, Collectors.counting()));
    StringBuilder text =
        new StringBuilder(String.format(Locale.ROOT, "%,d of %,d", files.size(), named()));
    reasons.forEach(
        (why, count) -> text.append(String.format(Locale.ROOT, "; left out %,d: %s", count, why)));
    return text.toString();
  }

  /** Returns the entries for the summary; {@link #NONE} has no counts. */
  public Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    if (this != NONE) {
      Map<String, Object> numbers = new LinkedHashMap<>();
      numbers.put("named", named());
      numbers.put("read", files.size());
      numbers.put("unread", unread.size());
      numbers.put("left_out", excluded.size());
      json.put("files", numbers);
      Map<String, String> some = new LinkedHashMap<>();
      excluded.entrySet().stream()
          .limit(MAX_LEFT_OUT)
          .forEach(entry -> some.put(entry.getKey(), entry.getValue()));
      json.put("left_out_files", some);
    }
    json.put("unreadable_files", unread);
    return json;
  }

  /**
   * Moves empty files to {@link #unread} if valid files of the format are never empty: Spark would
   * skip them without an error.
   */
  public InputFiles withoutEmpty(String format) {
    Map<String, String> empty = new TreeMap<>();
    if (SIGNED_FORMATS.contains(format)) {
      files.stream()
          .filter(file -> file.size() == 0)
          .forEach(file -> empty.put(file.name(), "the file is empty"));
    }
    return without(empty);
  }

  /**
   * Moves damaged files to {@link #unread}.
   *
   * @param damaged the names of the files, with the reasons
   */
  public InputFiles without(Map<String, String> damaged) {
    if (damaged.isEmpty()) {
      return this;
    }
    Map<String, String> all = new TreeMap<>(unread);
    all.putAll(damaged);
    return new InputFiles(
        files.stream().filter(file -> !damaged.containsKey(file.name())).toList(), excluded, all);
  }

  /**
   * Lists the files under the paths. Requires no Spark session.
   *
   * @throws Refusal if a path does not exist, or if a folder belongs to a table
   */
  public static InputFiles list(List<String> paths, Configuration configuration) {
    return list(paths, Optional.empty(), configuration);
  }

  /**
   * Lists the files under the paths.
   *
   * @param basePath the folder below which the names of folders are partition columns, also those
   *     in the named paths; by default only folders below the named paths and matches of globs are
   * @throws Refusal if a path does not exist or is not in {@code basePath}, or if a folder belongs
   *     to a table
   */
  public static InputFiles list(
      List<String> paths, Optional<String> basePath, Configuration configuration) {
    return InputListing.of(paths, basePath, configuration);
  }

  /**
   * Returns these files.
   *
   * @throws Refusal if no file can be read
   */
  InputFiles notEmpty(List<String> paths) {
    if (files.isEmpty()) {
      throw Refusal.because(
          "Cannot read input %s: it contains no readable file%s",
          Refusal.redacted(String.join(", ", paths)),
          unread.isEmpty() ? example(excluded) : example(unread));
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
   * Returns these files.
   *
   * @throws Refusal if the partition columns of two files differ
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

  /** Whether Spark hides a folder entry of this name. */
  static boolean isHidden(String name) {
    return name.startsWith(".")
        || (name.startsWith("_") && !name.contains("="))
        || name.endsWith("._COPYING_");
  }

  /** Returns the reason for excluding a hidden entry. */
  static String hiddenReason(String name) {
    return name.equals("_metadata") || name.equals("_common_metadata")
        ? "footers of the files in the same folder"
        : "hidden name";
  }

  /** Parses the name of a partition folder to its column and value; null for a plain folder. */
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
   * Decodes percent escapes as UTF-8 bytes, the form that pyarrow writes. Escapes that are not
   * UTF-8 are decoded as one character each, as in Spark and Hive.
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
