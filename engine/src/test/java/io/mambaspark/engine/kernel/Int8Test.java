package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Floats.assertSameBits;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/**
 * Compares products in INT8 with their definition, computed in longs and doubles, bit for bit. The
 * kernels are those of the test run, and the scalar ones.
 */
@Tag("kernels")
class Int8Test {
  private final Kernels best = Kernels.best();
  private final Kernels scalar = new ScalarKernels("for a test");

  /** The numbers of rows that these matrices have. */
  private enum Values {
    /** In [-1, 1). */
    RANDOM,
    /** 127 or -127, so that sums are as large as possible. */
    SIGNS,
    /** 127 only. */
    LARGEST,
    /** Rows of any exponent, with zeros. */
    EXTREME
  }

  private static float[] values(Values kind, long seed, int n, int k) {
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
            };
      }
    }
    return values;
  }

  /** The definition of the quantized row: the integers, and the scale in the last element. */
  private static double[] quantized(float[] values, int from, int k) {
    float m = 0f;
    for (int i = 0; i < k; i++) {
      m = Math.max(m, Math.abs(values[from + i]));
    }
    double[] q = new double[k + 1];
    float scale = m >= 127 * 0x1p-126f ? m / 127f : 0f;
    for (int i = 0; i < k && scale > 0; i++) {
      q[i] = Math.rint(values[from + i] / scale);
      assertThat(Math.abs(q[i])).isLessThanOrEqualTo(127);
    }
    q[k] = scale;
    return q;
  }

  private static PackedMatrix packed(float[] values, int n, int k) {
    PackedMatrix w = new PackedMatrix(WeightFormat.INT8, k, n);
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
    float[] scales = new float[rows];
    float[] integers = new float[a.length];
    kernels.toInt8(a, w.k(), rows, stride, integers, scales);
    kernels.int8Product(integers, scales, rows, stride, w, bias, 0, w.panels(), c);
  }

  private void check(Values kind, int rows, int k, int n, boolean withBias) {
    long seed = 1000L * k + rows;
    float[] aValues = values(kind, seed, rows, k);
    float[] wValues = values(kind, seed + 1, n, k);
    PackedMatrix w = packed(wValues, n, k);
    float[] bias = withBias ? new Floats(seed).vector(n, -1, 1) : null;
    int stride = Panels.stride(rows);
    float[] a = panels(aValues, rows, k, stride);
    float[] expected = new float[rows * n];
    double[][] wRows = new double[n][];
    for (int j = 0; j < n; j++) {
      wRows[j] = quantized(wValues, j * k, k);
    }
    for (int row = 0; row < rows; row++) {
      double[] aRow = quantized(aValues, row * k, k);
      for (int j = 0; j < n; j++) {
        long sum = 0;
        for (int i = 0; i < k; i++) {
          sum += (long) aRow[i] * (long) wRows[j][i];
        }
        float result = (float) sum * ((float) aRow[k] * (float) wRows[j][k]);
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
      String what = "%s, m %d, k %d, n %d, bias %s, %s";
      assertSameBits(
          what.formatted(kind, rows, k, n, withBias, kernels.describe()), found, expected);
    }
  }

  @Test
  void productsOfEveryKUpTo70AreThoseOfTheDefinition() {
    for (int k = 1; k <= 70; k++) {
      for (Values kind : Values.values()) {
        check(kind, 1, k, 17, false);
        check(kind, 7, k, 49, true);
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "64, 255, 33", "64, 257, 48", "480, 70, 48", "7, 1023, 33", "7, 1024, 33", "7, 1025, 33",
    "7, 1039, 33", "7, 1040, 33", "7, 1041, 33", "64, 1041, 33", "7, 1536, 300", "7, 2047, 33",
    "7, 2048, 33", "7, 2049, 33", "7, 3073, 49", "1, 10239, 17", "7, 10240, 33", "1, 10241, 17",
    "1, 133144, 2"
  })
  void productsOfLongRowsAreThoseOfTheDefinition(int rows, int k, int n) {
    for (Values kind : Values.values()) {
      check(kind, rows, k, n, kind == Values.SIGNS);
    }
  }

  @Test
  void productsOfManyRowsAreThoseOfTheDefinition() {
    check(Values.RANDOM, 480, 768, 48, false);
    check(Values.SIGNS, 480, 1536, 17, true);
  }

  @Test
  void integersAndScalesOfBothFormsAreEqual() {
    for (int k : new int[] {1, 15, 16, 17, 31, 33, 100}) {
      for (Values kind : Values.values()) {
        int rows = 67;
        int stride = Panels.stride(rows);
        float[] a = panels(values(kind, k, rows, k), rows, k, stride);
        float[] expected = new float[a.length];
        float[] expectedScales = new float[rows];
        scalar.toInt8(a, k, rows, stride, expected, expectedScales);
        float[] scales = new float[rows];
        best.toInt8(a, k, rows, stride, a, scales);
        String what = "%s, k %d".formatted(kind, k);
        assertSameBits(what, scales, expectedScales);
        for (int row = 0; row < rows; row++) {
          for (int i = 0; i < k; i++) {
            int at = Panels.index(row, i, stride);
            assertThat(a[at]).as(what).isEqualTo(expected[at]);
          }
        }
      }
    }
  }

  @Test
  void aRowWithAnInfinityOrNaNHasNoResultsAndOthersAreNotAffected() {
    int k = 1100;
    int rows = 9;
    int stride = Panels.stride(rows);
    float[] aValues = values(Values.RANDOM, 31, rows, k);
    PackedMatrix w = packed(values(Values.RANDOM, 32, 40, k), 40, k);
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
