package io.mambaspark.jobs.stats;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Bins of equal width on a logarithmic scale. A decade has {@link #PER_DECADE} fine bins. Each bin
 * joins several fine bins, so that a chart has at most 80 bins.
 *
 * @param first the number of the first joined bin; bin 0 begins at 1.0
 * @param count the number of joined bins
 * @param joined the number of fine bins in each
 */
public record LogBins(int first, int count, int joined) {
  public static final int PER_DECADE = 20;
  private static final int MAX = 80;

  /** Divisors of a decade, then multiples of it, so that edges fall on powers of ten. */
  private static final int[] JOINED = {1, 2, 4, 5, 10, 20, 40, 100, 200, 400};

  /** Returns bins that cover all given fine bins, {@code floor(log10(x) · PER_DECADE)}. */
  public static LogBins of(int[] fine) {
    int low = Arrays.stream(fine).min().orElseThrow();
    int high = Arrays.stream(fine).max().orElseThrow();
    for (int joined : JOINED) {
      int first = Math.floorDiv(low, joined);
      int count = Math.floorDiv(high, joined) - first + 1;
      if (count <= MAX) {
        return new LogBins(first, count, joined);
      }
    }
    throw new IllegalStateException(
        "Bins " + low + " to " + high + " exceed the range of a double");
  }

  /** Returns the index, from 0, of the joined bin that contains a fine bin. */
  public int of(int fine) {
    return Math.floorDiv(fine, joined) - first;
  }

  public List<Double> edges() {
    return IntStream.rangeClosed(first, first + count)
        .mapToObj(i -> StrictMath.pow(10, (double) i * joined / PER_DECADE))
        .toList();
  }
}
