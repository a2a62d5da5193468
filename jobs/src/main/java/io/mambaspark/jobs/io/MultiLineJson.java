package io.mambaspark.jobs.io;

import com.fasterxml.jackson.core.JsonFactoryBuilder;
import com.fasterxml.jackson.core.JsonLocation;
import com.fasterxml.jackson.core.JsonParser;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.JsonToken;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.FileContent;
import io.mambaspark.jobs.spark.TaskFailure;
import java.io.IOException;
import java.io.InputStream;
import java.io.InputStreamReader;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.SparkEnv;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.deploy.SparkHadoopUtil;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.execution.datasources.CodecStreams;

/**
 * Finds the JSON files that Spark's reader of multi-line JSON would not read completely. Such a
 * file must be one object or one list of objects: Spark ignores what follows the first value, and
 * it cannot read a part of a file that is not valid JSON.
 */
final class MultiLineJson {
  /** An extension of JSON, and whether Spark allows it by default. */
  private record Extension(JsonReadFeature feature, boolean byDefault) {}

  /** The extensions by the names of Spark's options. */
  private static final Map<String, Extension> EXTENSIONS =
      Map.of(
          "allowComments",
          new Extension(JsonReadFeature.ALLOW_JAVA_COMMENTS, false),
          "allowUnquotedFieldNames",
          new Extension(JsonReadFeature.ALLOW_UNQUOTED_FIELD_NAMES, false),
          "allowSingleQuotes",
          new Extension(JsonReadFeature.ALLOW_SINGLE_QUOTES, true),
          "allowNumericLeadingZeros",
          new Extension(JsonReadFeature.ALLOW_LEADING_ZEROS_FOR_NUMBERS, false),
          "allowNonNumericNumbers",
          new Extension(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS, true),
          "allowBackslashEscapingAnyCharacter",
          new Extension(JsonReadFeature.ALLOW_BACKSLASH_ESCAPING_ANY_CHARACTER, false),
          "allowUnquotedControlChars",
          new Extension(JsonReadFeature.ALLOW_UNESCAPED_CONTROL_CHARS, false));

  private MultiLineJson() {}

  /** Parses all files, and moves those that cannot be read to the unread ones. */
  static InputFiles readable(SparkSession spark, InputFiles listed, SparkOptions options) {
    JavaSparkContext context = JavaSparkContext.fromSparkContext(spark.sparkContext());
    context.setJobDescription("Checking %,d JSON files".formatted(listed.files().size()));
    List<String> paths = listed.files().stream().map(file -> file.path().toString()).toList();
    int tasks = Math.min(paths.size(), SourceInput.TASKS_PER_CORE * context.defaultParallelism());
    Map<String, String> given = options.values();
    List<String> problems =
        context.parallelize(paths, tasks).map(path -> problem(new Path(path), given)).collect();
    context.setJobDescription(null);
    Map<String, String> broken = new TreeMap<>();
    for (int i = 0; i < problems.size(); i++) {
      InputFile file = listed.files().get(i);
      if (problems.get(i) != null) {
        broken.put(file.name(), problems.get(i));
      }
    }
    return listed.without(broken).notEmpty(paths.subList(0, 1));
  }

  /** Returns the reason why a file cannot be read; null if it can be. */
  private static String problem(Path path, Map<String, String> options) {
    Configuration hadoop = SparkHadoopUtil.get().newConfiguration(SparkEnv.get().conf());
    try (InputStream in = CodecStreams.createInputStream(hadoop, path);
        JsonParser parser = parser(in, options)) {
      return problem(parser);
    } catch (JsonProcessingException e) {
      return "invalid JSON at %s: %s"
          .formatted(
              place(e.getLocation()),
              Failures.firstLine(e.getOriginalMessage()).replaceFirst(" \\(start marker .*", ""));
    } catch (IOException | RuntimeException e) {
      String cause = Failures.cause(e, path.toString());
      if (!FileContent.isBad(e, path, 0, Long.MAX_VALUE, hadoop)) {
        throw new TaskFailure("Cannot read %s: %s".formatted(path, cause), e);
      }
      return cause;
    }
  }

  private static JsonParser parser(InputStream in, Map<String, String> options) throws IOException {
    SparkOptions given = new SparkOptions(options);
    JsonFactoryBuilder builder =
        new JsonFactoryBuilder().enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION);
    EXTENSIONS.forEach(
        (key, extension) -> {
          String value = given.values().get(key);
          builder.configure(
              extension.feature, value == null ? extension.byDefault : Boolean.parseBoolean(value));
        });
    String encoding = given.values().getOrDefault("encoding", given.values().get("charset"));
    return encoding == null
        ? builder.build().createParser(in)
        : builder.build().createParser(new InputStreamReader(in, encoding));
  }

  private static String problem(JsonParser parser) throws IOException {
    JsonToken root = parser.nextToken();
    if (root == JsonToken.START_ARRAY) {
      while (parser.nextToken() != JsonToken.END_ARRAY) {
        if (parser.currentToken() != JsonToken.START_OBJECT) {
          return "found a value at %s; expected a list of objects only"
              .formatted(place(parser.currentTokenLocation()));
        }
        parser.skipChildren();
      }
    } else if (root == JsonToken.START_OBJECT) {
      parser.skipChildren();
    } else if (root != null) {
      return "found a single value; expected an object or a list of objects";
    }
    return parser.nextToken() == null
        ? null
        : "found a second value at %s; expected one object or one list of objects; give the file"
                .formatted(place(parser.currentTokenLocation()))
            + " without multiLine if it has one object a line";
  }

  private static String place(JsonLocation at) {
    return "line %d, column %d".formatted(at.getLineNr(), at.getColumnNr());
  }
}
