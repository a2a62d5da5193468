package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.TestSpark;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import org.apache.spark.sql.Encoders;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class JsonTypesTest {
  private static byte[] bytes(String line) {
    return line.getBytes(StandardCharsets.UTF_8);
  }

  private static JsonTypes types(List<String> lines) {
    JsonTypes types = new JsonTypes();
    lines.forEach(line -> types.add(bytes(line)));
    return types;
  }

  private static String columns(String... lines) {
    return types(List.of(lines)).schema(false).toDDL();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      quoteCharacter = '`',
      value = {
        "null|null|string",
        "1|null|bigint",
        "9223372036854775807|-9223372036854775808|bigint",
        "1|9223372036854775808|decimal(38,0)",
        "99999999999999999999999999999999999999|1|decimal(38,0)",
        "100000000000000000000000000000000000000|1|string",
        "0.5|null|double",
        "1e3|1.0|double",
        "NaN|-Infinity|double",
        "1e400|1.0|string",
        "0.12345678901234567890|0.5|double",
        "1|0.5|double",
        "9007199254740992|0.5|double",
        "9007199254740993|0.5|string",
        "12345678901234567890|0.5|string",
        "100000000000000000000|0.5|double",
        "1|9007199254740992.5|string",
        "1|NaN|double",
        "true|false|boolean",
        "true|1|string",
        "\"a\"|1|string",
        "\"a\"|[1]|string",
        "\"a\"|{\"b\":1}|string",
        "[1]|{\"b\":1}|string",
        "[]|null|array<string>",
        "[]|[1,null]|array<bigint>",
        "[1]|[0.5]|array<double>",
        "[1,\"a\"]|[]|array<string>",
        "[[1],[]]|[[0.5]]|array<array<double>>",
        "{}|null|string",
        "[{}]|[]|array<string>",
        "{}|{\"a\":1}|struct<a:bigint>",
        "{\"b\":1}|{\"a\":\"x\",\"b\":0.5}|struct<a:string,b:double>",
        "[{\"a\":1}]|[{\"a\":null,\"b\":[]}]|array<struct<a:bigint,b:array<string>>>",
      })
  void two_values_have_a_common_type(String a, String b, String type) {
    List<String> lines = List.of("{\"v\":" + a + "}", "{\"v\":" + b + "}");
    StructType schema = types(lines).schema(true);
    assertThat(schema.apply("v").dataType().catalogString()).isEqualTo(type);
    // Both lines match the schema.
    JsonLines reader = new JsonLines(schema, Set.of(), true);
    for (String line : lines) {
      assertThat(reader.read(bytes(line)).error()).isNull();
    }
  }

  @Test
  void malformed_and_blank_lines_do_not_affect_the_types() {
    assertThat(
            columns(
                "\uFEFF{\"a\":1}",
                "",
                "  ",
                "{\"a\":\"x\"",
                "{\"a\":\"x\",\"a\":1}",
                "{\"a\":\"\\ud83d\"}",
                "{\"a\":\"x\"} {}",
                "[{\"a\":\"x\"}]",
                "null"))
        .isEqualTo("a BIGINT");
    JsonTypes types = new JsonTypes();
    types.add("{\"a\":\"\u00e9\"}".getBytes(StandardCharsets.ISO_8859_1));
    assertThat(types.schema(true)).isEqualTo(new StructType());
  }

  @Test
  void spellings_that_differ_in_case_are_one_column_if_case_is_ignored() {
    List<String> lines = List.of("{\"id\":1,\"b\":{\"x\":1}}", "{\"ID\":0.5,\"b\":{\"X\":\"\"}}");
    assertThat(types(lines).schema(false).toDDL()).isEqualTo("ID DOUBLE,b STRUCT<X: STRING>");
    assertThat(types(lines).schema(true).toDDL())
        .isEqualTo("ID DOUBLE,b STRUCT<X: STRING, x: BIGINT>,id BIGINT");
  }

  @Test
  void a_value_that_is_nested_too_deeply_for_spark_is_a_string() {
    String deep = "{\"a\":".repeat(500) + "1" + "}".repeat(500);
    StructType schema = types(List.of(deep)).schema(true);
    assertThat(new JsonLines(schema, Set.of(), true).read(bytes(deep)).error()).isNull();
    assertThat(schema.toDDL().split("STRUCT", -1)).hasSize(32);
  }

  @Test
  void the_order_of_lines_and_parts_does_not_matter() throws Exception {
    long seed = 13;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int round = 0; round < 300; round++) {
      List<String> lines = new ArrayList<>();
      for (int i = 0; i < 8; i++) {
        lines.add("{\"a\":" + value(random, 0) + ",\"B\":" + value(random, 0) + "}");
      }
      JsonTypes complete = types(lines);
      JsonTypes parts = new JsonTypes();
      Collections.shuffle(lines, random);
      int cut = random.nextInt(lines.size());
      int second = cut + random.nextInt(lines.size() - cut);
      JsonTypes last = types(lines.subList(second, lines.size()));
      JsonTypes middle = types(lines.subList(cut, second));
      JsonTypes first = types(lines.subList(0, cut));
      if (random.nextBoolean()) {
        middle.add(copy(last));
        parts.add(middle);
        parts.add(first);
      } else {
        parts.add(last);
        parts.add(copy(first));
        parts.add(middle);
      }
      parts.add(first);
      for (boolean caseSensitive : new boolean[] {true, false}) {
        assertThat(parts.schema(caseSensitive)).isEqualTo(complete.schema(caseSensitive));
      }
    }
  }

  private static String value(Random random, int depth) {
    return switch (random.nextInt(depth < 3 ? 12 : 8)) {
      case 0 -> "null";
      case 1 -> "true";
      case 2 -> "\"x\"";
      case 3 -> "0.5";
      case 4 -> "9007199254740993";
      case 5 -> "12345678901234567890";
      case 6, 7 -> "1";
      case 8, 9 -> "[" + value(random, depth + 1) + "," + value(random, depth + 1) + "]";
      default ->
          "{\"%s\":%s}".formatted(random.nextBoolean() ? "x" : "X", value(random, depth + 1));
    };
  }

  private static JsonTypes copy(JsonTypes types) throws IOException, ClassNotFoundException {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(types);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      return (JsonTypes) in.readObject();
    }
  }

  @Test
  void ordinary_lines_have_the_columns_that_spark_infers() {
    List<String> lines =
        List.of(
            "{\"id\":1,\"text\":\"a\",\"tokens\":[1,2],\"Score\":0.5,\"ok\":true,\"none\":null}",
            "{\"id\":2,\"z\":{\"b\":[{\"y\":1,\"x\":\"q\"}],\"a\":1},\"day\":\"2024-01-01\",\"Z9\":2}",
            "{\"id\":3,\"tokens\":[],\"big\":12345678901234567890,\"_u\":[null],\"é\":1}");
    StructType spark =
        TestSpark.session()
            .read()
            .json(TestSpark.session().createDataset(lines, Encoders.STRING()))
            .schema();
    // Spark's decimal has the number of digits of the values.
    String expected = spark.catalogString().replace("decimal(20,0)", "decimal(38,0)");
    assertThat(types(lines).schema(true).catalogString()).isEqualTo(expected);
  }
}
