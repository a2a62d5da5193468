package io.mambaspark.engine.score;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.Comparator;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TopKTest {

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 7, 64, 200})
  void theLargestLogitsAreFirstAndTiesAreOrderedById(int k) {
    for (int seed = 0; seed < 20; seed++) {
      SplittableRandom random = new SplittableRandom(seed);
      float[] logits = new float[200];
      for (int i = 0; i < logits.length; i++) {
        // Few different values, so that there are many ties.
        logits[i] = random.nextInt(seed + 2);
      }
      int[] expected =
          IntStream.range(0, 200)
              .boxed()
              .sorted(Comparator.<Integer>comparingDouble(i -> -logits[i]).thenComparing(i -> i))
              .limit(k)
              .mapToInt(i -> i)
              .toArray();
      TopK topK = new TopK(k);
      int[] ids = new int[k];
      float[] best = new float[k];
      // The second round tests that it can be reused.
      for (int round = 0; round < 2; round++) {
        topK.clear();
        for (int id = 0; id < 200; id += 16) {
          topK.offer(logits, id, Math.min(16, 200 - id), id);
        }
      }
      topK.drain(ids, best);

      assertThat(ids).as("seed %d", seed).isEqualTo(expected);
      for (int i = 0; i < k; i++) {
        assertThat(best[i]).isEqualTo(logits[ids[i]]);
      }
    }
  }

  @Test
  void idsDoNotDependOnTheIndicesOfLogitsInTheRow() {
    TopK topK = new TopK(2);
    topK.offer(new float[] {9, 1, 3, 2, 9}, 1, 3, 100);
    int[] ids = new int[2];
    topK.drain(ids, new float[2]);

    assertThat(ids).containsExactly(101, 102);
  }
}
