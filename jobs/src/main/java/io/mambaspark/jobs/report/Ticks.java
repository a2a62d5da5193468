package io.mambaspark.jobs.report;

import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The ticks of an axis.
 *
 * @param at positions on the axis, in drawn units (logarithms on a logarithmic axis)
 */
record Ticks(List<Double> at, List<String> labels) {
  /** The position of 0 on an axis of powers of two: as far before 1 as 1 is before 2. */
  static final int LOG2_OF_ZERO = -1;

  /** Returns ticks at round numbers from 0 to a maximum. */
  static Ticks linear(double max, int most) {
    double step = step(max / most);
    List<Double> at = new ArrayList<>();
    for (int i = 0; i * step <= max * (1 + 1e-9); i++) {
      at.add(i * step);
    }
    return new Ticks(at, at.stream().map(Numbers::tick).toList());
  }

  /** Returns ticks at round numbers between two numbers. */
  static Ticks linear(double low, double high, int most) {
    double step = step((high - low) / most);
    List<Double> at = new ArrayList<>();
    for (double i = Math.ceil(low / step - 1e-9); i * step <= high + 1e-9 * step; i++) {
      at.add(i * step);
    }
    return new Ticks(at, at.stream().map(Numbers::tick).toList());
  }

  private static double step(double atLeast) {
    if (!(atLeast > 0)) {
      return 1;
    }
    double power = Math.pow(10, Math.floor(Math.log10(atLeast)));
    for (int factor : new int[] {1, 2, 5}) {
      if (factor * power >= atLeast * (1 - 1e-9)) {
        return factor * power;
      }
    }
    return 10 * power;
  }

  /**
   * Returns ticks at powers of ten between two logarithms to base 10, leaving out some if there are
   * more than {@code most}. If there are fewer than three, adds 2 and 5 between powers of ten, and
   * if that is not enough, uses round numbers instead.
   */
  static Ticks log10(double low, double high, int most) {
    for (int every = 1; every <= 512; every *= 2) {
      List<Double> at = new ArrayList<>();
      for (int e = (int) Math.ceil(low - 1e-9); e <= high + 1e-9; e++) {
        if (Math.floorMod(e, every) == 0) {
          at.add((double) e);
        }
      }
      if (every == 1 && at.size() < 3) {
        return betweenDecades(low, high, most);
      }
      if (at.size() <= most) {
        return new Ticks(at, at.stream().map(e -> Numbers.tick(Math.pow(10, e))).toList());
      }
    }
    throw new IllegalStateException("No ticks between 1e" + low + " and 1e" + high);
  }

  private static Ticks betweenDecades(double low, double high, int most) {
    List<Double> values = new ArrayList<>();
    for (int e = (int) Math.floor(low); e <= high; e++) {
      for (int factor : new int[] {1, 2, 5}) {
        values.add(factor * Math.pow(10, e));
      }
    }
    values.removeIf(value -> Math.log10(value) < low - 1e-9 || Math.log10(value) > high + 1e-9);
    if (values.size() < 3) {
      double from = Math.pow(10, low);
      double to = Math.pow(10, high);
      double step = step((to - from) / most);
      values.clear();
      for (double i = Math.ceil(from / step - 1e-9); i * step <= to * (1 + 1e-9); i++) {
        values.add(i * step);
      }
    }
    return new Ticks(
        values.stream().map(Math::log10).toList(), values.stream().map(Numbers::tick).toList());
  }

  /** Returns ticks at powers of two between two logarithms to base 2. */
  static Ticks log2(int low, int high, int most) {
    int every = Math.max(1, -Math.floorDiv(-(high - low + 1), most));
    List<Double> at =
        IntStream.rangeClosed(low, high)
            .filter(e -> (e - low) % every == 0)
            .mapToObj(e -> (double) e)
            .toList();
    return new Ticks(at, at.stream().map(e -> binary(e.intValue())).toList());
  }

  /** Formats a power of two: 512, 16 Ki. */
  private static String binary(int exponent) {
    if (exponent == LOG2_OF_ZERO) {
      return "0";
    }
    String[] units = {"", " Ki", " Mi", " Gi", " Ti", " Pi", " Ei"};
    // A number of up to four digits is easier to read in full.
    int unit = exponent < 14 ? 0 : exponent / 10;
    return Numbers.count(1L << (exponent - 10 * unit)) + units[unit];
  }
}
