package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.within;

import java.util.Arrays;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

@Tag("kernels")
class LogSoftmaxTest {
  private final Kernels kernels = Kernels.best();

  /** Computes the log-softmax of rows of logits, (rows, vocabulary). */
  private LogSoftmax over(float[][] logits) {
    return over(kernels, logits);
  }

  private static LogSoftmax over(Kernels kernels, float[][] logits) {
    int rows = logits.length;
    int vocabulary = logits[0].length;
    int stride = Panels.stride(rows);
    LogSoftmax softmax = new LogSoftmax(kernels, rows);
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
    return softmax;
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
      }
    }
  }
}
