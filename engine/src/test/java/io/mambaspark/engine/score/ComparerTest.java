package io.mambaspark.engine.score;

import static io.mambaspark.engine.score.TestSequences.list;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.model.TestModels;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class ComparerTest {
  private static final MambaModel A = RandomModel.of(MambaConfig.of(16, 2, 300), 71);

  /** The other architecture. */
  private static final MambaModel B = RandomModel.of(TestModels.mamba2(32, 1, 304), 72);

  private static final MambaModel WIDER = RandomModel.of(MambaConfig.of(16, 1, 320), 73);
  private static final List<Sequence<Integer>> SEQUENCES =
      TestSequences.random(74, 300, 3, 0, 1, 2, 60, 0, 25, 1, 130, 1);

  private static List<Comparison<Integer>> compare(MambaModel a, MambaModel b, int chunk) {
    Comparer comparer = new Comparer(a, b, true, chunk, tokens -> {});
    return list(
        comparer.compare(
            SEQUENCES.stream().map(s -> new Pair<>(s.key(), s.tokens(), s.tokens())).iterator()));
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 7, 25, Scorer.CHUNK})
  void everyNumberFollowsFromTheLogitsOfBothModels(int chunk) {
    List<Comparison<Integer>> found = compare(A, B, chunk);

    assertThat(found).hasSameSizeAs(SEQUENCES);
    for (Sequence<Integer> sequence : SEQUENCES) {
      Comparison<Integer> comparison = found.get(sequence.key());
      Scores<Integer> byA = TestSequences.score(A, TestSequences.ALL, sequence.tokens());
      Scores<Integer> byB = TestSequences.score(B, TestSequences.ALL, sequence.tokens());
      assertThat(comparison.key()).isEqualTo(sequence.key());
      assertThat(comparison.nllA()).isEqualTo(byA.nll());
      assertThat(comparison.nllB()).isEqualTo(byB.nll());
      assertThat(comparison.tokensA()).isEqualTo(byA.tokenCount());
      assertThat(comparison.tokensB()).isEqualTo(byA.tokenCount());
      List<PositionLogits<Integer>> logitsA =
          list(new Scorer(A).logits(List.of(sequence).iterator()));
      List<PositionLogits<Integer>> logitsB =
          list(new Scorer(B).logits(List.of(sequence).iterator()));
      double kl = 0;
      double crossEntropy = 0;
      long better = 0;
      long agreements = 0;
      for (int i = 0; i < byA.tokenCount(); i++) {
        double[] p = softmax(logitsA.get(i).logits());
        double[] q = softmax(logitsB.get(i).logits());
        for (int id = 0; id < p.length; id++) {
          kl += p[id] * Math.log(p[id] / q[id]);
          crossEntropy -= p[id] * Math.log(q[id]);
        }
        better += byB.tokenLogprobs()[i] > byA.tokenLogprobs()[i] ? 1 : 0;
        agreements += byA.topKIds()[i][0] == byB.topKIds()[i][0] ? 1 : 0;
      }
      assertThat(comparison.kl()).isCloseTo(kl, within(1e-6 * Math.max(1, byA.tokenCount())));
      assertThat(comparison.crossEntropy())
          .isCloseTo(crossEntropy, within(1e-6 * Math.max(1, crossEntropy)));
      if (byA.tokenCount() > 0) {
        // Binoculars divides the mean nll of the performer by the mean cross-entropy.
        double nll = 0;
        for (int i = 0; i < byA.tokenCount(); i++) {
          nll -= Math.log(softmax(logitsB.get(i).logits())[sequence.tokens()[i + 1]]);
        }
        double count = byA.tokenCount();
        assertThat(comparison.binoculars())
            .isCloseTo(nll / count / (crossEntropy / count), within(1e-6));
      }
      assertThat(comparison.better()).isEqualTo(better);
      assertThat(comparison.agreements()).isEqualTo(agreements);
    }
    assertThat(found).isEqualTo(compare(A, B, 13));
  }

  private static double[] softmax(float[] logits) {
    double[] p = new double[logits.length];
    double sum = 0;
    for (int i = 0; i < p.length; i++) {
      p[i] = Math.exp(logits[i]);
      sum += p[i];
    }
    for (int i = 0; i < p.length; i++) {
      p[i] /= sum;
    }
    return p;
  }

  @Test
  void aModelDoesNotDifferFromItself() {
    for (Comparison<Integer> comparison : compare(A, A, 16)) {
      assertThat(comparison.kl()).isZero();
      assertThat(comparison.nllA()).isEqualTo(comparison.nllB());
      assertThat(comparison.better()).isZero();
      assertThat(comparison.agreements()).isEqualTo(comparison.tokensA());
    }
  }

  @Test
  void modelsWithDifferentVocabulariesAreComparedOnlyByTheirTokens() {
    List<Comparison<Integer>> found = compare(A, WIDER, 16);
    for (Sequence<Integer> sequence : SEQUENCES) {
      Comparison<Integer> comparison = found.get(sequence.key());
      Scores<Integer> byA = TestSequences.score(A, TestSequences.ALL, sequence.tokens());
      Scores<Integer> byB = TestSequences.score(WIDER, TestSequences.ALL, sequence.tokens());
      long better = 0;
      for (int i = 0; i < byA.tokenCount(); i++) {
        better += byB.tokenLogprobs()[i] > byA.tokenLogprobs()[i] ? 1 : 0;
      }
      assertThat(comparison.nllA()).isEqualTo(byA.nll());
      assertThat(comparison.nllB()).isEqualTo(byB.nll());
      assertThat(comparison.better()).isEqualTo(better);
      assertThat(comparison.kl()).isNaN();
      assertThat(comparison.crossEntropy()).isNaN();
      assertThat(comparison.binoculars()).isNaN();
      assertThat(comparison.agreements()).isEqualTo(-1);
    }
  }

  @Test
  void textsWithDifferentTokensAreComparedOnlyByTheirSums() {
    Comparer comparer = new Comparer(A, B, false, 8, tokens -> {});
    List<Pair<String>> pairs =
        List.of(
            new Pair<>("x", new int[] {1, 2, 3}, new int[] {4, 5}),
            new Pair<>("y", new int[0], new int[] {7, 8, 9}));

    List<Comparison<String>> found = list(comparer.compare(pairs.iterator()));

    for (int i = 0; i < 2; i++) {
      Scores<Integer> byA = TestSequences.score(A, TestSequences.ALL, pairs.get(i).a());
      Scores<Integer> byB = TestSequences.score(B, TestSequences.ALL, pairs.get(i).b());
      assertThat(found.get(i))
          .isEqualTo(
              new Comparison<>(
                  pairs.get(i).key(),
                  byA.nll(),
                  byB.nll(),
                  byA.tokenCount(),
                  byB.tokenCount(),
                  -1,
                  Double.NaN,
                  Double.NaN,
                  -1));
    }
  }

  @Test
  void anIdOutsideOneOfTheVocabulariesIsRefused() {
    Comparer comparer = new Comparer(WIDER, A, true, 8, tokens -> {});
    List<Pair<String>> pairs = List.of(new Pair<>("x", new int[] {1, 319}, new int[] {1, 319}));

    assertThatThrownBy(() -> list(comparer.compare(pairs.iterator())))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Token id 319 at position 1 is outside [0, 304)");
  }
}
