package io.mambaspark.engine.fuzz;

import java.util.List;
import java.util.SplittableRandom;

/** Numbers, names and JSON values that are difficult for parsers. */
final class HostileValues {
  private static final long[] NUMBERS = {
    0,
    1,
    2,
    -1,
    3,
    7,
    16,
    17,
    255,
    256,
    4096,
    4097,
    65_535,
    65_536,
    100_000,
    100_000_001,
    1 << 24,
    (1 << 24) + 1,
    1 << 30,
    Integer.MAX_VALUE,
    Integer.MIN_VALUE,
    1L << 31,
    0xffff_fffeL,
    0xffff_ffffL,
    1L << 32,
    (1L << 32) + 1,
    1L << 44,
    1L << 61,
    (1L << 62) + 1,
    Long.MAX_VALUE,
    Long.MIN_VALUE,
    Long.MIN_VALUE + 8
  };

  private static final List<String> TEXTS =
      List.of(
          "",
          ".",
          "..",
          "x",
          "../x",
          "a\u0000b",
          "a\nb",
          "a\r\n\tb",
          "\u001b[31mred",
          "\u202egnp.exe",
          "\u2028",
          "\ud800",
          "\udc00\ud800",
          "\ufeff",
          "\ud83d\ude00",
          "\ue000",
          "%n%s%d%",
          "{}{}",
          "${jndi:ldap://x}",
          "$(touch x)",
          "__metadata__",
          "weight_map",
          "dtype",
          "F64",
          "I64",
          "f32",
          "F8_E4M3",
          "lm_head.weight",
          "backbone.embedding.weight",
          "embeddings.weight",
          "backbone.layers.0.",
          "backbone.layers.2.mixer.D",
          "backbone.layers.00.mixer.D",
          "backbone.layers.-1.mixer.D",
          "backbone.layers.99999999999.mixer.D",
          "backbone.backbone.norm_f.weight",
          "backbone.norm_f.weight\u0000");

  private static final List<String> JSON =
      List.of(
          "null",
          "true",
          "false",
          "[]",
          "{}",
          "[0]",
          "[null]",
          "[[0]]",
          "{\"a\": 1}",
          "-0",
          "1.0",
          "0.5",
          "1e3",
          "1e400",
          "-1e400",
          "1e-400",
          "1E999999999",
          "0.1e-999999999",
          "NaN",
          "Infinity",
          "-Infinity",
          "+1",
          "01",
          "0x10",
          ".5",
          "1.",
          "1e",
          "-",
          "'x'",
          "nul",
          "truee",
          "undefined",
          "/**/1",
          "9223372036854775808",
          "-9223372036854775809",
          "18446744073709551616",
          "\"auto\"",
          "\"silu\"",
          "\"mamba\"",
          "\"falcon_mamba\"",
          "\"Mamba1\"",
          "\"Mamba2\"",
          "\"mamba2\"",
          "[0.01, 0.1]",
          "[0.0, Infinity]",
          "[0, null]",
          "[null, 1]",
          "[NaN, 1]",
          "[1, 0]",
          "[0, 1, 2]",
          "[0, {\"__float__\": \"Infinity\"}]");

  private HostileValues() {}

  static <T> T pick(SplittableRandom random, List<T> list) {
    return list.get(random.nextInt(list.size()));
  }

  /** Returns a number at a limit, often next to the valid number. */
  static long number(SplittableRandom random, long right) {
    return switch (random.nextInt(8)) {
      case 0 -> right + 1;
      case 1 -> right - 1;
      case 2 -> right * 2;
      case 3 -> right + (1L << random.nextInt(64));
      case 4 -> -right;
      case 5 -> random.nextLong() >> random.nextInt(64);
      default -> NUMBERS[random.nextInt(NUMBERS.length)];
    };
  }

  /** Returns a name; some are far longer than a line. */
  static String text(SplittableRandom random) {
    String text = pick(random, TEXTS);
    if (text.isEmpty() || random.nextInt(4) != 0) {
      return text;
    }
    int length = List.of(130, 300, 1_200, 6_000, 49_000, 60_000).get(random.nextInt(6));
    return text.repeat(length / text.length() + 1);
  }

  /** Returns a JSON value, which is not always valid. */
  static String json(SplittableRandom random, long right) {
    return switch (random.nextInt(10)) {
      case 0, 1, 2 -> Long.toString(number(random, right));
      case 3, 4 -> quoted(text(random));
      case 5 -> nested(random, "0");
      case 6 -> "1" + "0".repeat(List.of(18, 300, 999, 1_000, 50_000).get(random.nextInt(5)));
      default -> pick(random, JSON);
    };
  }

  /** Nests a value: Jackson accepts 1000 levels, a recursive reader not many more. */
  static String nested(SplittableRandom random, String value) {
    int depth = List.of(1, 2, 400, 998, 1_001, 20_000).get(random.nextInt(6));
    return switch (random.nextInt(3)) {
      case 0 -> "[".repeat(depth) + value + "]".repeat(depth);
      case 1 -> "{\"a\":".repeat(depth) + value + "}".repeat(depth);
      default -> "[".repeat(depth) + value;
    };
  }

  /** Returns a JSON string. */
  static String quoted(String text) {
    StringBuilder json = new StringBuilder("\"");
    for (char c : text.toCharArray()) {
      if (c == '"' || c == '\\') {
        json.append('\\').append(c);
      } else if (c < ' ' || Character.isSurrogate(c)) {
        json.append("\\u%04x".formatted((int) c));
      } else {
        json.append(c);
      }
    }
    return json.append('"').toString();
  }
}
