package io.mambaspark.jobs.text;

import java.util.Arrays;
import java.util.function.Function;

/**
 * Encodes a context and its continuation as lm-evaluation-harness does ({@code
 * TemplateLM._encode_pair}). Not thread-safe.
 */
public final class PairEncoding {
  private final Function<String, int[]> encode;
  private final SpecialTokens special;

  /** The context of the previous pair: the answers to a multiple-choice question share one. */
  private String lastContext;

  private int[] lastIds;

  /**
   * @param encode returns the ids of a text, without special tokens
   * @param special the special tokens that are added to a context, and to a context with its
   *     continuation
   */
  public PairEncoding(Function<String, int[]> encode, SpecialTokens special) {
    this.encode = encode;
    this.special = special;
  }

  /**
   * Encodes one pair. White space at the end of the context is moved to the continuation. If the
   * stripped context has n ids, the continuation's ids are those of both texts together without the
   * first n. The continuation may have no ids if a token spans both texts; the caller decides
   * whether that is an error. An empty context has no ids, and its continuation no special tokens;
   * the caller adds a prefix token.
   */
  public EncodedPair encode(String context, String continuation) {
    if (context.isEmpty()) {
      return new EncodedPair(new int[0], encode.apply(continuation));
    }
    String stripped = PythonText.stripEnd(context);
    int[] both = encoded(context + continuation);
    int[] contextIds = contextIds(stripped);
    int start = Math.min(contextIds.length, both.length);
    return new EncodedPair(contextIds, Arrays.copyOfRange(both, start, both.length));
  }

  private int[] contextIds(String context) {
    if (!context.equals(lastContext)) {
      lastIds = encoded(context);
      lastContext = context;
    }
    return lastIds;
  }

  private int[] encoded(String text) {
    return special.add(text, encode.apply(text));
  }

  /**
   * The token ids of one pair.
   *
   * @param context an array that consecutive pairs with the same context share; must not be changed
   */
  public record EncodedPair(int[] context, int[] continuation) {}
}
