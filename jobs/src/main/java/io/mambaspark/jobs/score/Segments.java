package io.mambaspark.jobs.score;

import java.util.Arrays;

/**
 * The segments of a document: consecutive parts, from its beginning to the end of its last kept
 * token. A token belongs to the segment of its first byte, so that each segment has consecutive
 * tokens, or none.
 *
 * @param bounds the bounds of the segments, (size + 1): segment s is [bounds[s], bounds[s+1]), in
 *     UTF-8 bytes of the text, or in tokens if the document has no text
 * @param first the index of the first token of each segment among the document's tokens, (size);
 *     that of the next segment if the segment has no token
 */
record Segments(int[] bounds, int[] first) {
  private static final Segments NONE = new Segments(new int[1], new int[0]);

  /** Divides a document of {@code count} tokens into segments of {@code tokens} tokens. */
  static Segments ofTokens(int tokens, int count) {
    int[] first = every(tokens, count);
    int[] bounds = Arrays.copyOf(first, first.length + 1);
    bounds[first.length] = count;
    return new Segments(bounds, first);
  }

  /**
   * Divides a text.
   *
   * @param utf8 the bytes of the text
   * @param starts where the tokens of the text begin, in bytes, ascending
   * @param count the number of tokens that are kept. The segments end where the first dropped token
   *     begins
   */
  static Segments ofText(SegmentBy by, byte[] utf8, int[] starts, int count) {
    int end = count < starts.length ? starts[count] : utf8.length;
    if (end == 0 && count == 0) {
      return NONE;
    }
    int[] first;
    int[] bounds;
    if (by.rule() == SegmentBy.Rule.TOKENS) {
      // A text without tokens is one segment.
      first = every(by.tokens(), Math.max(1, count));
      bounds = new int[first.length + 1];
      for (int s = 1; s < first.length; s++) {
        bounds[s] = starts[first[s]];
      }
      bounds[first.length] = end;
    } else {
      bounds = bounds(by.rule() == SegmentBy.Rule.BLANK_LINE, utf8, end);
      first = new int[bounds.length - 1];
      int token = 0;
      for (int s = 1; s < first.length; s++) {
        while (token < count && starts[token] < bounds[s]) {
          token++;
        }
        first[s] = token;
      }
    }
    return new Segments(bounds, first);
  }

  private static int[] every(int tokens, int count) {
    int[] first = new int[count / tokens + (count % tokens == 0 ? 0 : 1)];
    Arrays.setAll(first, s -> s * tokens);
    return first;
  }

  /** Returns the bounds of lines or paragraphs in the first {@code end} bytes of a text. */
  private static int[] bounds(boolean paragraphs, byte[] utf8, int end) {
    int[] bounds = new int[16];
    int size = 1;
    int lineStart = 0;
    boolean blank = true;
    boolean afterBlank = false;
    for (int i = 0; i < end; i++) {
      boolean begins = paragraphs ? blank && !isWhite(utf8[i]) && afterBlank : i == lineStart;
      if (begins && lineStart > 0) {
        if (size == bounds.length) {
          bounds = Arrays.copyOf(bounds, 2 * size);
        }
        bounds[size++] = lineStart;
      }
      if (utf8[i] == '\n') {
        afterBlank = blank;
        blank = true;
        lineStart = i + 1;
      } else {
        blank &= isWhite(utf8[i]);
      }
    }
    bounds = Arrays.copyOf(bounds, size + 1);
    bounds[size] = end;
    return bounds;
  }

  private static boolean isWhite(byte b) {
    return b == ' ' || b >= '\t' && b <= '\r';
  }

  int size() {
    return first.length;
  }

  /** Returns these segments for a document with {@code tokens} prefix tokens before its tokens. */
  Segments after(int tokens) {
    return new Segments(bounds, Arrays.stream(first).map(token -> token + tokens).toArray());
  }

  /**
   * Sets the scores of the segments. The nll of a segment is summed in double in the order of its
   * tokens.
   *
   * @param logprobs ln p of the scored tokens
   * @param tokens the indices of these tokens in the document, ascending
   */
  void set(ScoredRow out, float[] logprobs, int[] tokens) {
    int[] counts = new int[size()];
    double[] nll = new double[size()];
    int segment = 0;
    for (int i = 0; i < tokens.length; i++) {
      while (segment + 1 < first.length && first[segment + 1] <= tokens[i]) {
        segment++;
      }
      counts[segment]++;
      nll[segment] -= logprobs[i];
    }
    out.setSegmentStarts(Arrays.copyOf(bounds, size()));
    out.setSegmentEnds(Arrays.copyOfRange(bounds, 1, bounds.length));
    out.setSegmentTokens(counts);
    out.setSegmentNll(nll);
  }
}
