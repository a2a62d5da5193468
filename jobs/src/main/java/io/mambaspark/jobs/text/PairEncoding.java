package io.mambaspark.jobs.text;

import java.util.Arrays;
import java.util.function.Function;

/**
 * Token ids of a context and its continuation, as lm-evaluation-harness encodes them ({@code
 * TemplateLM._encode_pair}). For the use of one thread.
 */
public final class PairEncoding {
  private final Function<String, int[]> encode;

  /** Many rows in a row share a context: the answers of a multiple choice. */
  private String lastContext = "";

  private int[] lastIds = {};

  /**
   * @param encode ids of a text, without special tokens
   */
  public PairEncoding(Function<String, int[]> encode) {
    this.encode = encode;
  }

  /**
   * White space at the context's end moves to the continuation, whose ids are those of both texts
   * together without as many as the context alone has. There may be none left, where a token spans
   * both: whether that is an error is for the caller to decide. A context that is empty then has no
   * ids: it is for the caller to put a prefix token.
   */
  public EncodedPair encode(String context, String continuation) {
    String stripped = PythonText.stripEnd(context);
    int[] both = encode.apply(context + continuation);
    int[] contextIds = contextIds(stripped);
    int start = Math.min(contextIds.length, both.length);
    return new EncodedPair(contextIds, Arrays.copyOfRange(both, start, both.length));
  }

  private int[] contextIds(String context) {
    if (!context.equals(lastContext)) {
      lastIds = encode.apply(context);
      lastContext = context;
    }
    return lastIds;
  }

  /**
   * @param context shared by consecutive pairs of one context; not to be changed
   */
  public record EncodedPair(int[] context, int[] continuation) {}
}
