package io.mambaspark.engine.score;

import java.io.Serializable;
import java.util.Locale;

/**
 * The way in which a sequence is split into windows. Each window runs from the initial state, so
 * its results do not depend on the tokens before it. Each token is scored in at most one window.
 *
 * <ul>
 *   <li>{@code FULL}: one window, the complete sequence. Every token is scored with all tokens
 *       before it as context, at any length.
 *   <li>{@code ROLLING} (lm-evaluation-harness, {@code loglikelihood_rolling} with a context of 1):
 *       a window scores {@code tokens} tokens, and also contains the token before the first of them
 *       as context. If fewer tokens are left for the last window, it starts earlier, so that it is
 *       as long as the others, and scores only the tokens that are left.
 *   <li>{@code STRIDED} (Hugging Face's guide to models of fixed length): windows of {@code tokens}
 *       tokens that begin every {@code stride} tokens, until one reaches the end. A window scores
 *       the tokens that no earlier window contains, except for its own first token, which has no
 *       context.
 *   <li>{@code CHUNKED} (llama.cpp's perplexity): consecutive windows of {@code tokens} tokens; a
 *       remainder that does not fill a window is dropped. A window scores its tokens after position
 *       {@code tokens / 2}.
 * </ul>
 *
 * @param policy how to split
 * @param tokens the number of tokens of a window as described above; 0 for {@code FULL}
 * @param stride the stride of {@code STRIDED} windows in tokens, from 1 to {@code tokens}; 0 for
 *     the other policies
 * @param firstToken the id that replaces the first token of each {@code CHUNKED} window; {@link
 *     #AS_IT_IS} to keep it
 */
public record Windows(Policy policy, int tokens, int stride, int firstToken)
    implements Serializable {
  /** Keeps the first token of a window. */
  public static final int AS_IT_IS = -1;

  /** One window: the complete sequence. */
  public static final Windows FULL = new Windows(Policy.FULL, 0, 0, AS_IT_IS);

  /** A way to split a sequence; see {@link Windows}. */
  public enum Policy {
    /** One window, through which the state is carried to the end. */
    FULL(0),
    /** The windows of lm-evaluation-harness: every token but the first is scored. */
    ROLLING(1),
    /** The windows of Hugging Face's guide, which overlap. */
    STRIDED(2),
    /** The windows of llama.cpp: the second half of each is scored. */
    CHUNKED(3);

    private final int leastTokens;

    Policy(int leastTokens) {
      this.leastTokens = leastTokens;
    }

    /** The name in lower case: {@code rolling}. */
    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** The minimum number of tokens of a window in which a token is scored; 0 for {@code FULL}. */
    public int leastTokens() {
      return leastTokens;
    }

    /** Whether a window may have {@code tokens} tokens. */
    public boolean allowsTokens(int tokens) {
      return this == FULL ? tokens == 0 : tokens >= leastTokens;
    }

    /** Whether windows of {@code tokens} tokens may begin every {@code stride} tokens. */
    public boolean allowsStride(int stride, int tokens) {
      return this == STRIDED ? stride >= 1 && stride <= tokens : stride == 0;
    }
  }

  /**
   * Checks the parameters.
   *
   * @throws IllegalArgumentException if a parameter is not valid for the policy
   */
  public Windows {
    if (!policy.allowsTokens(tokens)) {
      throw new IllegalArgumentException(
          policy == Policy.FULL
              ? "A full window has no fixed length; expected 0 tokens, found %d".formatted(tokens)
              : "A %s window has %d tokens; expected at least %d"
                  .formatted(policy.label(), tokens, policy.leastTokens()));
    }
    if (!policy.allowsStride(stride, tokens)) {
      throw new IllegalArgumentException(
          policy == Policy.STRIDED
              ? "The stride is %d tokens; expected 1 to %d, the length of a window"
                  .formatted(stride, tokens)
              : "Only strided windows have a stride; expected 0, found %d".formatted(stride));
    }
    if (firstToken != AS_IT_IS && policy != Policy.CHUNKED) {
      throw new IllegalArgumentException("Only chunked windows replace their first token");
    }
  }

  /** Returns rolling windows of {@code tokens} scored tokens. */
  static Windows rolling(int tokens) {
    return new Windows(Policy.ROLLING, tokens, 0, AS_IT_IS);
  }

  /** Returns strided windows of {@code tokens} tokens, one every {@code stride} tokens. */
  static Windows strided(int tokens, int stride) {
    return new Windows(Policy.STRIDED, tokens, stride, AS_IT_IS);
  }

  /** Returns chunked windows of {@code tokens} tokens, whose second half is scored. */
  static Windows chunked(int tokens, int firstToken) {
    return new Windows(Policy.CHUNKED, tokens, 0, firstToken);
  }

  /**
   * A window: the tokens [start, end) of a sequence.
   *
   * @param start the index of the first token
   * @param scored the index of the first scored token, greater than {@code start}
   * @param end the index after the last token, which is also scored; greater than {@code scored}
   */
  record Window(int start, int scored, int end) {}

  /**
   * The window at {@code index}, from 0, of a sequence of {@code length} tokens; null after the
   * last.
   */
  Window window(int index, int length) {
    return switch (policy) {
      case FULL -> index > 0 ? null : window(0, 1, length);
      case ROLLING -> {
        long done = (long) index * tokens;
        long end = Math.min(done + tokens, length - 1) + 1;
        yield done >= length - 1 ? null : window(Math.max(0, end - 1 - tokens), done + 1, end);
      }
      case STRIDED -> {
        long start = (long) index * stride;
        long reached = index == 0 ? 0 : Math.min(start - stride + tokens, length);
        long end = Math.min(start + tokens, length);
        yield reached == length ? null : window(start, Math.max(reached, start + 1), end);
      }
      case CHUNKED -> {
        long start = (long) index * tokens;
        yield start + tokens > length
            ? null
            : window(start, start + tokens / 2 + 1, start + tokens);
      }
    };
  }

  /** The window; null if it scores no token, which only happens to the last one of a sequence. */
  private static Window window(long start, long scored, long end) {
    return scored >= end ? null : new Window((int) start, (int) scored, (int) end);
  }

  /**
   * Returns the indices of the scored tokens of a sequence of {@code length} tokens without a
   * context, in the order of their scores: ascending, (tokenCount).
   */
  public int[] scoredTokens(int length) {
    int[] indices = new int[scored(length)];
    int count = 0;
    Window window;
    for (int i = 0; (window = window(i, length)) != null; i++) {
      for (int token = window.scored; token < window.end; token++) {
        indices[count++] = token;
      }
    }
    return indices;
  }

  /** The number of scored tokens of a sequence of {@code length} tokens. */
  int scored(int length) {
    if (policy == Policy.FULL || policy == Policy.ROLLING) {
      return Math.max(0, length - 1);
    }
    int scored = 0;
    Window window;
    for (int i = 0; (window = window(i, length)) != null; i++) {
      scored += window.end - window.scored;
    }
    return scored;
  }
}
