package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.SessionSettings;
import java.nio.charset.Charset;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.regex.Pattern;

/**
 * Options that the user passes to Spark's reader or writer. Keys that the job relies on, and keys
 * that would have no effect, are refused.
 *
 * @param values the values by key; the case of keys does not count, as in Spark
 */
public record SparkOptions(Map<String, String> values) {
  /** No options. */
  public static final SparkOptions NONE = new SparkOptions(Map.of());

  static final String BASE_PATH = "basePath";
  static final String MULTI_LINE = "multiLine";
  public static final String MAX_RECORDS = "maxRecordsPerFile";

  /** The names of options whose values must not be shown: those of Spark's redaction, and more. */
  private static final Pattern SECRET =
      Pattern.compile("(?i)secret|pass|pwd|token|key|cred|jaas|auth|url|uri|sas|encryption");

  private static final String LISTED = "the job lists the files itself; name the files in --input";
  private static final String SKIPS = "it would skip input without an error";
  private static final String PLACE = "the job sets the place; use --input or --output";

  private static final Map<Option<?>, String> EXAMPLES =
      Map.of(
          Options.INPUT_OPTION, "header=true",
          Options.OUTPUT_OPTION, "compression=zstd",
          Options.TABLE_PROPERTY, "write.format.default=orc");

  private static final Set<String> CHARACTER_SETS = Set.of("encoding", "charset");

  /** The refused keys, with the reasons and the remedies. */
  private static final Map<String, String> REFUSED =
      ignoringCase(
          Map.ofEntries(
              Map.entry("mode", "the job reports rows that cannot be read; see --on-error"),
              Map.entry("columnNameOfCorruptRecord", "the job reads this column; omit the option"),
              Map.entry("pathGlobFilter", LISTED),
              Map.entry("recursiveFileLookup", "the job always reads sub-folders"),
              Map.entry("modifiedBefore", LISTED),
              Map.entry("modifiedAfter", LISTED),
              Map.entry("mergeSchema", "the job always joins the columns of all files"),
              Map.entry("ignoreCorruptFiles", SKIPS),
              Map.entry("ignoreMissingFiles", SKIPS),
              Map.entry("ignoreInvalidPartitionPaths", SKIPS),
              Map.entry("ignoreExtension", SKIPS),
              Map.entry("columnPruning", "the job compares each record with all columns"),
              Map.entry("path", PLACE),
              Map.entry("paths", PLACE),
              Map.entry("__globPaths__", PLACE)));

  private static final Set<String> COMPRESSION = ignoringCase("compression", "codec");

  /** The options that the job can use where it reads files itself, by format. */
  private static final Map<String, Set<String>> READ =
      Map.of(
          "parquet", ignoringCase(BASE_PATH, "datetimeRebaseMode", "int96RebaseMode"),
          "json", ignoringCase(BASE_PATH, MULTI_LINE),
          "orc", ignoringCase(BASE_PATH));

  /** The options of the writers, by format; those with a prefix {@code FORMAT.} are added. */
  private static final Map<String, Set<String>> WRITTEN =
      Map.of(
          "parquet", ignoringCase("compression", MAX_RECORDS),
          "orc", ignoringCase("compression", MAX_RECORDS),
          "json",
              ignoringCase(
                  "compression",
                  MAX_RECORDS,
                  "dateFormat",
                  "timestampFormat",
                  "timestampNTZFormat",
                  "timeZone",
                  "locale",
                  "lineSep",
                  "ignoreNullFields",
                  "writeNonAsciiCharacterAsCodePoint"));

  /** Copies the values. */
  public SparkOptions {
    values = Collections.unmodifiableMap(ignoringCase(values));
  }

  private static Map<String, String> ignoringCase(Map<String, String> values) {
    Map<String, String> sorted = new TreeMap<>(String.CASE_INSENSITIVE_ORDER);
    sorted.putAll(values);
    return sorted;
  }

  private static Set<String> ignoringCase(String... keys) {
    Set<String> sorted = new TreeSet<>(String.CASE_INSENSITIVE_ORDER);
    sorted.addAll(List.of(keys));
    return sorted;
  }

  /**
   * Reads {@code --input-option}.
   *
   * @param format the format of files; null for a table or another source, whose options the job
   *     does not know
   */
  static SparkOptions ofInput(OptionValues values, String format) {
    SparkOptions options = parse(Options.INPUT_OPTION, values);
    String flag = Options.INPUT_OPTION.flag();
    for (String key : options.values.keySet()) {
      if (SessionSettings.skipsInput(key)) {
        throw reserved(flag, key, SKIPS);
      }
    }
    return format == null ? options : options.checkFiles(flag, format);
  }

  private SparkOptions checkFiles(String flag, String format) {
    for (String key : values.keySet()) {
      if (key.contains(".")) {
        throw Refusal.wrongUsage(
            "%s %s is a setting of Hadoop, not an option of a reader; give spark-submit --conf"
                + " spark.hadoop.%s=VALUE",
            flag, key, key);
      }
      if (COMPRESSION.contains(key)) {
        throw reserved(flag, key, "Spark recognises compressed files by the ends of their names");
      }
    }
    if (READ.containsKey(format) && !(format.equals("json") && isMultiLine())) {
      checkKnown(
          flag,
          READ.get(format),
          "the job reads %s files itself, so that no value is lost, and uses only"
              .formatted(format),
          format.equals("json") ? "; with multiLine=true, Spark reads the files" : "");
    }
    return this;
  }

