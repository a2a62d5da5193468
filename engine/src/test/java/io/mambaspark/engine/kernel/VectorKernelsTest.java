package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Floats.assertSameBits;
import static org.assertj.core.api.Assertions.assertThat;

import java.util.Arrays;
import java.util.SplittableRandom;
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
  private final Kernels vector = Kernels.best();

  /** Compares the product by both kernels, without scratch rows. */
  private void compareProduct(
      long seed, int rows, int k, PackedMatrix w, boolean withBias, int first, int end) {
    Floats random = new Floats(seed);
    int stride = Panels.stride(rows);
    float[] a = random.panels(k, rows, stride, -1, 1);
    float[] bias = withBias ? random.array(w.panels() * 16, -1, 1) : null;
    float[] expected = new float[(end - first) * stride * 16];
    float[] found = new float[expected.length];
    product(scalar, a, rows, stride, w, bias, first, end, expected);
    product(vector, a, rows, stride, w, bias, first, end, found);
    assertSameBits(
        "seed %d, m %d, k %d, panels %d to %d, bias %s"
            .formatted(seed, rows, k, first, end, withBias),
        Floats.rows(found, rows, stride),
        Floats.rows(expected, rows, stride));
  }

  private static void product(
      Kernels kernels,
      float[] a,
      int rows,
      int stride,
      PackedMatrix w,
      float[] bias,
      int first,
      int end,
      float[] c) {
    if (w.format().isInteger()) {
      QuantizedRows quantized = new QuantizedRows();
      kernels.prepare(w);
      kernels.quantize(a, w.k(), rows, stride, w.format(), quantized);
      kernels.product(quantized, w, bias, first, end, c);
    } else {
      kernels.product(a, rows, stride, w, bias, first, end, c);
    }
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
    // An element contains a weight in F32, two in BF16, and four digits.
    int pair = k * 32 / (format.isInteger() ? 4 : format == WeightFormat.BF16 ? 2 : 1);
    for (int panels : new int[] {2, 4, 18}) {
      int segment = panels / 2 * pair;
      PackedMatrix split = fill(20, new PackedMatrix(format, k, new int[] {n}, segment), k, n);
      assertThat(split.segmentEnd(0)).isEqualTo(panels);
      for (int[] range :
          new int[][] {{0, 39}, {0, 1}, {1, 2}, {1, 4}, {3, 36}, {17, 38}, {38, 39}}) {
        compareProduct(21, 9, k, split, true, range[0], range[1]);
        compareProduct(22, 9, k, split, false, range[0], range[1]);
      }
      float[] a = new Floats(23).panels(k, 9, 24, -1, 1);
      float[] expected = new float[39 * 24 * 16];
      float[] found = new float[expected.length];
      product(vector, a, 9, 24, single, null, 0, 39, expected);
      product(vector, a, 9, 24, split, null, 0, 39, found);
      assertSameBits(
          "segments of " + panels, Floats.rows(found, 9, 24), Floats.rows(expected, 9, 24));
      QuantizedRows quantized = new QuantizedRows();
      if (format.isInteger()) {
        vector.quantize(a, k, 9, 24, format, quantized);
      }
      for (int row = 0; row < n; row += 61) {
        float dot = format.isInteger() ? split.dot(quantized, 8, row) : split.dot(a, 8, 24, row);
        assertThat(dot).isEqualTo(expected[Panels.index(8, row, 24)]);
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

  @Test
  void headScansOfRandomShapesAreEqualForPiecesOfEveryLength() {
    SplittableRandom random = new SplittableRandom(41);
    for (int round = 0; round < 40; round++) {
      int groups = 1 + random.nextInt(4);
      int headDim = random.nextInt(4) == 0 ? 16 << random.nextInt(3) : 1 + random.nextInt(70);
      int heads = groups * (1 + random.nextInt(1 + 200 / (groups * headDim)));
      int dState = random.nextInt(4) == 0 ? 8 << random.nextInt(4) : 1 + random.nextInt(130);
      int rows = 1 + random.nextInt(80);
      compareHeadScan(random.nextLong(), new Heads(heads, headDim, groups, dState), rows);
    }
  }

  @ParameterizedTest
  @CsvSource({
    "24, 64, 1, 128, 140",
    "16, 64, 8, 128, 20",
    "1, 1, 1, 1, 3",
    "17, 1, 1, 256, 70",
    "33, 3, 3, 255, 65",
    "2, 16, 2, 8, 64",
    "3, 16, 1, 9, 129"
  })
  void headScansOfRealAndExtremeShapesAreEqual(
      int heads, int headDim, int groups, int dState, int rows) {
    compareHeadScan(37, new Heads(heads, headDim, groups, dState), rows);
  }

  /** Compares the vector kernels on all pieces, and the scalar kernels on pieces, with one run. */
  private void compareHeadScan(long seed, Heads heads, int rows) {
    HeadScanInput in = new HeadScanInput(seed, heads, rows, Panels.stride(rows), 0.01f, 3f);
    HeadScanInput.Run expected = in.new Run().pieces(scalar, rows, rows);
    for (int length : new int[] {1, 2, 3, 7, rows}) {
      for (Kernels kernels : new Kernels[] {scalar, vector}) {
        if (kernels == vector || length == 7) {
          String what =
              "seed %d, %s, %s, %d rows in pieces of %d"
                  .formatted(seed, heads, kernels.describe(), rows, length);
          in.new Run().pieces(kernels, rows, length).assertSame(what, expected, rows);
        }
      }
    }
  }

  @Test
  void headScansOfExtremeStepsAreEqual() {
    float[] extreme = {
      -1e30f,
      -200,
      -88,
      -0f,
      0,
      20,
      88,
      1e38f,
      Float.POSITIVE_INFINITY,
      Float.NaN,
      Float.NEGATIVE_INFINITY
    };
    float[][] limits = {
      {0, Float.POSITIVE_INFINITY},
      {-0f, 0},
      {0.5f, 0.1f},
      {-2, -1},
      {0, Float.NaN},
      {1e38f, Float.MAX_VALUE}
    };
    for (float[] limit : limits) {
      for (int headDim : new int[] {3, 16}) {
        for (int t = 0; t < extreme.length; t++) {
          Heads heads = new Heads(5, headDim, 1, 9);
          HeadScanInput in = new HeadScanInput(38, heads, 6, 12, limit[0], limit[1]);
          for (int head = 0; head < 5; head++) {
            in.dt[Panels.index(head, head, 12)] = extreme[t];
          }
          in.xbc[Panels.index(3, 0, 12)] = 0;
          in.xbc[Panels.index(3, 1, 12)] = Float.POSITIVE_INFINITY;
          String what =
              "seed 38, dt %s, limits %s and %s, P %d"
                  .formatted(extreme[t], limit[0], limit[1], headDim);
          HeadScanInput.Run expected = in.new Run().pieces(scalar, 6, 6);
          in.new Run().pieces(vector, 6, 6).assertSame(what, expected, 6);
        }
      }
    }
  }

  @Test
  void headScansOfInfiniteBAndCAreEqual() {
    Heads heads = new Heads(3, 5, 1, 11);
    HeadScanInput in = new HeadScanInput(39, heads, 6, 12);
    in.xbc[in.bOffset + Panels.index(2, 3, 12)] = Float.POSITIVE_INFINITY;
    in.xbc[in.cOffset + Panels.index(4, 9, 12)] = Float.NaN;
    HeadScanInput.Run expected = in.new Run().pieces(scalar, 6, 6);
    in.new Run().pieces(vector, 6, 6).assertSame("seed 39", expected, 6);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "1, 1536", "2, 17", "3, 15", "8, 16", "4, 61"})
  void gatedNormsAreEqual(int groups, int channels) {
    for (int rows : ROWS) {
      Floats random = new Floats(40);
      int stride = Panels.stride(rows);
      float[] y = HeadScanInput.sections(random, groups, channels, rows, stride);
      float[] sections = HeadScanInput.sections(random, groups, channels, rows, stride);
      int zOffset = 2 * stride * 16;
      float[] z = new float[zOffset + sections.length];
      System.arraycopy(sections, 0, z, zOffset, sections.length);
      float[] sums = new float[stride * 16];
      float[] weights = random.array(groups * Panels.count(channels) * 16, 0.5f, 1.5f);
      for (float[] weight : new float[][] {null, weights}) {
        for (boolean before : new boolean[] {false, true}) {
          float[] expected = y.clone();
          float[] found = y.clone();
          scalar.gatedNorm(
              expected, z, zOffset, groups, channels, rows, stride, weight, before, 1e-5f, sums);
          vector.gatedNorm(
              found, z, zOffset, groups, channels, rows, stride, weight, before, 1e-5f, sums);
          assertSameBits(
              "seed 40, %d rows, weight %s, norm before gate %s"
                  .formatted(rows, weight != null, before),
              Floats.rows(found, rows, stride),
              Floats.rows(expected, rows, stride));
        }
      }
    }
  }

  @ParameterizedTest
  @CsvSource({"1, false", "2, false", "5, false", "16, false", "1, true", "5, true", "16, true"})
  void logitsAreFoldedEqually(int panels, boolean moments) {
    for (int rows : ROWS) {
      Floats random = new Floats(36);
      int stride = Panels.stride(rows);
      int lanes = rows * 16;
      float[][] max = new float[2][lanes];
      float[][] sum = new float[2][moments ? 3 * lanes : lanes];
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
                  : mark < 0.12f
                      ? LogSoftmax.PADDING
                      : mark < 0.14f ? -3e38f : mark < 0.16f ? Float.NEGATIVE_INFINITY : logits[i];
          if (block == 3 && mark > 0.95f) {
            logits[i] = 3e38f;
          }
        }
        int first = block * 16;
        scalar.foldLogits(logits, panels, first, rows, stride, max[0], sum[0], argMax[0], moments);
        vector.foldLogits(logits, panels, first, rows, stride, max[1], sum[1], argMax[1], moments);
        String what = "seed 36, rows %d, block %d".formatted(rows, block);
        assertSameBits(what + ", max", max[1], max[0]);
        assertSameBits(what + ", sum", sum[1], sum[0]);
        assertSameBits(what + ", arg max", argMax[1], argMax[0]);
      }
    }
  }
}
