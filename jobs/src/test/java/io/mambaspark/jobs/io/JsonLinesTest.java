package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.core.JsonFactory;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.StreamReadFeature;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.TestSpark;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class JsonLinesTest {
  private static final StructType PLAN =
      StructType.fromDDL(
          "text binary, id string, n bigint, x double, big decimal(38,0), ok boolean,"
              + " tokens array<bigint>, meta struct<url:string,score:double,tags:array<string>>");
  private static final int ID = 1;

  private final JsonLines lines = new JsonLines(PLAN, Set.of("text"), false);

  private static byte[] bytes(String line) {
    return line.getBytes(StandardCharsets.UTF_8);
  }

  private JsonLines.Line read(String line) {
    return lines.read(bytes(line));
  }

  private Object value(String column, String json) {
    JsonLines.Line line = read("{\"" + column + "\":" + json + "}");
    assertThat(error(line)).isNull();
    return line.values()[PLAN.fieldIndex(column)];
  }

  private String errorOfValue(String column, String json) {
    JsonLines.Line line = read("{\"id\":\"a\",\"" + column + "\":" + json + ",\"ok\":true}");
    assertThat(line.values()[ID]).isEqualTo("a");
    assertThat(line.values()[PLAN.fieldIndex("ok")]).isEqualTo(true);
    assertThat(line.values()[PLAN.fieldIndex(column)]).isNull();
    return error(line);
  }

  /** The message of a line's error; null if the line is valid. */
  private static String error(JsonLines.Line line) {
    return line.error() == null ? null : line.error().message();
  }

  private static String malformed(String rest) {
    return "Input line is malformed: " + rest;
  }

  @Test
  void every_line_with_content_is_a_row_and_an_invalid_line_has_an_error() throws IOException {
    Map<String, String> errors = new LinkedHashMap<>();
    byte[] file = getClass().getResourceAsStream("json-lines.jsonl").readAllBytes();
    int number = 0;
    for (byte[] bytes : split(file)) {
      number++;
      JsonLines.Line line = lines.read(bytes);
      if (line != null) {
        errors.put(number + " " + line.values()[ID], String.valueOf(error(line)));
      }
    }
    assertThat(errors)
        .containsExactly(
            Map.entry("1 ok", "null"),
            Map.entry(
                "2 cut",
                malformed(
                    "found the end of the line in the string that begins at character 20;"
                        + " expected '\"'")),
            Map.entry("5 null", malformed("found null at character 1; expected one JSON object")),
            Map.entry("6 null", malformed("found not at character 1; expected one JSON object")),
            Map.entry("7 missing", "null"),
            Map.entry("8 null", "null"),
            Map.entry("9 empty", "null"),
            Map.entry(
                "10 number", "Text is not a string: found a number at character 23 in column text"),
            Map.entry(
                "11 object",
                "Text is not a string: found an object at character 23 in column text"),
            Map.entry(
                "12 list", "Text is not a string: found a list at character 21 in column text"),
            Map.entry(
                "13 bool", "Text is not a string: found a boolean at character 21 in column text"),
            Map.entry(
                "14 surrogate",
                malformed("found the lone surrogate \\ud83d at character 33; expected a pair")),
            Map.entry("15 pair", "null"),
            Map.entry("16 nul", "null"),
            Map.entry(
                "17 rawnul",
                malformed(
                    "found U+0000 at character 25, inside a string; expected the escape"
                        + " \\u0000")),
            Map.entry("18 latin1", malformed("found byte 0xE9 at offset 26; expected UTF-8")),
            Map.entry(
                "19 null",
                malformed("found a single quote at character 2; expected a key in double quotes")),
            Map.entry(
                "20 comma",
                malformed("found '}' at character 26; expected a key in double quotes")),
            Map.entry("21 nan", "null"),
            Map.entry(
                "22 null",
                malformed(
                    "found '[' at character 1; expected one JSON object; jq -c '.[]' writes each"
                        + " element of a list on one line")),
            Map.entry(
                "23 two", malformed("found '{' at character 24; expected the end of the line")),
            Map.entry(
                "24 rawtab",
                malformed(
                    "found U+0009 at character 25, inside a string; expected the escape"
                        + " \\u0009")),
            Map.entry("25 crlf", "null"),
            Map.entry("26 fffe", "null"),
            Map.entry("27 last", "null"));
    errors.values().stream()
        .filter(e -> !e.equals("null"))
        .forEach(
            e ->
                assertThat(RowError.fromWritten(e).kind())
                    .isIn(RowError.Kind.MALFORMED_INPUT, RowError.Kind.NOT_TEXT));
  }

  private static List<byte[]> split(byte[] file) {
    List<byte[]> lines = new ArrayList<>();
    int begin = 0;
    for (int i = 0; i <= file.length; i++) {
      if (i == file.length || file[i] == '\n') {
        lines.add(Arrays.copyOfRange(file, begin, i));
        begin = i + 1;
      }
    }
    return lines;
  }

  @ParameterizedTest
  @ValueSource(strings = {"", " ", "\t\r", "\uFEFF", "\uFEFF \r", "\f"})
  void blank_lines_are_skipped(String line) {
    assertThat(read(line)).isNull();
  }

  @ParameterizedTest
  @ValueSource(strings = {"\0", "\u00a0", "0", "\"\"", "null", "[]", "{}", "x"})
  void any_other_line_is_a_row(String line) {
    assertThat(read(line)).isNotNull();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "{|found the end of the line; expected a key in double quotes or '}'",
        "{\"id\"|found the end of the line; expected ':'",
        "{\"id\":|found the end of the line; expected a value",
        "{\"id\":1|found the end of the line; expected ',' or '}'",
        "{\"id\":1,|found the end of the line; expected a key in double quotes",
        "{\"id\" 1}|found 1 at character 7; expected ':'",
        "{\"id\":[1,]}|found ']' at character 10; expected a value",
        "{\"id\":[1 2]}|found 2 at character 10; expected ',' or ']'",
        "{\"id\":01}|found 1 at character 8; expected ',' or '}'",
        "{\"id\":1.}|found '}' at character 9; expected a digit",
        "{\"id\":+1}|found '+' at character 7; expected a value",
        "{\"id\":True}|found True at character 7; expected a value",
        "{\"id\":nan}|found nan at character 7; expected a value",
        "{\"id\":\"\\x\"}|found x at character 9; expected a JSON escape after '\\'",
        "{\"id\":\"\\u12g4\"}|found g4 at character 12; expected four hexadecimal digits after"
            + " \\u",
        "{\"id\":1}//|found '/' at character 9; expected the end of the line",
        "{\"é\":😀}|found U+1F600 at character 6; expected a value",
      })
  void an_error_names_the_unexpected_text_and_its_place(String line, String error) {
    assertThat(error(read(line))).isEqualTo(malformed(error));
  }

  @Test
  void columns_before_the_error_are_kept() {
    JsonLines.Line line = read("{\"id\":\"a\",\"n\":7,\"tokens\":[1,2");
    assertThat(line.values()).containsExactly(null, "a", 7L, null, null, null, null, null);
  }

  @Test
  void a_line_that_is_not_utf8_is_kept_with_replacement_characters() {
    byte[] latin1 = "{\"text\":\"caf\u00e9\",\"id\":\"b\"}".getBytes(StandardCharsets.ISO_8859_1);
    JsonLines.Line line = lines.read(latin1);
    assertThat(error(line)).isEqualTo(malformed("found byte 0xE9 at offset 12; expected UTF-8"));
    assertThat((byte[]) line.values()[0]).isEqualTo(bytes("caf\uFFFD"));
    assertThat(line.values()[ID]).isEqualTo("b");
  }

  @ParameterizedTest
  @CsvSource(
      quoteCharacter = '`',
      value = {
        "a\\ud83db,11,a\uFFFDb",
        "a\\ude00b,11,a\uFFFDb",
        "\\ud83d\\ud83d\\ude00,10,\uFFFD😀",
        "\\ud83d\\n,10,`\uFFFD\n`",
        "\\udE00\\uD83d,10,\uFFFD\uFFFD"
      })
  void a_lone_surrogate_is_an_error_in_any_key_or_value(String escaped, int at, String kept) {
    JsonLines.Line line = read("{\"text\":\"" + escaped + "\",\"id\":\"c\"}");
    String surrogate = escaped.replaceFirst("^a", "").substring(0, 6);
    String error = "found the lone surrogate %s at character %%d; expected a pair";
    assertThat(error(line)).isEqualTo(malformed(error.formatted(surrogate).formatted(at)));
    assertThat((byte[]) line.values()[0]).isEqualTo(bytes(kept));
    assertThat(line.values()[ID]).isEqualTo("c");
    assertThat(error(read("{\"other\":[{\"" + escaped + "\":1}],\"id\":\"c\"}")))
        .isEqualTo(malformed(error.formatted(surrogate).formatted(at + 3)));
  }

  @Test
  void a_duplicate_key_is_an_error_at_any_depth() {
    String error = "found key \"id\" again at character %d; expected each key once";
    JsonLines.Line line = read("{\"id\":\"a\",\"id\":\"b\",\"n\":3}");
    assertThat(error(line)).isEqualTo(malformed(error.formatted(11)));
    assertThat(line.values()).containsExactly(null, "a", 3L, null, null, null, null, null);
    assertThat(error(read("{\"o\":[{\"id\":1,\"id\":2}]}")))
        .isEqualTo(malformed(error.formatted(15)));
    assertThat(error(read("{\"i\\u0064\":1,\"id\":2}"))).isEqualTo(malformed(error.formatted(14)));
    assertThat(error(read("{\"o\":{\"id\":1},\"p\":{\"id\":1},\"id\":\"a\"}"))).isNull();
    assertThat(error(read("{\"k\":1,\"" + "k".repeat(500) + "\":1,\"" + "k".repeat(500) + "\":1}")))
        .isEqualTo(
            malformed(
                "found key \"%s…\" again at character 513; expected each key once"
                    .formatted("k".repeat(40))));
  }

  @Test
  void names_are_matched_under_the_case_rule() {
    assertThat(read("{\"ID\":\"a\",\"META\":{\"Url\":\"u\"}}").values())
        .containsExactly(
            null, "a", null, null, null, null, null, RowFactory.create("u", null, null));
    assertThat(error(read("{\"id\":\"a\",\"ID\":\"b\"}")))
        .isEqualTo(
            malformed(
                "found key \"ID\" again at character 11; expected each key once, whatever its"
                    + " case"));
    assertThat(error(read("{\"other\":\"a\",\"Other\":\"b\"}"))).isNull();
    JsonLines exact = new JsonLines(StructType.fromDDL("id string, ID string"), Set.of(), true);
    assertThat(exact.read(bytes("{\"id\":\"a\",\"ID\":\"b\",\"Id\":\"c\"}")))
        .satisfies(line -> assertThat(error(line)).isNull())
        .satisfies(line -> assertThat(line.values()).containsExactly("a", "b"));
  }

  @Test
  void missing_keys_and_nulls_are_null() {
    JsonLines.Line line = read("{\"text\":null,\"tokens\":null,\"meta\":null,\"n\":null}");
    assertThat(error(line)).isNull();
    assertThat(line.values()).containsOnlyNulls();
  }

  @Test
  void values_are_read_without_a_change() {
    assertThat((byte[]) value("text", "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u0000é😀\""))
        .isEqualTo(bytes("\"\\/\b\f\n\r\té\0é😀"));
    assertThat(value("n", "-9223372036854775808")).isEqualTo(Long.MIN_VALUE);
    assertThat(value("n", "1.0")).isEqualTo(1L);
    assertThat(value("n", "1e3")).isEqualTo(1000L);
    assertThat(value("n", "-0")).isEqualTo(0L);
    assertThat(value("n", "0e999999999")).isEqualTo(0L);
    assertThat(value("x", "0.1")).isEqualTo(0.1);
    assertThat(value("x", "9007199254740992")).isEqualTo(9007199254740992.0);
    assertThat(value("x", "100000000000000000000000")).isEqualTo(1e23);
    assertThat(value("x", "0.12345678901234567890")).isEqualTo(0.12345678901234568);
    assertThat(value("x", "NaN")).isEqualTo(Double.NaN);
    assertThat(value("x", "Infinity")).isEqualTo(Double.POSITIVE_INFINITY);
    assertThat(value("x", "-Infinity")).isEqualTo(Double.NEGATIVE_INFINITY);
    assertThat(value("big", "12345678901234567890123456789012345678"))
        .isEqualTo(new BigDecimal("12345678901234567890123456789012345678"));
    assertThat(value("big", "1e20")).isEqualTo(new BigDecimal("100000000000000000000"));
    assertThat(value("ok", "false")).isEqualTo(false);
    assertThat((Object[]) value("tokens", "[1, 2,null,3.0]")).containsExactly(1L, 2L, null, 3L);
    assertThat((Object[]) value("tokens", "[ ]")).isEmpty();
    assertThat((Row) value("meta", "{\"score\":2,\"more\":[{}],\"tags\":[\"a\",1,null]}"))
        .satisfies(
            row -> {
              assertThat(row.get(0)).isNull();
              assertThat(row.get(1)).isEqualTo(2.0);
              assertThat((Object[]) row.get(2)).containsExactly("a", "1", null);
            });
    for (String any : List.of("1.10", "1e3", "NaN", "true", "[1, \"a\"]", "{ \"a\":0.10 }")) {
      assertThat(value("id", any)).isEqualTo(any);
    }
  }

  @Test
  void a_value_of_another_type_is_an_error_and_the_other_columns_are_kept() {
    String integer = "expected an integer of 64 bits in column ";
    assertThat(errorOfValue("n", "\"7\""))
        .isEqualTo(malformed("found \"7\" at character 15; " + integer + "n"));
    for (String n : List.of("1.5", "9223372036854775808", "1e99", "1e999999999", "1e-999999999")) {
      assertThat(errorOfValue("n", n))
          .isEqualTo(malformed("found " + n + " at character 15; " + integer + "n"));
    }
    assertThat(errorOfValue("n", "NaN")).contains("found NaN at");
    assertThat(errorOfValue("n", "1e99999999999")).contains("found 1e99999999999 at");
    assertThat(errorOfValue("tokens", "[1,\"a\",[2]]"))
        .isEqualTo(malformed("found \"a\" at character 23; " + integer + "tokens"));
    assertThat(errorOfValue("tokens", "\"1 2\""))
        .isEqualTo(malformed("found \"1 2\" at character 20; expected a list in column tokens"));
    assertThat(errorOfValue("tokens", "{\"a\":1}"))
        .isEqualTo(malformed("found {\"a\":1} at character 20; expected a list in column tokens"));
    assertThat(errorOfValue("meta", "{\"score\":\"high\",\"url\":\"u\"}"))
        .isEqualTo(
            malformed(
                "found \"high\" at character 27; expected a number that a double holds in column"
                    + " meta"));
    assertThat(errorOfValue("meta", "[]"))
        .isEqualTo(malformed("found [] at character 18; expected an object in column meta"));
    for (String x : List.of("9007199254740993", "1e400", "-1e400", "1" + "0".repeat(38) + "1")) {
      assertThat(errorOfValue("x", x))
          .isEqualTo(
              malformed(
                  "found %s at character 15; expected a number that a double holds in column x"
                      .formatted(x.length() > 40 ? x.substring(0, 40) + "…" : x)));
    }
    assertThat(errorOfValue("big", "1" + "0".repeat(38)))
        .isEqualTo(
            malformed(
                "found 1%s at character 17; expected a number that decimal(38,0) holds in column"
                        .formatted("0".repeat(38))
                    + " big"));
    assertThat(errorOfValue("big", "0.5")).contains("found 0.5 at");
    assertThat(error(read("{\"ok\":1}")))
        .isEqualTo(malformed("found 1 at character 7; expected true or false in column ok"));
    JsonLines.Line text = read("{\"text\":[\"a\"],\"id\":\"a\"}");
    assertThat(text.values()).startsWith(null, "a");
    assertThat(error(text))
        .isEqualTo("Text is not a string: found a list at character 9 in column text");
  }

  @Test
  void only_the_first_mistake_is_reported_with_a_short_excerpt() {
    assertThat(error(read("{\"n\":\"a\",\"text\":7,\"id\"")))
        .isEqualTo(
            malformed("found \"a\" at character 6; expected an integer of 64 bits in column n"));
    for (String line :
        List.of(
            "{\"n\":\"" + "x\u2028".repeat(5000) + "\"}",
            "{\"n\":[" + "1,".repeat(5000) + "1]}",
            "y".repeat(5000),
            "{\"n\":" + "9".repeat(5000) + "}",
            "{\"n\":" + "\\n".repeat(5000) + "}")) {
      assertThat(error(read(line))).hasSizeLessThan(170).doesNotContain("\n", "\u2028");
    }
  }

  @Test
  void lines_may_be_long_and_deep() {
    String text = "x".repeat(21_000_000);
    assertThat((byte[]) value("text", "\"" + text + "\"")).hasSize(text.length());
    assertThat(read("{\"" + text + "\":1,\"id\":\"a\"}").values()[ID]).isEqualTo("a");
    String digits = "1".repeat(200_000);
    assertThat(value("id", digits)).isEqualTo(digits);
    assertThat(errorOfValue("n", digits)).startsWith("Input line is malformed: found 1111");
    assertThat(errorOfValue("x", digits)).startsWith("Input line is malformed: found 1111");
    assertThat(value("x", "0." + digits)).isEqualTo(1.0 / 9);
    String deep = "[".repeat(999) + "]".repeat(999);
    assertThat(value("id", deep)).isEqualTo(deep);
    for (String open : List.of("[", "{\"a\":")) {
      JsonLines.Line line = read("{\"id\":\"a\",\"other\":" + open.repeat(1_000_000));
      assertThat(line.values()[ID]).isEqualTo("a");
      assertThat(error(line))
          .isEqualTo(
              malformed(
                  "found a value in more than 1000 lists and objects at character %d; expected at"
                          .formatted(19 + 999 * open.length())
                      + " most 1000"));
    }
  }

  private static final ObjectMapper JACKSON =
      new ObjectMapper(
              JsonFactory.builder()
                  .enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS)
                  .enable(StreamReadFeature.STRICT_DUPLICATE_DETECTION)
                  .build())
          .enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS)
          .enable(DeserializationFeature.USE_BIG_DECIMAL_FOR_FLOATS);

  private static final List<String> SOURCES =
      List.of(
          "{\"id\":\"a\\u00e9\\ud83d\\ude00\\n\",\"n\":-12,\"x\":1.5e-3,\"ok\":true,\"text\":\"é😀 z\"}",
          "{ \"tokens\" : [1, 2,null , 30] ,\"meta\":{\"url\":null,\"score\":0.25,\"tags\":[]}}",
          "{\"id\":[{\"a\":[false,{}]},\"\\\\\\\"\"],\"big\":123456789012345678901,\"x\":-Infinity,"
              + "\"n\":NaN}");

  /** Jackson's parser is the oracle for valid JSON. */
  @Test
  void random_lines_never_throw_and_are_valid_only_if_jackson_parses_them() throws IOException {
    long seed = 13;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    JsonLines strings =
        new JsonLines(
            StructType.fromDDL("id string, n string, x string, tokens string, big string"),
            Set.of(),
            true);
    int valid = 0;
    for (int i = 0; i < 12_000; i++) {
      byte[] line = mutated(random, bytes(SOURCES.get(i % SOURCES.size())));
      JsonLines.Line typed = lines.read(line);
      JsonLines.Line read = strings.read(line);
      new JsonTypes().add(line);
      if (read == null) {
        assertThat(typed).isNull();
        continue;
      }
      if (typed.error() != null) {
        assertThat(typed.error().kind()).isNotNull();
        assertThat(error(typed)).hasSizeLessThan(170).doesNotContain("\n", "\r");
      }
      String text = new String(line, StandardCharsets.UTF_8);
      if (!Arrays.equals(bytes(text), line)) {
        assertThat(error(read)).startsWith(malformed("found byte 0x"));
        continue;
      }
      // Jackson also parses these as infinities, and refuses numbers that exceed its BigDecimal.
      if (text.contains("INF") || text.contains("+I") || text.matches("(?s).*[eE][+-]?\\d{9}.*")) {
        continue;
      }
      JsonNode expected = jackson(text);
      if (expected == null) {
        assertThat(error(read)).as(text).isNotNull();
        continue;
      }
      if (read.error() != null) {
        assertThat(error(read)).as(text).contains("the lone surrogate");
        continue;
      }
      valid++;
      for (String column : List.of("id", "n", "x", "tokens", "big")) {
        Object value = read.values()[List.of("id", "n", "x", "tokens", "big").indexOf(column)];
        JsonNode node = expected.get(column);
        if (node == null || node.isNull()) {
          assertThat(value).as(text).isNull();
        } else if (node.isTextual()) {
          assertThat(value).as(text).isEqualTo(node.textValue());
        } else {
          assertThat(JACKSON.readTree((String) value)).as(text).isEqualTo(node);
        }
      }
    }
    assertThat(valid).isGreaterThan(2_000);
  }

  private static JsonNode jackson(String text) throws IOException {
    try {
      JsonNode node = JACKSON.readTree(text.startsWith("\uFEFF") ? text.substring(1) : text);
      return node.isObject() ? node : null;
    } catch (JsonProcessingException e) {
      return null;
    }
  }

  private static byte[] mutated(Random random, byte[] line) {
    byte[] alphabet = bytes("{}[]\":,\\/ \t\r\0\u007f019-+.eEuntfNI'da é");
    byte[] current = line;
    for (int n = random.nextInt(4); n > 0; n--) {
      int at = random.nextInt(current.length + 1);
      int to = Math.min(current.length, at + random.nextInt(4));
      ByteArrayOutputStream next = new ByteArrayOutputStream();
      next.write(current, 0, at);
      switch (random.nextInt(4)) {
        case 0 -> next.write(current, to, current.length - to);
        case 1 -> {
          next.write(alphabet[random.nextInt(alphabet.length)]);
          next.write(current, at, current.length - at);
        }
        case 2 -> {
          next.write(random.nextInt(256));
          next.write(current, to, current.length - to);
        }
        default -> {
          next.write(current, at, to - at);
          next.write(current, at, current.length - at);
        }
      }
      current = next.toByteArray();
      if (current.length == 0) {
        break;
      }
    }
    return current;
  }

  @Test
  void every_prefix_of_a_line_is_an_error_and_the_columns_before_it_are_kept() {
    String line =
        "{\"id\":\"a\",\"n\":12,\"text\":\"é\\n😀\",\"tokens\":[1,2],\"meta\":{\"url\":\"u\"},\"x\":NaN}";
    byte[] complete = bytes(line);
    for (int end = 1; end < complete.length; end++) {
      JsonLines.Line prefix = lines.read(Arrays.copyOf(complete, end));
      assertThat(prefix.error().kind()).isEqualTo(RowError.Kind.MALFORMED_INPUT);
      if (end > line.indexOf(",\"n\"")) {
        assertThat(prefix.values()[ID]).isEqualTo("a");
      }
      if (end > line.indexOf(",\"text\"")) {
        assertThat(prefix.values()[PLAN.fieldIndex("n")]).isEqualTo(12L);
      }
    }
    assertThat(error(lines.read(complete))).isNull();
  }

  @Test
  void spark_accepts_the_values() {
    JsonLines.Line full =
        read(
            "{\"text\":\"t\",\"id\":\"a\",\"n\":1,\"x\":2.5,\"big\":12345678901234567890,\"ok\":true,"
                + "\"tokens\":[1,null],\"meta\":{\"url\":\"u\",\"tags\":[\"a\",null]}}");
    List<Row> rows =
        List.of(RowFactory.create(full.values()), RowFactory.create(read("{}").values()));
    List<Row> back = TestSpark.session().createDataFrame(rows, PLAN).collectAsList();
    assertThat((byte[]) back.get(0).get(0)).isEqualTo(bytes("t"));
    assertThat(back.get(0).getString(1)).isEqualTo("a");
    assertThat(back.get(0).getLong(2)).isEqualTo(1);
    assertThat(back.get(0).getDouble(3)).isEqualTo(2.5);
    assertThat(back.get(0).getDecimal(4)).isEqualTo("12345678901234567890");
    assertThat(back.get(0).getBoolean(5)).isTrue();
    assertThat(back.get(0).getList(6)).containsExactly(1L, null);
    assertThat(back.get(0).getStruct(7).getString(0)).isEqualTo("u");
    assertThat(back.get(0).getStruct(7).getList(2)).containsExactly("a", null);
    assertThat(back.get(1)).isEqualTo(RowFactory.create(new Object[PLAN.size()]));
  }

  @Test
  void a_text_may_be_planned_as_a_string() {
    StructType plan = new StructType().add("text", DataTypes.StringType);
    JsonLines strings = new JsonLines(plan, Set.of("text"), false);
    assertThat(strings.read(bytes("{\"text\":\"é\"}")).values()).containsExactly("é");
    assertThat(error(strings.read(bytes("{\"text\":1}"))))
        .isEqualTo("Text is not a string: found a number at character 9 in column text");
  }
}
