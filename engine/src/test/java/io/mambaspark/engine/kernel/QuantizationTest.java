package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Floats.assertSameBits;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.assertj.core.api.ThrowableAssert.ThrowingCallable;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Compares products of integers with their definition, computed in longs and doubles, bit for bit.
 * The kernels are those of the test run, and the scalar ones.
 */
@Tag("kernels")
class QuantizationTest {
  private final Kernels best = Kernels.best();
  private final Kernels scalar = new ScalarKernels("for a test");

  /** The numbers of rows that these matrices have. */
  private enum Values {
    /** In [-1, 1). */
    RANDOM,
    /** 127 or -127: all digits are 127 or -127. */
    SIGNS,
    /** 127 only: all digits are 127, so that sums are as large as possible. */
    LARGEST,
    /** Rows of any exponent, with zeros. */
    EXTREME,
    /**
     * The largest integer, then random digits of one sign of which the high ones are in [64, 127]:
     * sums of spans are large and odd, and sums of several round.
     */
    ONE_SIGN,
    /** As ONE_SIGN, but spans of 1,024 steps of W alternate in sign. */
    ALTERNATING;

    /** Whether sums of more than two spans have rounding errors. */
    boolean rounds() {
      return this == ONE_SIGN || this == ALTERNATING;
    }
  }

  private static float[] values(Values kind, int digits, long seed, int n, int k) {
    SplittableRandom random = new SplittableRandom(seed);
    float[] values = new float[n * k];
    for (int row = 0; row < n; row++) {
      float unit = Math.scalb(1f, random.nextInt(-149, 120));
      for (int i = row * k; i < (row + 1) * k; i++) {
        float x = (random.nextInt() >> 8) * 0x1p-23f;
        values[i] =
            switch (kind) {
              case RANDOM -> x;
              case SIGNS -> x < 0 ? -127f : 127f;
              case LARGEST -> 127f;
              case EXTREME -> Math.abs(x) < 0.1f ? 0f : x * unit;
              case ONE_SIGN, ALTERNATING -> {
                int high = i == row * k ? 127 : random.nextInt(64, 128);
                int low = i == row * k ? 127 : random.nextInt(128);
                int sign = kind == Values.ONE_SIGN || (i - row * k) / 1024 % 2 == 0 ? 1 : -1;
                yield sign * (digits == 1 ? high : 255 * high + low);
              }
            };
      }
    }
    return values;
  }

  /** A row by the definition: its scale, and its digits as longs. */
  private record QuantizedRow(float scale, long[] high, long[] low) {
    static QuantizedRow of(float[] values, int from, int k, int digits) {
      float m = 0f;
      for (int i = 0; i < k; i++) {
        m = Math.max(m, Math.abs(values[from + i]));
      }
      int largest = digits == 1 ? 127 : 32512;
      float scale = m >= largest * 0x1p-126f ? m / largest : 0f;
      QuantizedRow row = new QuantizedRow(scale, new long[k], new long[k]);
      for (int i = 0; i < k && scale > 0; i++) {
        double q = Math.rint(values[from + i] / scale);
        row.high[i] = digits == 1 ? (long) q : Math.round(q / 255);
        row.low[i] = digits == 1 ? 0 : (long) q - 255 * row.high[i];
        assertThat(Math.abs(row.high[i])).isLessThanOrEqualTo(127);
        assertThat(Math.abs(row.low[i])).isLessThanOrEqualTo(127);
      }
      return row;
    }
  }

  /** An exact sum of spans, with the number of additions of floats that would round it. */
  private static final class Sum {
    long exact;
    private int spans;
    private float running;
    private int errors;

    /** Adds the products of two rows of digits. */
    void add(long[] a, long[] w) {
      for (int from = 0; from < a.length; from += 1024) {
        long span = 0;
        for (int i = from; i < Math.min(a.length, from + 1024); i++) {
          span += a[i] * w[i];
        }
        exact += span;
        // The vector kernels keep the second span apart, as the first error.
        if (spans++ != 1) {
          double sum = (double) running + span;
          running = (float) sum;
          errors += running == sum ? 0 : 1;
        }
      }
    }
  }

  /** The additions in all elements of a test that round, of high digits and of low ones. */
  private final int[] errors = new int[2];

  /** An element of the product by the definition, without a bias. */
  private float element(QuantizedRow a, QuantizedRow w, WeightFormat format) {
    Sum high = new Sum();
    Sum rest = new Sum();
    high.add(a.high, w.high);
    if (format.digits() == 2) {
      rest.add(a.low, w.high);
      rest.add(a.high, w.low);
    }
    errors[0] += high.errors;
    errors[1] += rest.errors;
    float t = format.digits() == 1 ? high.exact : Math.fma((float) high.exact, 255f, rest.exact);
    return t * (a.scale * (format.digits() == 1 ? w.scale : w.scale * 255f));
  }

  private static PackedMatrix packed(WeightFormat format, float[] values, int n, int k) {
    PackedMatrix w = new PackedMatrix(format, k, n);
    w.rows(0, 0, n, values);
    return w;
  }

