package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Floats.assertSameBits;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Compares the vector kernels with the scalar ones, bit for bit. */
@Tag("kernels")
@Tag("vector")
class VectorKernelsTest {
  private static final int[] ROWS = {1, 2, 7, 8, 9, 11, 12, 13, 23, 24, 25, 480};

  private final Kernels scalar = new ScalarKernels("for a test");
  private final Kernels vector = new VectorKernels();

  /** Compares the product by both kernels, without scratch rows. */
  private void compareProduct(
      long seed, int rows, int k, PackedMatrix w, boolean withBias, int first, int end) {
    Floats random = new Floats(seed);
    int stride = Panels.stride(rows);
    float[] a = random.panels(k, rows, stride, -1, 1);
    float[] bias = withBias ? random.array(w.panels() * 16, -1, 1) : null;
    float[] expected = new float[(end - first) * stride * 16];
    float[] found = new float[expected.length];
    scalar.product(a, rows, stride, w, bias, first, end, expected);
    vector.product(a, rows, stride, w, bias, first, end, found);
    assertSameBits(
        "seed %d, m %d, k %d, panels %d to %d, bias %s"
            .formatted(seed, rows, k, first, end, withBias),
        Floats.rows(found, rows, stride),
        Floats.rows(expected, rows, stride));
  }

  private static PackedMatrix random(long seed, int k, int... sections) {
    return fill(seed, new PackedMatrix(WeightFormat.F32, k, sections), k, sections);
  }

