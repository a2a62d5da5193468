package io.mambaspark.jobs.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Pattern;

/**
 * The positions at which a text may be split so that the concatenated ids of its pieces equal the
 * ids of the complete text: between a character that is not white space and a space or a line feed.
 *
 * <p>This holds for the tokenizers that {@link #allowedBy} accepts, which are like GPT-2's and
 * include GPT-NeoX's, because none of their steps crosses such a position:
 *
 * <ul>
 *   <li>Added tokens are matched first, from left to right. No added token spans the position,
 *       because none has white space after another character. No match depends on the neighbouring
 *       characters.
 *   <li>NFC changes nothing across the position: a space or a line feed does not combine with the
 *       character before it.
 *   <li>The byte-level pattern, {@code 's|'t|…| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+},
 *       has white space only at the start of a match, so a match ends at the position. The pattern
 *       looks ahead only from white space, and never looks back.
 *   <li>Merges stay within a match.
 * </ul>
 */
final class SplitPoints {
  private static final Pattern SPACE_INSIDE = Pattern.compile("[^ \n\r\t][ \n]");

  private SplitPoints() {}

  /** Whether the tokenizer of this tokenizer.json allows texts to be split. */
  static boolean allowedBy(JsonNode tokenizer) {
    JsonNode normalizer = tokenizer.path("normalizer");
    JsonNode preTokenizer = tokenizer.path("pre_tokenizer");
    JsonNode model = tokenizer.path("model");
    boolean stepsAllowSplits =
        (isAbsent(normalizer) || normalizer.path("type").asText().equals("NFC"))
            && preTokenizer.path("type").asText().equals("ByteLevel")
            && preTokenizer.path("use_regex").asBoolean(true)
            && !preTokenizer.path("add_prefix_space").asBoolean(true)
            && model.path("type").asText().equals("BPE")
            && isAbsent(model.path("dropout"));
    return stepsAllowSplits && addedTokensAllowSplits(tokenizer.path("added_tokens"));
  }

  private static boolean addedTokensAllowSplits(JsonNode addedTokens) {
    for (JsonNode token : addedTokens) {
      if (token.path("lstrip").asBoolean()
          || token.path("rstrip").asBoolean()
          || token.path("single_word").asBoolean()
          || SPACE_INSIDE.matcher(token.path("content").asText()).find()) {
        return false;
      }
    }
    return true;
  }

  private static boolean isAbsent(JsonNode node) {
    return node.isMissingNode() || node.isNull();
  }

  /** Returns the first split point at or after a position, or the text's length if none follows. */
  static int next(String text, int from) {
    for (int i = Math.max(from, 1); i < text.length(); i++) {
      char c = text.charAt(i);
      if ((c == ' ' || c == '\n') && isVisible(text.charAt(i - 1))) {
        return i;
      }
    }
    return text.length();
  }

  /** Whether a character is certainly not white space, in every version of Unicode. */
  private static boolean isVisible(char c) {
    return c > ' ' && c < 0x7F || c >= 0x80 && Character.isLetterOrDigit(c);
  }
}
