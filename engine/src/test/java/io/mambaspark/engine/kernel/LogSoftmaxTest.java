package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

@Tag("kernels")
class LogSoftmaxTest {
  private final Kernels kernels = Kernels.best();

  /** Computes the log-softmax of rows of logits, (rows, vocabulary). */
  private LogSoftmax over(float[][] logits) {
    return over(kernels, logits);
  }

  private static LogSoftmax over(Kernels kernels, float[][] logits) {
    int rows = logits.length;
    LogSoftmax softmax = new LogSoftmax(kernels, rows, true);
    fold(softmax, logits);
    return softmax;
  }

  private static void fold(LogSoftmax softmax, float[][] logits) {
    int rows = logits.length;
    int vocabulary = logits[0].length;
    int stride = Panels.stride(rows);
    softmax.begin(rows);
    int panels = Panels.count(vocabulary);
    for (int first = 0; first < panels; first += LogSoftmax.BLOCK) {
      int held = Math.min(LogSoftmax.BLOCK, panels - first);
      float[] block = new float[held * stride * 16];
      for (int row = 0; row < rows; row++) {
        for (int i = 0; i < held * 16; i++) {
          int id = first * 16 + i;
          block[Panels.index(row, i, stride)] =
              id < vocabulary ? logits[row][id] : LogSoftmax.PADDING;
        }
      }
      softmax.fold(block, held, first, rows, stride);
    }
    softmax.end(rows);
  }

  @Test
  void theLogSoftmaxOfSmallRowsIsCorrect() {
    float[][] logits = {{0, (float) Math.log(3)}, {-50, -50}, {7, 7}};
    LogSoftmax softmax = over(logits);

    assertThat(softmax.logProbability(0, logits[0][0])).isCloseTo(-1.3862944f, within(3e-7f));
    assertThat(softmax.logProbability(0, logits[0][1])).isCloseTo(-0.28768207f, within(3e-7f));
    assertThat(softmax.logProbability(1, -50)).isCloseTo(-0.6931472f, within(3e-7f));
    assertThat(softmax.logProbability(2, 7)).isCloseTo(-0.6931472f, within(3e-7f));
    assertThat(softmax.argMax(0)).isEqualTo(1);
    assertThat(softmax.argMax(1)).isZero();
  }

  @Test
  void aVocabularyOfOneIsCertain() {
    LogSoftmax softmax = over(new float[][] {{-3e38f}, {5}, {3e38f}});

    for (int row = 0; row < 3; row++) {
      assertThat(softmax.argMax(row)).isZero();
    }
    assertThat(softmax.logProbability(0, -3e38f)).isZero();
    assertThat(softmax.logProbability(1, 5)).isZero();
    assertThat(softmax.logProbability(2, 3e38f)).isZero();
  }

  @ParameterizedTest
  @CsvSource({
    "5, 1",
    "15, 7",
    "16, 24",
    "17, 25",
    "255, 2",
    "256, 2",
    "257, 2",
    "1000, 9",
    "50280, 3"
  })
  void logProbabilitiesAgreeWithDoublePrecision(int vocabulary, int rows) {
    int seed = 41;
    float[][] logits = new float[rows][];
    Floats random = new Floats(seed);
    for (int row = 0; row < rows; row++) {
      logits[row] = random.array(vocabulary, -10, 10);
    }
    LogSoftmax softmax = over(logits);

    for (int row = 0; row < rows; row++) {
      double sum = 0;
      int best = 0;
      for (int id = 0; id < vocabulary; id++) {
        sum += Math.exp(logits[row][id]);
        best = logits[row][id] > logits[row][best] ? id : best;
      }
      for (int id = 0; id < vocabulary; id += 1 + vocabulary / 100) {
        assertThat((double) softmax.logProbability(row, logits[row][id]))
            .as("seed %d, row %d, id %d", seed, row, id)
            .isCloseTo(logits[row][id] - Math.log(sum), within(5e-6));
      }
      assertThat(softmax.argMax(row)).isEqualTo(best);
    }
  }

  @Test
  void theArgMaxOfEqualLogitsIsTheLowestIdInTheSameAndInOtherLanes() {
    for (int[] tied :
        new int[][] {{3, 4}, {4, 3 + 16}, {3, 19}, {18, 33}, {5, 261}, {261, 517, 770}, {0, 899}}) {
      float[][] logits = {new Floats(42).array(900, -1, 1)};
      for (int id : tied) {
        logits[0][id] = 2f;
      }

      assertThat(over(logits).argMax(0)).as(Arrays.toString(tied)).isEqualTo(tied[0]);
    }
    assertThat(over(new float[1][900]).argMax(0)).isZero();
  }

