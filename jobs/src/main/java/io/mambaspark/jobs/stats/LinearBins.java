package io.mambaspark.jobs.stats;

import java.util.List;
import java.util.stream.LongStream;

/**
 * At most 42 bins of equal width, whose edges are multiples of the width.
 *
 * @param first the number of the first bin; bin 0 begins at 0
 * @param count the number of bins
 * @param width 1, 2 or 5 times a power of ten
 */
record LinearBins(long first, int count, double width) {
  private static final int MAX = 40;

  /** Returns bins from {@code low} to {@code high}, none of them narrower than {@code least}. */
  static LinearBins of(double low, double high, double least) {
    // Labels of axes have at most 4 decimals, and doubles limit the width of almost equal values.
    double magnitude = Math.max(Math.abs(low), Math.abs(high));
    double width =
        round(Math.max(Math.max(high / MAX - low / MAX, least), Math.max(magnitude * 1e-9, 1e-4)));
    long first = (long) Math.floor(low / width);
    return new LinearBins(first, (int) ((long) Math.floor(high / width) - first) + 1, width);
  }

  /** Returns the least 1, 2 or 5 times a power of ten that is at least {@code width}. */
  private static double round(double width) {
    double power = Math.pow(10, Math.floor(Math.log10(width)));
    for (int factor : new int[] {1, 2, 5}) {
      if (factor * power >= width) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  List<Double> edges() {
    return LongStream.rangeClosed(first, first + count).mapToObj(i -> i * width).toList();
  }
}
