package io.mambaspark.jobs.stats;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Bins of equal width on a logarithmic scale: fine ones, {@link #PER_DECADE} to a factor of ten, of
 * which so many are joined that there are not too many to look at.
 *
 * @param first number of the first joined bin, counted from 1.0
 * @param count of joined bins
 * @param joined fine bins in each
 */
public record LogBins(int first, int count, int joined) {
  public static final int PER_DECADE = 20;
  private static final int MAX = 80;

  /** Divisors of a decade, then whole decades, so that edges lie at powers of ten. */
  private static final int[] JOINED = {1, 2, 4, 5, 10, 20, 40, 100, 200, 400};

  /** Bins for all these fine ones: {@code floor(log10(x) · PER_DECADE)}. */
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
    throw new IllegalStateException("Bins from " + low + " to " + high + " are no doubles'");
  }

  /** The joined bin, counted from 0, that holds a fine one. */
  public int of(int fine) {
    return Math.floorDiv(fine, joined) - first;
  }

  public List<Double> edges() {
    return IntStream.rangeClosed(first, first + count)
        .mapToObj(i -> StrictMath.pow(10, (double) i * joined / PER_DECADE))
        .toList();
  }
}
