package io.mambaspark.jobs.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.Random;
import java.util.regex.Pattern;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class PythonTextTest {
  /** {@code [i for i in range(0x110000) if chr(i).isspace()]} of Python 3.11. */
  private static final String SPACES =
      "9 a b c d 1c 1d 1e 1f 20 85 a0 1680 2000 2001 2002 2003 2004 2005 2006 2007 2008 2009 200a"
          + " 2028 2029 202f 205f 3000";

  private record Case(String text, int words, String stripped) {}

  /** {@code len(re.split(r"\s+", text))} and {@code text.rstrip()} of Python 3.11. */
  private static final List<Case> PYTHON =
      List.of(
          new Case("", 1, ""),
          new Case("a", 1, "a"),
          new Case(" ", 2, ""),
          new Case("a b", 2, "a b"),
          new Case(" a b", 3, " a b"),
          new Case("a b ", 3, "a b"),
          new Case("a \t\n b", 2, "a \t\n b"),
          new Case("\u001ca\u001d", 3, "\u001ca"),
          new Case("a\u200bb\ufeffc", 1, "a\u200bb\ufeffc"),
          new Case("a\u00a0b\u0085c\u2003\u3000d", 4, "a\u00a0b\u0085c\u2003\u3000d"),
          new Case("\n\n", 2, ""),
          new Case("a\u180eb", 1, "a\u180eb"),
          new Case("\ud83d\ude00 \ud83d\ude00", 2, "\ud83d\ude00 \ud83d\ude00"),
          new Case("x\u2028y\u2029z\u202f\u205f\u1680", 4, "x\u2028y\u2029z"));

  @Test
  void white_space_is_defined_as_in_python() {
    assertThat(
            IntStream.range(0, 0x110000).filter(PythonText::isSpace).mapToObj(Integer::toHexString))
        .containsExactly(SPACES.split(" "));
  }

  @Test
  void words_and_stripped_ends_equal_python_s() {
    for (Case each : PYTHON) {
      assertThat(PythonText.words(each.text())).as(each.text()).isEqualTo(each.words());
      assertThat(PythonText.stripEnd(each.text())).isEqualTo(each.stripped());
    }
  }

  @Test
  void the_number_of_words_is_the_number_of_pieces_split_at_python_s_white_space() {
    StringBuilder set = new StringBuilder("[");
    for (String space : SPACES.split(" ")) {
      set.append("\\x{").append(space).append('}');
    }
    Pattern spaces = Pattern.compile(set + "]+");
    Pattern end = Pattern.compile(set + "]+\\z");
    int[] characters = {' ', '\n', 0x1C, 0x85, 0xA0, 0x2003, 0x3000, 'a', 0x200B, 0x1F600, 0};
    for (long seed = 0; seed < 1000; seed++) {
      Random random = new Random(seed);
      StringBuilder builder = new StringBuilder();
      for (int i = random.nextInt(30); i > 0; i--) {
        builder.appendCodePoint(characters[random.nextInt(characters.length)]);
      }
      String text = builder.toString();
      assertThat(PythonText.words(text))
          .as("seed %d", seed)
          .isEqualTo(spaces.split(text, -1).length);
      assertThat(PythonText.stripEnd(text))
          .as("seed %d", seed)
          .isEqualTo(end.matcher(text).replaceFirst(""));
    }
  }
}