  /** Reads {@code --output-option}. */
  static SparkOptions ofOutput(OptionValues values, String format) {
    SparkOptions options = parse(Options.OUTPUT_OPTION, values);
    Set<String> known = ignoringCase(WRITTEN.get(format).toArray(String[]::new));
    options.values.keySet().stream()
        .filter(key -> key.toLowerCase(Locale.ROOT).startsWith(format + "."))
        .forEach(known::add);
    options.checkKnown(
        Options.OUTPUT_OPTION.flag(),
        known,
        "the job writes %s with these options only:".formatted(format),
        format.equals("json") ? "" : ", and keys that begin with %s.".formatted(format));
    return options;
  }

  private void checkKnown(String flag, Set<String> known, String what, String more) {
    for (String key : values.keySet()) {
      if (!known.contains(key)) {
        throw Refusal.wrongUsage(
            "%s %s has no effect: %s %s%s", flag, key, what, String.join(", ", known), more);
      }
    }
  }

  private static Refusal reserved(String flag, String key, String why) {
    return Refusal.wrongUsage("%s %s cannot be set: %s", flag, key, why);
  }

  /** Reads an option whose words are {@code KEY=VALUE}. */
  static SparkOptions parse(Option<List<String>> option, OptionValues given) {
    Map<String, String> values = ignoringCase(Map.of());
    for (String word : given.get(option)) {
      int equals = word.indexOf('=');
      String key = equals < 0 ? word : word.substring(0, equals).strip();
      if (equals < 0 || key.isEmpty()) {
        // The rest of the word may be a password.
        throw Refusal.wrongUsage(
            "%s %s: expected KEY=VALUE, such as %s",
            option.flag(),
            equals < 0 ? word.replaceFirst("[^\\w.-].*", "…") : "=…",
            EXAMPLES.get(option));
      }
      if (REFUSED.containsKey(key)) {
        throw reserved(option.flag(), key, REFUSED.get(key));
      }
      if (CHARACTER_SETS.contains(key.toLowerCase(Locale.ROOT))) {
        checkCharacterSet(option.flag(), key, word.substring(equals + 1));
      }
      if (values.put(key, word.substring(equals + 1)) != null) {
        throw Refusal.wrongUsage(
            "%s %s is given twice; keys are equal whatever their case", option.flag(), key);
      }
    }
    return new SparkOptions(values);
  }

  private static void checkCharacterSet(String flag, String key, String name) {
    try {
      Charset.forName(name);
    } catch (IllegalArgumentException e) {
      throw Refusal.wrongUsage(
          "%s %s=%s: Java has no character set of this name; give one such as UTF-8 or ISO-8859-1",
          flag, key, name);
    }
  }

  /** Whether a JSON value may take many lines, so that a file can only be read as a whole. */
  public boolean isMultiLine() {
    String value = values.getOrDefault(MULTI_LINE, "false").toLowerCase(Locale.ROOT);
    if (!value.equals("true") && !value.equals("false")) {
      throw Refusal.wrongUsage(
          "%s %s=%s: expected true or false", Options.INPUT_OPTION.flag(), MULTI_LINE, value);
    }
    return value.equals("true");
  }

  /** The folder below which the names of folders are partition columns; empty if not given. */
  public Optional<String> basePath() {
    return Optional.ofNullable(values.get(BASE_PATH));
  }

  public boolean has(String key) {
    return values.containsKey(key);
  }

  /** Returns the values, and a default for a key that is not given. */
  SparkOptions withDefault(String key, Object value) {
    Map<String, String> all = ignoringCase(values);
    all.putIfAbsent(key, value.toString());
    return new SparkOptions(all);
  }

  /** Returns the options of the reader of files; the job has used {@value #BASE_PATH}. */
  public Map<String, String> ofFiles() {
    Map<String, String> all = ignoringCase(values);
    all.remove(BASE_PATH);
    return all;
  }

  /**
   * Returns the options for summaries and for a run's identity, in the order of their keys. Of a
   * secret, it shows a short hash, by which a change is noticed.
   */
  public List<String> shown() {
    return values.entrySet().stream()
        .map(
            entry -> {
              String key = entry.getKey().toLowerCase(Locale.ROOT);
              return key
                  + "="
                  + (SECRET.matcher(key).find()
                      ? "*********(redacted, hash %s)".formatted(hash(entry.getValue()))
                      : entry.getValue());
            })
        .toList();
  }

  /** Returns 16 bits of the hash: too few to find the value by trying words. */
  private static String hash(String value) {
    try {
      byte[] hash =
          MessageDigest.getInstance("SHA-256").digest(value.getBytes(StandardCharsets.UTF_8));
      return HexFormat.of().formatHex(hash, 0, 2);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