  @Test
  void aLargestLogitInTheLastBlockLowersTheProbabilitiesOfTheOthers() {
    float[][] logits = {new float[600]};
    logits[0][599] = 200f;
    LogSoftmax softmax = over(logits);

    assertThat(softmax.argMax(0)).isEqualTo(599);
    assertThat(softmax.logProbability(0, 200f)).isZero();
    assertThat(softmax.logProbability(0, 0f)).isEqualTo(-200f);
  }

  @Test
  void logitsThatAreNotFiniteGiveNaNAndNoException() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      float[][] logits = {new float[40]};
      logits[0][21] = bad;

      assertThat(over(logits).logProbability(0, 0f)).isNotFinite();
      assertThat(over(logits).argMax(0)).isBetween(0, 39);
    }
  }

  /** The mean and the variance of ln p of a row in double precision. */
  private static double[] moments(float[] logits) {
    double most = Double.NEGATIVE_INFINITY;
    for (float logit : logits) {
      most = Math.max(most, logit);
    }
    double sum = 0;
    for (float logit : logits) {
      sum += Math.exp(logit - most);
    }
    double mean = 0;
    double square = 0;
    for (float logit : logits) {
      double logprob = logit - most - Math.log(sum);
      double p = Math.exp(logprob);
      mean += p == 0 ? 0 : p * logprob;
    }
    for (float logit : logits) {
      double logprob = logit - most - Math.log(sum);
      double p = Math.exp(logprob);
      square += p == 0 ? 0 : p * (logprob - mean) * (logprob - mean);
    }
    return new double[] {mean, square};
  }

  private static void assertMomentsAgree(String what, float[] logits, LogSoftmax softmax, int row) {
    double[] expected = moments(logits);
    assertThat((double) softmax.mean(row))
        .as("mean, " + what)
        .isCloseTo(expected[0], within(2e-6 * (1 + Math.abs(expected[0]))));
    assertThat((double) softmax.variance(row))
        .as("variance, " + what)
        .isCloseTo(expected[1], within(1e-4 * expected[1] + 1e-30));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 15, 16, 17, 257, 1000, 50280})
  void momentsAgreeWithDoublePrecision(int vocabulary) {
    long seed = 46;
    Floats random = new Floats(seed);
    for (float spread : new float[] {1e-3f, 1, 10, 60, 1000}) {
      for (float shift : new float[] {0, -90, 300}) {
        for (int peak : new int[] {-1, 0, vocabulary - 1}) {
          float[] logits = random.array(vocabulary, shift - spread, shift + spread);
          if (peak >= 0) {
            logits[peak] = shift + spread + 8;
          }
          if (vocabulary > 100) {
            logits[vocabulary / 3] = Float.NEGATIVE_INFINITY;
            logits[vocabulary / 2] = LogSoftmax.PADDING;
          }
          assertMomentsAgree(
              "seed %d, spread %s, shift %s, peak %d".formatted(seed, spread, shift, peak),
              logits,
              over(new float[][] {logits}),
              0);
        }
      }
    }
  }

  @Test
  void theMomentsOfTwoTokensAreCorrect() {
    // p = 1/4 and 3/4: the variance of two values is p·(1 - p) times their squared distance.
    LogSoftmax softmax = over(new float[][] {{0, (float) Math.log(3)}});

    assertThat(softmax.mean(0)).isCloseTo(-0.5623351f, within(2e-7f));
    assertThat((double) softmax.variance(0))
        .isCloseTo(3 / 16.0 * Math.pow(Math.log(3), 2), within(1e-7));
  }

  @Test
  void aCertainAndAFlatDistributionHaveNoVarianceAndTheLogProbabilityOfTheirTokensAsMean() {
    float[] certain = new float[50280];
    certain[777] = 200;
    float[] masked = new float[50280];
    Arrays.fill(masked, Float.NEGATIVE_INFINITY);
    masked[50279] = -3e38f;
    float[] ties = new float[50280];
    Arrays.fill(ties, LogSoftmax.PADDING);
    ties[3] = 1e30f;
    ties[40000] = 1e30f;
    float[] flat = new float[50280];
    Arrays.fill(flat, -12.3f);
    float[][] logits = {certain, masked, ties, flat, {3e38f, -3e38f}, {5}};
    float[] largest = {200, -3e38f, 1e30f, -12.3f, 3e38f, 5};
    float[] expected = {0, 0, -0.6931472f, -10.825362f, 0, 0};
    for (int i = 0; i < logits.length; i++) {
      LogSoftmax softmax = over(new float[][] {logits[i]});

      assertThat(softmax.variance(0)).as("row %d", i).isEqualTo(0f);
      assertThat(softmax.mean(0)).isEqualTo(softmax.logProbability(0, largest[i]));
      assertThat(softmax.mean(0)).isCloseTo(expected[i], within(1e-6f));
    }
  }

  @Test
  void theMomentsOfLogitsThatAreNotFiniteAreNaN() {
    for (float bad : new float[] {Float.NaN, Float.POSITIVE_INFINITY}) {
      float[][] logits = {new float[40]};
      logits[0][21] = bad;

      assertThat(over(logits).mean(0)).isNaN();
      assertThat(over(logits).variance(0)).isNaN();
    }
  }

  @Test
  void momentsDoNotChangeTheLogProbabilities() {
    float[][] logits = {new Floats(47).array(1009, -40, 40)};
    LogSoftmax with = over(kernels, logits);
    LogSoftmax without = new LogSoftmax(kernels, 1);
    fold(without, logits);

    assertThat(without.logProbability(0, 1.5f)).isEqualTo(with.logProbability(0, 1.5f));
    assertThat(without.argMax(0)).isEqualTo(with.argMax(0));
  }

  @Test
  void rowsOfThePreviousBatchAreDiscarded() {
    float[][] first = {new Floats(43).array(40, 50, 60)};
    float[][] second = {new Floats(44).array(40, -1, 1)};
    LogSoftmax used = over(first);
    float[] block = new float[3 * 24 * 16];
    Arrays.fill(block, LogSoftmax.PADDING);
    for (int id = 0; id < 40; id++) {
      block[Panels.index(0, id, 24)] = second[0][id];
    }
    used.begin(1);
    used.fold(block, 3, 0, 1, 24);
    used.end(1);

    LogSoftmax fresh = over(second);
    assertThat(used.logProbability(0, 0.5f)).isEqualTo(fresh.logProbability(0, 0.5f));
    assertThat(used.argMax(0)).isEqualTo(fresh.argMax(0));
    assertThat(used.mean(0)).isEqualTo(fresh.mean(0));
    assertThat(used.variance(0)).isEqualTo(fresh.variance(0));
  }

  @Test
  @Tag("vector")
  void bothKernelsGiveTheSameBits() {
    for (int vocabulary : new int[] {1, 15, 16, 17, 255, 256, 257, 1009}) {
      float[][] logits = new float[25][];
      Floats random = new Floats(45);
      for (int row = 0; row < logits.length; row++) {
        logits[row] = random.array(vocabulary, -40, 40);
      }
      LogSoftmax scalar = over(new ScalarKernels("for a test"), logits);
      LogSoftmax vector = over(kernels, logits);
      for (int row = 0; row < logits.length; row++) {
        assertThat(vector.logProbability(row, 1.5f)).isEqualTo(scalar.logProbability(row, 1.5f));
        assertThat(vector.argMax(row)).isEqualTo(scalar.argMax(row));
        assertThat(vector.mean(row)).isEqualTo(scalar.mean(row));
        assertThat(vector.variance(row)).isEqualTo(scalar.variance(row));
      }
    }
  }

  @Test
  void divergencesEqualThoseOfDoublesForFlatPeakedAndEqualRows() {
    long seed = 2107;
    Random random = new Random(seed);
    for (double[] scales : new double[][] {{0, 1}, {1, 0}, {1, 1}, {40, 1}, {1, 40}, {40, 40}}) {
      int n = 1000;
      double[] a = logprobs(random, n, scales[0]);
      double[] b = logprobs(random, n, scales[1]);
      double kl = 0;
      double crossEntropy = 0;
      float[] floatsA = new float[n];
      float[] floatsB = new float[n];
      for (int i = 0; i < n; i++) {
        kl += Math.exp(a[i]) * (a[i] - b[i]);
        crossEntropy -= Math.exp(a[i]) * b[i];
        floatsA[i] = (float) a[i];
        floatsB[i] = (float) b[i];
      }
      LogSoftmax.Divergence found = LogSoftmax.divergence(floatsA, floatsB);
      String where = "seed %d, scales %s".formatted(seed, Arrays.toString(scales));
      assertThat(found.kl()).as(where).isCloseTo(kl, within(1e-6 * Math.max(1, crossEntropy)));
      assertThat(found.crossEntropy())
          .as(where)
          .isCloseTo(crossEntropy, within(1e-6 * Math.max(1, crossEntropy)));
      // The cross-entropy of a row with itself is its entropy.
      LogSoftmax.Divergence same = LogSoftmax.divergence(floatsA, floatsA);
      assertThat(same.kl()).isZero();
      assertThat(same.crossEntropy())
          .as(where)
          .isCloseTo(crossEntropy - kl, within(1e-5 * Math.max(1, crossEntropy)));
    }
    // A certain row: ln p of 0 and of the smallest values.
    LogSoftmax.Divergence certain =
        LogSoftmax.divergence(new float[] {0, -200}, new float[] {-3, -0.05f});
    assertThat(certain).isEqualTo(new LogSoftmax.Divergence(3, 3));
  }

  private static double[] logprobs(Random random, int n, double scale) {
    double[] logits = random.doubles(n, -scale, scale + 1e-9).toArray();
    double sum = Arrays.stream(logits).map(Math::exp).sum();
    return Arrays.stream(logits).map(logit -> logit - Math.log(sum)).toArray();
  }
}
