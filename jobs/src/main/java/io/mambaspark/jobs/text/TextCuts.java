package io.mambaspark.jobs.text;

import com.fasterxml.jackson.databind.JsonNode;
import java.util.regex.Pattern;

/**
 * Where a text may be cut so that the ids of its pieces, one after the other, are those of the
 * whole: between a character that is not white space and a space or a line feed.
 *
 * <p>That holds for the tokenizers of GPT-2's kind, GPT-NeoX's among them, that {@link #allowedBy}
 * lets through, because every step that they are made of respects such a place:
 *
 * <ul>
 *   <li>Added tokens are found first, leftmost first: none spans the place, as none has white space
 *       behind something else, and none looks at what is beside it.
 *   <li>NFC changes nothing across it: space and line feed combine with nothing before them.
 *   <li>The byte-level pattern, {@code 's|'t|…| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+},
 *       has white space only at the start of a match, so that one ends here; it looks ahead only
 *       from white space, and not back.
 *   <li>Merges stay within a match.
 * </ul>
 */
final class TextCuts {
  private static final Pattern SPACE_BEHIND = Pattern.compile("[^ \n\r\t][ \n]");

  private TextCuts() {}

  /** Whether texts may be cut for this tokenizer.json. */
  static boolean allowedBy(JsonNode tokenizer) {
    JsonNode normalizer = tokenizer.path("normalizer");
    JsonNode preTokenizer = tokenizer.path("pre_tokenizer");
    JsonNode model = tokenizer.path("model");
    boolean steps =
        (isAbsent(normalizer) || normalizer.path("type").asText().equals("NFC"))
            && preTokenizer.path("type").asText().equals("ByteLevel")
            && preTokenizer.path("use_regex").asBoolean(true)
            && !preTokenizer.path("add_prefix_space").asBoolean(true)
            && model.path("type").asText().equals("BPE")
            && isAbsent(model.path("dropout"));
    return steps && addedTokensAllow(tokenizer.path("added_tokens"));
  }

  private static boolean addedTokensAllow(JsonNode addedTokens) {
    for (JsonNode token : addedTokens) {
      if (token.path("lstrip").asBoolean()
          || token.path("rstrip").asBoolean()
          || token.path("single_word").asBoolean()
          || SPACE_BEHIND.matcher(token.path("content").asText()).find()) {
        return false;
      }
    }
    return true;
  }

  private static boolean isAbsent(JsonNode node) {
    return node.isMissingNode() || node.isNull();
  }

  /** The first cut at or after a position; the text's end if there is none. */
  static int next(String text, int from) {
    for (int i = Math.max(from, 1); i < text.length(); i++) {
      char c = text.charAt(i);
      if ((c == ' ' || c == '\n') && isVisible(text.charAt(i - 1))) {
        return i;
      }
    }
    return text.length();
  }

  /** Certainly not white space, in any version of Unicode. */
  private static boolean isVisible(char c) {
    return c > ' ' && c < 0x7F || c >= 0x80 && Character.isLetterOrDigit(c);
  }
}
