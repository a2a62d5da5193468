package io.mambaspark.engine.score;

import java.io.Serializable;
import java.util.Locale;

/**
 * How a sequence of L tokens is cut into windows. Each is run from the state before a first token,
 * so it knows nothing of the tokens in front of it; each token is scored in one window at most.
 *
 * <ul>
 *   <li>{@code FULL}: one window, the whole sequence, whose context is exact at any length.
 *   <li>{@code ROLLING} (lm-evaluation-harness, {@code loglikelihood_rolling} with a context of 1):
 *       a window scores {@code tokens} tokens, each given those before it in the window and the one
 *       before the first of them. The last window, where fewer are left, reaches back so that it is
 *       as long as the others, and scores only those that are left.
 *   <li>{@code STRIDED} (Hugging Face's guide to models of fixed length): windows of {@code tokens}
 *       tokens that begin every {@code stride} tokens, until one reaches the end. A window scores
 *       what no earlier one has scored; the first token of a window has no context and is not
 *       scored there.
 *   <li>{@code CHUNKED} (llama.cpp's perplexity): windows of {@code tokens} tokens one after the
 *       other, a rest that does not fill one is dropped; of a window the tokens after position
 *       {@code tokens / 2} are scored.
 * </ul>
 *
 * @param tokens of a window; 0 for {@code FULL}
 * @param stride of {@code STRIDED}, from 1 to {@code tokens}; 0 for the others
 * @param firstToken id that takes the place of the first token of each window of {@code CHUNKED};
 *     {@link #AS_IT_IS} for none
 */
public record Windows(Policy policy, int tokens, int stride, int firstToken)
    implements Serializable {
  /** Leaves the first token of a window alone. */
  public static final int AS_IT_IS = -1;

  /** The whole sequence. */
  public static final Windows FULL = new Windows(Policy.FULL, 0, 0, AS_IT_IS);

  /** A way to cut, see {@link Windows}. */
  public enum Policy {
    /** One window; the state is carried to the end. */
    FULL(0),
    /** That of lm-evaluation-harness: every token but the first is scored. */
    ROLLING(1),
    /** That of Hugging Face's guide: windows overlap. */
    STRIDED(2),
    /** That of llama.cpp: the second half of each window is scored. */
    CHUNKED(3);

    private final int leastTokens;

    Policy(int leastTokens) {
      this.leastTokens = leastTokens;
    }

    /** The name in lower case: {@code rolling}. */
    public String label() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** Tokens that a window needs to score something; 0 for {@code FULL}. */
    public int leastTokens() {
      return leastTokens;
    }

    /** Whether a window may have so many tokens. */
    public boolean allowsTokens(int tokens) {
      return this == FULL ? tokens == 0 : tokens >= leastTokens;
    }

    /** Whether windows of {@code tokens} tokens may begin every {@code stride} tokens. */
    public boolean allowsStride(int stride, int tokens) {
      return this == STRIDED ? stride >= 1 && stride <= tokens : stride == 0;
    }
  }

  /** Checks that a window can score something. */
  public Windows {
    if (!policy.allowsTokens(tokens)) {
      throw new IllegalArgumentException(
          policy == Policy.FULL
              ? "A full window has no number of tokens; found %d".formatted(tokens)
              : "A %s window of %d tokens; expected at least %d"
                  .formatted(policy.label(), tokens, policy.leastTokens()));
    }
    if (!policy.allowsStride(stride, tokens)) {
      throw new IllegalArgumentException(
          policy == Policy.STRIDED
              ? "A stride of %d tokens; expected 1 to %d, the tokens of a window"
                  .formatted(stride, tokens)
              : "Only strided windows have a stride; found %d".formatted(stride));
    }
    if (firstToken != AS_IT_IS && policy != Policy.CHUNKED) {
      throw new IllegalArgumentException("Only chunked windows replace their first token");
    }
  }

  /** Windows of {@code tokens} scored tokens. */
  static Windows rolling(int tokens) {
    return new Windows(Policy.ROLLING, tokens, 0, AS_IT_IS);
  }

  /** Windows of {@code tokens} tokens every {@code stride}. */
  static Windows strided(int tokens, int stride) {
    return new Windows(Policy.STRIDED, tokens, stride, AS_IT_IS);
  }

  /** Windows of {@code tokens} tokens of which the second half is scored. */
  static Windows chunked(int tokens, int firstToken) {
    return new Windows(Policy.CHUNKED, tokens, 0, firstToken);
  }

  /**
   * A window.
   *
   * @param start its first token
   * @param scored the first token that is scored; above {@code start}
   * @param end after its last token, which is scored too; above {@code scored}
   */
  record Window(int start, int scored, int end) {}

  /** The window with that index, from 0, of a sequence of {@code length} tokens; null after all. */
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

  /** Null where nothing is scored, which only the last window of a sequence can be. */
  private static Window window(long start, long scored, long end) {
    return scored >= end ? null : new Window((int) start, (int) scored, (int) end);
  }

  /** How many tokens of a sequence of {@code length} tokens are scored. */
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
