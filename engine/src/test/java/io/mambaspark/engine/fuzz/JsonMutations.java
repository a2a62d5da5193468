package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Damages JSON token by token, so that most results are valid JSON with another meaning. */
final class JsonMutations {
  private static final List<String> SPACES = List.of(" ", "\t", "\n", "\r\n", " ".repeat(9_000));

  private final List<String> tokens;
  private final HostileFolder folder;
  private final SplittableRandom random;

  private JsonMutations(String json, HostileFolder folder, SplittableRandom random) {
    this.tokens = tokens(json);
    this.folder = folder;
    this.random = random;
  }

  /** A text and the required result if the text is read. */
  record Mutated(String json, Expected expected) {}

  static Mutated mutate(String json, HostileFolder folder, SplittableRandom random) {
    JsonMutations mutations = new JsonMutations(json, folder, random);
    if (mutations.values().isEmpty() || mutations.keys().isEmpty()) {
      // An earlier mutation has damaged the JSON.
      folder.note("JSON is not changed");
      return new Mutated(json, Expected.EITHER);
    }
    Expected expected = mutations.mutate();
    return new Mutated(String.join("", mutations.tokens), expected);
  }

  private Expected mutate() {
    int value = pick(random, values());
    int key = pick(random, keys());
    switch (random.nextInt(14)) {
      case 0, 1, 2, 3 -> {
        long right = tokens.get(value).matches("\\d{1,18}") ? Long.parseLong(tokens.get(value)) : 1;
        replace(value, HostileValues.json(random, right));
        return Expected.EITHER;
      }
      case 4 -> {
        replace(value, HostileValues.nested(random, text(value, end(value))));
        return Expected.EITHER;
      }
      case 5 -> {
        String name =
            random.nextBoolean()
                ? tokens.get(pick(random, keys()))
                : HostileValues.quoted(HostileValues.text(random));
        folder.note("key %s becomes %s", tokens.get(key), name);
        tokens.set(key, name);
        return Expected.EITHER;
      }
      case 6 -> {
        return duplicate(key);
      }
      case 7 -> {
        return delete(key);
      }
      case 8 -> {
        return swap(value, pick(random, values()));
      }
      case 9 -> {
        return strange(random.nextInt(tokens.size()));
      }
      case 10 -> {
        int at = random.nextInt(tokens.size());
        folder.note("token %d, %s, is removed", at, tokens.remove(at));
        return Expected.EITHER;
      }
      case 11 -> {
        String behind = pick(random, List.of("{}", "]", "}", "0", ",", "\u0000", "x"));
        folder.note("%s after the end", behind);
        tokens.add(behind);
        return Expected.REFUSED;
      }
      case 12 -> {
        int at = 1 + random.nextInt(tokens.size());
        folder.note("space before token %d", at);
        tokens.add(at, pick(random, SPACES));
        return Expected.SAME;
      }
      default -> {
        folder.note("key %s escaped", tokens.get(key));
        tokens.set(key, escaped(tokens.get(key)));
        return Expected.SAME;
      }
    }
  }

  private void replace(int value, String by) {
    folder.note("value %d, %s, becomes %s", value, text(value, end(value)), by);
    tokens.subList(value, end(value) + 1).clear();
    tokens.add(value, by);
  }

  /** Writes a key twice, with the same value or null; the first may be written with escapes. */
  private Expected duplicate(int key) {
    String name = random.nextBoolean() ? tokens.get(key) : escaped(tokens.get(key));
    String value = random.nextBoolean() ? text(key + 2, end(key + 2)) : "null";
    folder.note("key %s twice", tokens.get(key));
    tokens.addAll(key, List.of(name, ":", value, ","));
    return Expected.REFUSED;
  }

  private Expected delete(int key) {
    int last = end(key + 2);
    folder.note("%s is removed", text(key, last));
    boolean comma = last + 1 < tokens.size() && tokens.get(last + 1).equals(",");
    tokens.subList(key, last + (comma ? 2 : 1)).clear();
    if (!comma && tokens.get(key - 1).equals(",")) {
      tokens.remove(key - 1);
    }
    return Expected.EITHER;
  }

