package io.mambaspark.jobs.text;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class PairEncodingTest {
  private final List<String> encoded = new ArrayList<>();

  /** One token per character, except one token for "th". */
  private final PairEncoding pairs =
      new PairEncoding(
          text -> {
            encoded.add(text);
            return text.replace("th", "þ").chars().toArray();
          },
          SpecialTokens.NONE);

  private static int[] ids(String characters) {
    return characters.chars().toArray();
  }

  @Test
  void white_space_at_the_end_of_the_context_moves_to_the_continuation() {
    PairEncoding.EncodedPair pair = pairs.encode("a b \u00a0\u001c", "c ");
    assertThat(pair.context()).containsExactly(ids("a b"));
    assertThat(pair.continuation()).containsExactly(ids(" \u00a0\u001cc "));
  }

  @Test
  void a_token_that_spans_both_texts_is_missing_from_the_continuation() {
    assertThat(pairs.encode("at", "hen").continuation()).containsExactly(ids("en"));
    assertThat(pairs.encode("at", "h").continuation()).isEmpty();
    assertThat(pairs.encode("a", "").continuation()).isEmpty();
  }

  @Test
  void a_continuation_is_empty_if_both_texts_together_have_fewer_tokens_than_the_context() {
    PairEncoding shrinking =
        new PairEncoding(
            text -> text.endsWith("!") ? new int[] {1} : ids(text), SpecialTokens.NONE);
    assertThat(shrinking.encode("abc", "!").continuation()).isEmpty();
  }

  @Test
  void an_empty_or_blank_context_has_no_ids() {
    assertThat(pairs.encode("", "ab").context()).isEmpty();
    assertThat(pairs.encode("", "ab").continuation()).containsExactly(ids("ab"));
    assertThat(pairs.encode(" \n", "ab").context()).isEmpty();
    assertThat(pairs.encode(" \n", "ab").continuation()).containsExactly(ids(" \nab"));
  }

  @Test
  void special_tokens_are_added_to_a_context_and_to_both_texts_but_not_after_an_empty_context() {
    PairEncoding special =
        new PairEncoding(
            PairEncodingTest::ids, new SpecialTokens(new int[] {1, 2}, new int[] {3}, "<s>"));
    PairEncoding.EncodedPair pair = special.encode("ab ", "cd");
    assertThat(pair.context()).containsExactly(1, 2, 'a', 'b', 3);
    // The first five of 1 2 a b _ c d 3 are the context's.
    assertThat(pair.continuation()).containsExactly('c', 'd', 3);
    assertThat(special.encode("", "c").context()).isEmpty();
    assertThat(special.encode("", "c").continuation()).containsExactly('c');
    assertThat(special.encode(" ", "c").context()).containsExactly(1, 2, 3);
    // A text that begins with the prefix token gets no template.
    assertThat(special.encode("<s>a", "b").context()).containsExactly(ids("<s>a"));
    assertThat(special.encode("<s>a", "b").continuation()).containsExactly('b');
  }

  @Test
  void consecutive_pairs_with_the_same_context_encode_it_once() {
    pairs.encode("q", "1");
    pairs.encode("q ", "2");
    pairs.encode("r", "3");
    pairs.encode("q", "4");
    assertThat(encoded).containsExactly("q1", "q", "q 2", "r3", "r", "q4", "q");
  }
}
