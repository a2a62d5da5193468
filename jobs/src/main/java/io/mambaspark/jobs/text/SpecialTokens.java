package io.mambaspark.jobs.text;

import java.io.Serializable;
import java.util.Arrays;

/**
 * The ids that a tokenizer's template adds around a text, as {@code add_special_tokens=True} does
 * in transformers.
 *
 * @param before the ids before the text; must not be changed
 * @param after the ids after the text; must not be changed
 * @param prefix the text of the model's prefix token. A text that begins with it gets no template,
 *     as in lm-evaluation-harness. Empty if the model has no prefix token
 */
public record SpecialTokens(int[] before, int[] after, String prefix) implements Serializable {
  /** No template. */
  public static final SpecialTokens NONE = new SpecialTokens(new int[0], new int[0], "");

  /** Adds the template to the ids of a text. */
  public int[] add(String text, int[] ids) {
    if (before.length + after.length == 0 || !prefix.isEmpty() && text.startsWith(prefix)) {
      return ids;
    }
    int[] all = Arrays.copyOf(before, before.length + ids.length + after.length);
    System.arraycopy(ids, 0, all, before.length, ids.length);
    System.arraycopy(after, 0, all, before.length + ids.length, after.length);
    return all;
  }

  /** Whether this template changes every text in the same way as another. */
  public boolean isSame(SpecialTokens other) {
    return toString().equals(other.toString());
  }

  /** Returns a text that identifies the template. */
  @Override
  public String toString() {
    return "%s before, %s after, none if the text begins with \"%s\""
        .formatted(Arrays.toString(before), Arrays.toString(after), prefix);
  }
}