  private Expected swap(int one, int other) {
    int first = Math.min(one, other);
    int second = Math.max(one, other);
    if (second <= end(first)) {
      folder.note("value %d is within value %d and stays", second, first);
      return Expected.SAME;
    }
    String firstText = text(first, end(first));
    String secondText = text(second, end(second));
    folder.note("value %d, %s, and %d, %s, are exchanged", first, firstText, second, secondText);
    tokens.subList(second, end(second) + 1).clear();
    tokens.add(second, firstText);
    tokens.subList(first, end(first) + 1).clear();
    tokens.add(first, secondText);
    return firstText.equals(secondText) ? Expected.SAME : Expected.EITHER;
  }

  private Expected strange(int at) {
    String strange =
        pick(
            random,
            List.of(
                ",",
                ":",
                "{",
                "}",
                "[",
                "]",
                "\"",
                "\\",
                "\u0000",
                "\u00a0",
                "\ufeff",
                "// x\n",
                "/* x */",
                "# x\n",
                "'",
                "\"x\":1,",
                "NaN",
                "\"\\u\"",
                "\"\\ud800\"",
                "\u007f"));
    folder.note("%s before token %d", strange, at);
    tokens.add(at, strange);
    return Expected.EITHER;
  }

  private static String escaped(String string) {
    StringBuilder text = new StringBuilder("\"");
    string
        .substring(1, string.length() - 1)
        .chars()
        .forEach(c -> text.append("\\u%04x".formatted(c)));
    return text.append('"').toString();
  }

  /** Returns the tokens at which values begin: after a colon, and in lists. */
  private List<Integer> values() {
    List<Character> open = new ArrayList<>();
    List<Integer> values = new ArrayList<>();
    for (int i = 0; i < tokens.size(); i++) {
      char c = tokens.get(i).charAt(0);
      boolean list = !open.isEmpty() && open.get(open.size() - 1) == '[';
      if (",:}]".indexOf(c) < 0 && i > 0 && (list || tokens.get(i - 1).equals(":"))) {
        values.add(i);
      }
      if (c == '[' || c == '{') {
        open.add(c);
      } else if ((c == ']' || c == '}') && !open.isEmpty()) {
        open.remove(open.size() - 1);
      }
    }
    return values;
  }

  private List<Integer> keys() {
    return IntStream.range(0, tokens.size() - 2)
        .filter(i -> tokens.get(i).length() > 1 && tokens.get(i).charAt(0) == '"')
        .filter(i -> tokens.get(i + 1).equals(":"))
        .boxed()
        .toList();
  }

  /** Returns the last token of the value that begins at {@code start}. */
  private int end(int start) {
    int depth = 0;
    for (int i = start; i < tokens.size(); i++) {
      char c = tokens.get(i).charAt(0);
      depth += c == '[' || c == '{' ? 1 : c == ']' || c == '}' ? -1 : 0;
      if (depth <= 0) {
        return i;
      }
    }
    return tokens.size() - 1;
  }

  private String text(int first, int last) {
    return String.join("", tokens.subList(first, last + 1));
  }

  /** Returns strings, words, numbers and punctuation, without the white space between them. */
  private static List<String> tokens(String json) {
    List<String> tokens = new ArrayList<>();
    for (int i = 0; i < json.length(); ) {
      char c = json.charAt(i);
      int end = i + 1;
      if (c == '"') {
        while (end < json.length() && json.charAt(end) != '"') {
          end += json.charAt(end) == '\\' ? 2 : 1;
        }
        end = Math.min(end + 1, json.length());
      } else if ("{}[],:".indexOf(c) < 0 && !Character.isWhitespace(c)) {
        while (end < json.length() && " \t\r\n{}[],:\"".indexOf(json.charAt(end)) < 0) {
          end++;
        }
      }
      if (!Character.isWhitespace(c)) {
        tokens.add(json.substring(i, end));
      }
      i = end;
    }
    return tokens;
  }
}