  private static PackedMatrix fill(long seed, PackedMatrix w, int k, int... sections) {
    Floats random = new Floats(seed);
    for (int section = 0; section < sections.length; section++) {
      w.rows(section, 0, sections[section], random.matrix(sections[section], k));
    }
    return w;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 15, 16, 17, 97, 255, 256, 257, 513})
  void productsOfEverySizeAreEqual(int k) {
    for (int n : new int[] {1, 15, 16, 17, 31, 33, 61, 113}) {
      PackedMatrix w = random(11, k, n);
      for (int rows : ROWS) {
        compareProduct(12, rows, k, w, false, 0, w.panels());
        compareProduct(13, rows, k, w, true, 0, w.panels());
      }
    }
  }

  @ParameterizedTest
  @CsvSource({
    "768, 3072",
    "1536, 80",
    "48, 1536",
    "1536, 768",
    "128, 2000",
    "20, 2560",
    "10240, 40"
  })
  void productsOfRealShapesAreEqual(int k, int n) {
    PackedMatrix w = random(14, k, n);
    compareProduct(15, 25, k, w, false, 0, w.panels());
    compareProduct(16, 7, k, w, true, 0, w.panels());
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "17, 33", "255, 48", "256, 16", "257, 49", "513, 97", "768, 3072"})
  void productsOfBf16WeightsAreEqual(int k, int n) {
    PackedMatrix w = fill(14, new PackedMatrix(WeightFormat.BF16, k, n), k, n);
    compareProduct(15, 25, k, w, false, 0, w.panels());
    compareProduct(16, 7, k, w, true, 0, w.panels());
  }

  @Test
  void productsOfMatricesWithSectionsAreEqual() {
    PackedMatrix w = random(17, 60, 2, 5, 17, 60);
    compareProduct(18, 9, 60, w, false, 0, w.panels());
    compareProduct(19, 25, 60, w, true, 0, w.panels());
  }

  @ParameterizedTest
  @EnumSource
  void anyRangeOfPanelsAcrossAnyNumberOfArraysIsEqual(WeightFormat format) {
    int k = 40;
    int n = 16 * 39;
    PackedMatrix single = fill(20, new PackedMatrix(format, k, n), k, n);
    // An element contains two weights in BF16.
    int panel = k * 16 * format.bytes() / Float.BYTES;
    // Arrays of two, four and eighteen panels.
    for (int segment : new int[] {1, 4 * panel, 19 * panel}) {
      PackedMatrix split = fill(20, new PackedMatrix(format, k, new int[] {n}, segment), k, n);
      for (int[] range :
          new int[][] {{0, 39}, {0, 1}, {1, 2}, {1, 4}, {3, 36}, {17, 38}, {38, 39}}) {
        compareProduct(21, 9, k, split, true, range[0], range[1]);
        compareProduct(22, 9, k, split, false, range[0], range[1]);
      }
      float[] a = new Floats(23).panels(k, 9, 24, -1, 1);
      float[] expected = new float[39 * 24 * 16];
      float[] found = new float[expected.length];
      vector.product(a, 9, 24, single, null, 0, 39, expected);
      vector.product(a, 9, 24, split, null, 0, 39, found);
      assertSameBits(
          "segments of " + segment, Floats.rows(found, 9, 24), Floats.rows(expected, 9, 24));
      for (int row = 0; row < n; row += 61) {
        assertThat(split.dot(a, 8, 24, row)).isEqualTo(expected[Panels.index(8, row, 24)]);
      }
    }
  }

  @Test
  void aRowOfABatchEqualsTheSameRowAlone() {
    int k = 300;
    PackedMatrix w = random(24, k, 100);
    float[] a = new Floats(25).panels(k, 480, 480, -1, 1);
    float[] batch = new float[w.panels() * 480 * 16];
    vector.product(a, 480, 480, w, null, 0, w.panels(), batch);
    for (int row : new int[] {0, 1, 6, 7, 8, 23, 24, 251, 473, 478, 479}) {
      float[] alone = new float[Panels.count(k) * 24 * 16];
      float[] values = Floats.rows(a, row, 1, 480);
      for (int panel = 0; panel < Panels.count(k); panel++) {
        System.arraycopy(values, panel * 16, alone, panel * 24 * 16, 16);
      }
      float[] c = new float[w.panels() * 24 * 16];
      vector.product(alone, 1, 24, w, null, 0, w.panels(), c);
      assertSameBits("row " + row, Floats.rows(c, 1, 24), Floats.rows(batch, row, 1, 480));
    }
  }

  @Test
  void productsWithInfinitiesAndNaNAreEqual() {
    PackedMatrix w = random(26, 20, 40);
    float[] a = new Floats(27).panels(20, 9, 24, -1, 1);
    a[Panels.index(3, 7, 24)] = Float.POSITIVE_INFINITY;
    a[Panels.index(4, 1, 24)] = Float.NaN;
    a[Panels.index(5, 2, 24)] = Float.MAX_VALUE;
    float[] expected = new float[3 * 24 * 16];
    float[] found = new float[expected.length];
    scalar.product(a, 9, 24, w, null, 0, 3, expected);
    vector.product(a, 9, 24, w, null, 0, 3, found);
    assertSameBits("product", Floats.rows(found, 9, 24), Floats.rows(expected, 9, 24));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 15, 16, 17, 61, 768})
  void normsAreEqual(int columns) {
    for (int rows : ROWS) {
      Floats random = new Floats(31);
      int stride = Panels.stride(rows);
      int offset = 3 * stride * 16;
      float[] panels = random.panels(columns, rows, stride, -3, 3);
      float[] x = new float[offset + panels.length];
      System.arraycopy(panels, 0, x, offset, panels.length);
      float[] sums = new float[stride * 16];
      for (float[] weight : new float[][] {null, random.vector(columns, 0.5f, 1.5f)}) {
        float[] expected = new float[x.length];
        float[] found = new float[x.length];
        scalar.rmsNorm(x, offset, columns, rows, stride, weight, 1e-5f, expected, sums);
        vector.rmsNorm(x, offset, columns, rows, stride, weight, 1e-5f, found, sums);
        String what = "seed 31, %d rows, weight %s".formatted(rows, weight != null);
        assertSameBits(what, Floats.rows(found, rows, stride), Floats.rows(expected, rows, stride));

        float[] inPlace = x.clone();
        vector.rmsNorm(inPlace, offset, columns, rows, stride, weight, 1e-5f, inPlace, sums);
        assertSameBits(
            what + ", in place",
            Floats.rows(inPlace, rows, stride),
            Floats.rows(expected, rows, stride));
      }
    }
  }

  @Test
  void sumsAreEqual() {
    for (int rows : ROWS) {
      Floats random = new Floats(32);
      int stride = Panels.stride(rows);
      float[] x = random.panels(40, rows, stride, -1, 1);
      float[] y = random.panels(40, rows, stride, -1, 1);
      float[] expected = x.clone();
      float[] found = x.clone();
      scalar.add(expected, y, 3, rows, stride);
      vector.add(found, y, 3, rows, stride);
      assertSameBits(
          "seed 32, rows " + rows,
          Floats.rows(found, rows, stride),
          Floats.rows(expected, rows, stride));
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 4, 5})
  void convolutionsAreEqualForPiecesOfEveryLength(int dConv) {
    for (int channels : new int[] {1, 15, 16, 17, 61}) {
      Floats random = new Floats(33);
      int panels = Panels.count(channels);
      int rows = 40;
      int stride = 48;
      float[] x = random.panels(channels, rows, stride, -3, 3);
      float[] weight = random.array(panels * dConv * 16, -1, 1);
      float[] bias = random.vector(channels, -1, 1);
      float[] context = random.array(panels * (dConv - 1) * 16, -3, 3);
      float[] window = new float[(dConv - 1 + stride) * 16];
      float[] complete = x.clone();
      float[] completeContext = context.clone();
      scalar.convolution(
          complete, panels, stride, 0, rows, weight, bias, dConv, completeContext, window);
      for (int length : new int[] {1, 2, 3, 4, 5, 7, 39, 40}) {
        for (Kernels kernels : new Kernels[] {scalar, vector}) {
          float[] found = x.clone();
          float[] carried = context.clone();
          for (int row = 0; row < rows; row += length) {
            int taken = Math.min(length, rows - row);
            kernels.convolution(
                found, panels, stride, row, taken, weight, bias, dConv, carried, window);
          }
          String what =
              "seed 33, %s, %d channels, pieces of %d"
                  .formatted(kernels.describe(), channels, length);
          assertSameBits(
              what, Floats.rows(found, rows, stride), Floats.rows(complete, rows, stride));
          assertSameBits(what + ", context", carried, completeContext);
        }
      }
    }
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 3, 4, 5, 16, 17, 256})
  void scansAreEqualForPiecesOfEveryLength(int dState) {
    for (int channels : new int[] {1, 15, 16, 17, 61}) {
      int rows = dState > 100 ? 25 : 40;
      ScanInput in = new ScanInput(34, channels, dState, rows, 48);
      float[] wholeXz = in.xz.clone();
      float[] wholeDt = in.dt.clone();
      float[] wholeState = in.state.clone();
      float[] wholeY = new float[in.panels * 48 * 16];
      in.run(scalar, 0, rows, wholeXz, wholeDt, wholeState, wholeY);
      for (int length : new int[] {1, 2, 3, 7, 24, rows}) {
        for (Kernels kernels : new Kernels[] {scalar, vector}) {
          float[] xz = in.xz.clone();
          float[] dt = in.dt.clone();
          float[] state = in.state.clone();
          float[] y = new float[wholeY.length];
          for (int row = 0; row < rows; row += length) {
            in.run(kernels, row, Math.min(length, rows - row), xz, dt, state, y);
          }
          String what =
              "seed 34, %s, %d channels, pieces of %d"
                  .formatted(kernels.describe(), channels, length);
          assertSameBits(what, Floats.rows(y, rows, 48), Floats.rows(wholeY, rows, 48));
          assertSameBits(what + ", x and z", xz, wholeXz);
          assertSameBits(what + ", dt", Floats.rows(dt, rows, 48), Floats.rows(wholeDt, rows, 48));
          assertSameBits(what + ", state", state, wholeState);
        }
      }
    }
  }

  @Test
  void scansOfExtremeStepsAreEqual() {
    ScanInput in = new ScanInput(35, 17, 5, 24, 24);
    float[] extreme = {
      -1e30f,
      -200,
      -88,
      -87.5f,
      -20,
      0,
      20,
      88,
      89,
      1e5f,
      1e38f,
      Float.POSITIVE_INFINITY,
      Float.NaN,
      Float.NEGATIVE_INFINITY
    };
    for (int t = 0; t < extreme.length; t++) {
      for (int channel = 0; channel < 17; channel++) {
        in.dt[Panels.index(t, channel, 24)] = extreme[t];
      }
    }
    float[][] results = new float[2][2 * 24 * 16];
    float[][] states = {in.state.clone(), in.state.clone()};
    float[][] dts = {in.dt.clone(), in.dt.clone()};
    float[][] xzs = {in.xz.clone(), in.xz.clone()};
    in.run(scalar, 0, 24, xzs[0], dts[0], states[0], results[0]);
    in.run(vector, 0, 24, xzs[1], dts[1], states[1], results[1]);
    assertSameBits("seed 35, dt", Floats.rows(dts[1], 24, 24), Floats.rows(dts[0], 24, 24));
    assertSameBits("seed 35, x and z", xzs[1], xzs[0]);
    assertSameBits("seed 35", Floats.rows(results[1], 24, 24), Floats.rows(results[0], 24, 24));
    assertSameBits("seed 35, state", states[1], states[0]);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 5, 16})
  void logitsAreFoldedEqually(int panels) {
    for (int rows : ROWS) {
      Floats random = new Floats(36);
      int stride = Panels.stride(rows);
      int lanes = rows * 16;
      float[][] max = new float[2][lanes];
      float[][] sum = new float[2][lanes];
      float[][] argMax = new float[2][lanes];
      Arrays.fill(max[0], LogSoftmax.PADDING);
      Arrays.fill(max[1], LogSoftmax.PADDING);
      for (int block = 0; block < 4; block++) {
        float[] logits = random.panels(panels * 16, rows, stride, -30, 30);
        for (int i = 0; i < logits.length; i++) {
          // Ties, extreme values and padding.
          float mark = random.between(0, 1);
          logits[i] =
              mark < 0.1f
                  ? 29f
                  : mark < 0.12f ? LogSoftmax.PADDING : mark < 0.14f ? -3e38f : logits[i];
          if (block == 3 && mark > 0.95f) {
            logits[i] = 3e38f;
          }
        }
        scalar.foldLogits(logits, panels, block * 16, rows, stride, max[0], sum[0], argMax[0]);
        vector.foldLogits(logits, panels, block * 16, rows, stride, max[1], sum[1], argMax[1]);
        String what = "seed 36, rows %d, block %d".formatted(rows, block);
        assertSameBits(what + ", max", max[1], max[0]);
        assertSameBits(what + ", sum", sum[1], sum[0]);
        assertSameBits(what + ", arg max", argMax[1], argMax[0]);
      }
    }
  }
}