  /** Returns rows in column panels, with NaN in the padding and in the scratch rows. */
  private static float[] panels(float[] values, int rows, int k, int stride) {
    float[] a = new float[Panels.count(k) * stride * 16];
    Arrays.fill(a, Float.NaN);
    for (int row = 0; row < rows; row++) {
      for (int i = 0; i < k; i++) {
        a[Panels.index(row, i, stride)] = values[row * k + i];
      }
    }
    return a;
  }

  private static void product(
      Kernels kernels, float[] a, int rows, int stride, PackedMatrix w, float[] bias, float[] c) {
    QuantizedRows quantized = new QuantizedRows();
    kernels.prepare(w);
    kernels.quantize(a, w.k(), rows, stride, w.format(), quantized);
    kernels.product(quantized, w, bias, 0, w.panels(), c);
  }

  private void check(WeightFormat format, Values kind, int rows, int k, int n, boolean withBias) {
    long seed = 1000L * k + rows;
    Values aKind = kind == Values.ALTERNATING ? Values.ONE_SIGN : kind;
    float[] aValues = values(aKind, format.digits(), seed, rows, k);
    float[] wValues = values(kind, format.digits(), seed + 1, n, k);
    PackedMatrix w = packed(format, wValues, n, k);
    float[] bias = withBias ? new Floats(seed).vector(n, -1, 1) : null;
    int stride = Panels.stride(rows);
    float[] a = panels(aValues, rows, k, stride);
    float[] expected = new float[rows * n];
    QuantizedRow[] wRows = new QuantizedRow[n];
    Arrays.setAll(wRows, j -> QuantizedRow.of(wValues, j * k, k, format.digits()));
    for (int row = 0; row < rows; row++) {
      QuantizedRow aRow = QuantizedRow.of(aValues, row * k, k, format.digits());
      for (int j = 0; j < n; j++) {
        float result = element(aRow, wRows[j], format);
        expected[row * n + j] = withBias ? result + bias[j] : result;
      }
    }

    for (Kernels kernels : new Kernels[] {scalar, best}) {
      float[] c = new float[w.panels() * stride * 16];
      product(kernels, a, rows, stride, w, bias, c);
      float[] found = new float[rows * n];
      for (int i = 0; i < found.length; i++) {
        found[i] = c[Panels.index(i / n, i % n, stride)];
      }
      String what = "%s, %s, m %d, k %d, n %d, bias %s, %s";
      assertSameBits(
          what.formatted(format, kind, rows, k, n, withBias, kernels.describe()), found, expected);
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INT8", "INT16"})
  void productsOfEveryKUpTo70AreThoseOfTheDefinition(WeightFormat format) {
    for (int k = 1; k <= 70; k++) {
      for (Values kind : Values.values()) {
        check(format, kind, 1, k, 17, false);
        check(format, kind, 7, k, 49, true);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "64, 255, 33", "64, 257, 48", "480, 70, 48", "7, 1023, 33", "7, 1024, 33", "7, 1025, 33",
    "7, 1039, 33", "7, 1040, 33", "7, 1041, 33", "64, 1041, 33", "7, 1536, 300", "7, 2047, 33",
    "7, 2048, 33", "7, 2049, 33", "7, 3073, 49", "1, 10239, 17", "7, 10240, 33", "1, 10241, 17"
  })
  void productsOfLongRowsAreThoseOfTheDefinition(int rows, int k, int n) {
    for (Values kind : Values.values()) {
      check(WeightFormat.INT8, kind, rows, k, n, kind == Values.SIGNS);
      check(WeightFormat.INT16, kind, rows, k, n, kind == Values.SIGNS);
    }
  }

  @ParameterizedTest
  @CsvSource({"INT8, 133144", "INT16, 66572"})
  void productsOfTheLongestRowsAreThoseOfTheDefinition(WeightFormat format, int k) {
    assertThat(Quantization.maxK(format)).isEqualTo(k);
    for (Values kind : Values.values()) {
      check(format, kind, 1, k, 2, false);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "INT8, 3073",
    "INT16, 3073",
    "INT8, 10241",
    "INT16, 10241",
    "INT8, 133144",
    "INT16, 66572"
  })
  void roundingErrorsOfSumsOfSpansAreAdded(WeightFormat format, int k) {
    for (Values kind : Values.values()) {
      if (kind.rounds()) {
        Arrays.fill(errors, 0);
        check(format, kind, 3, k, 33, false);
        // Over 50 of 99 elements: the sums of all spans need these errors.
        assertThat(errors[0]).as("%s, high digits", kind).isGreaterThan(50);
        if (kind == Values.ONE_SIGN && format.digits() == 2) {
          assertThat(errors[1]).as("low digits").isGreaterThan(50);
        }
      }
    }
  }

  @Test
  void rowsAndMatricesOfOtherShapesOrFormatsAreRefused() {
    QuantizedRows rows = new QuantizedRows();
    int stride = Panels.stride(4);
    float[] floats = new float[3 * stride * 16];
    PackedMatrix int16 = new PackedMatrix(WeightFormat.INT16, 40, 16);
    for (Kernels kernels : new Kernels[] {scalar, best}) {
      kernels.quantize(floats, 40, 4, stride, WeightFormat.INT16, rows);
      kernels.prepare(int16);
      kernels.product(rows, int16, null, 0, 1, floats);
      for (PackedMatrix other :
          List.of(
              new PackedMatrix(WeightFormat.INT16, 41, 16),
              new PackedMatrix(WeightFormat.INT8, 40, 16),
              new PackedMatrix(WeightFormat.F32, 40, 16))) {
        String message =
            "Cannot multiply integers with a matrix in %s: found 40 columns of 2 digits, expected"
                + " %d of %d";
        refused(
            () -> kernels.product(rows, other, null, 0, 1, floats),
            message.formatted(other.format(), other.k(), other.format().digits()));
        refused(
            () -> other.dot(rows, 0, 0),
            message.formatted(other.format(), other.k(), other.format().digits()));
      }
      String message = "Cannot read floats from a matrix in int16: expected f32 or bf16";
      refused(() -> kernels.product(floats, 4, stride, int16, null, 0, 1, floats), message);
      refused(() -> int16.dot(floats, 0, stride, 0), message);
      refused(() -> int16.copyRow(0, floats, 0, stride), message);
    }
  }

  private static void refused(ThrowingCallable call, String message) {
    assertThatThrownBy(call).isInstanceOf(IllegalArgumentException.class).hasMessage(message);
  }

  @ParameterizedTest
  @EnumSource(names = {"INT8", "INT16"})
  void productsOfManyRowsAreThoseOfTheDefinition(WeightFormat format) {
    check(format, Values.RANDOM, 480, 768, 48, false);
    check(format, Values.SIGNS, 480, 1536, 17, true);
  }

  @Test
  void everyIntegerOfTwoDigitsIsSplitAlikeByBothForms() {
    int k = 2 * 32512 + 1;
    float[] a = new float[Panels.count(k) * 4 * 16];
    for (int i = 0; i < k; i++) {
      a[Panels.index(0, i, 4)] = i - 32512;
    }
    for (Kernels kernels : new Kernels[] {scalar, best}) {
      QuantizedRows rows = new QuantizedRows();
      kernels.quantize(a, k, 1, 4, WeightFormat.INT16, rows);
      assertThat(rows.scales[0]).isEqualTo(1f);
      for (int i = 0; i < k; i++) {
        int at = Panels.index(0, i, 4);
        assertThat(rows.high[at]).isEqualTo(Math.round((i - 32512) / 255.0));
        assertThat(255 * rows.high[at] + rows.low[at]).isEqualTo(i - 32512);
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INT8", "INT16"})
  void integersAndScalesOfBothFormsAreEqual(WeightFormat format) {
    // One object for all shapes: what an earlier input left must not matter.
    QuantizedRows found = new QuantizedRows();
    for (int k : new int[] {100, 1, 15, 16, 17, 31, 33, 100}) {
      for (Values kind : Values.values()) {
        int rows = 67;
        int stride = Panels.stride(rows);
        float[] values = values(kind, format.digits(), k, rows, k);
        float[] a = panels(values, rows, k, stride);
        QuantizedRows expected = new QuantizedRows();
        scalar.quantize(a, k, rows, stride, format, expected);
        best.quantize(a, k, rows, stride, format, found);
        String what = "%s, %s, k %d".formatted(format, kind, k);
        for (int row = 0; row < rows; row++) {
          assertThat(found.scales[row]).as(what).isEqualTo(expected.scales[row]);
          for (int i = 0; i < k; i++) {
            int at = Panels.index(row, i, stride);
            assertThat(found.high[at]).as(what).isEqualTo(expected.high[at]);
            if (format.digits() == 2) {
              assertThat(found.low[at]).as(what).isEqualTo(expected.low[at]);
            }
          }
        }
      }
    }
  }

  @ParameterizedTest
  @EnumSource(names = {"INT8", "INT16"})
  void aRowWithAnInfinityOrNaNHasNoResultsAndOthersAreNotAffected(WeightFormat format) {
    int k = 1100;
    int rows = 9;
    int stride = Panels.stride(rows);
    float[] aValues = values(Values.RANDOM, format.digits(), 31, rows, k);
    PackedMatrix w = packed(format, values(Values.RANDOM, format.digits(), 32, 40, k), 40, k);
    float[] without = new float[w.panels() * stride * 16];
    product(best, panels(aValues, rows, k, stride), rows, stride, w, null, without);
    aValues[2 * k] = Float.POSITIVE_INFINITY;
    aValues[4 * k + 1099] = Float.NaN;
    aValues[5 * k + 500] = Float.NEGATIVE_INFINITY;
    float[] a = panels(aValues, rows, k, stride);

    for (Kernels kernels : new Kernels[] {scalar, best}) {
      float[] c = new float[without.length];
      product(kernels, a, rows, stride, w, null, c);
      for (int row = 0; row < rows; row++) {
        for (int j = 0; j < 40; j++) {
          int at = Panels.index(row, j, stride);
          boolean none = row == 2 || row == 4 || row == 5;
          assertThat(c[at]).isEqualTo(Float.valueOf(none ? Float.NaN : without[at]));
        }
      }
    }
  }
}
