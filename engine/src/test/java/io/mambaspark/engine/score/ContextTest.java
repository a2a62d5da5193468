package io.mambaspark.engine.score;

import static io.mambaspark.engine.score.TestSequences.list;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.model.TestModels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests continuations of contexts, and contexts that several sequences share. */
class ContextTest {
  private static final MambaModel MODEL = RandomModel.of(MambaConfig.of(16, 2, 40), 67);
  private static final MambaModel MAMBA2 = RandomModel.of(TestModels.mamba2(12, 2, 40), 67);
  private static final Outputs ALL = TestSequences.ALL;

  /** Returns continuations of two contexts per length: some contexts recur in a row, some later. */
  private static List<Sequence<Integer>> continuations(long seed) {
    SplittableRandom random = new SplittableRandom(seed);
    List<int[]> contexts = new ArrayList<>();
    for (int length : new int[] {1, 2, 3, 4, 9, 30}) {
      contexts.add(random.ints(length, 0, 40).toArray());
      contexts.add(random.ints(length, 0, 40).toArray());
    }
    List<Sequence<Integer>> sequences = new ArrayList<>();
    for (int i = 0; i < 60; i++) {
      int[] context = contexts.get(random.nextInt(contexts.size()));
      for (int repeat = random.nextInt(4); repeat >= 0; repeat--) {
        int[] tokens = Arrays.copyOf(context, context.length + random.nextInt(6));
        for (int t = context.length; t < tokens.length; t++) {
          tokens[t] = random.nextInt(40);
        }
        sequences.add(new Sequence<>(sequences.size(), tokens, context.length));
      }
    }
    return sequences;
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, 5, 16, Scorer.CHUNK})
  void sharingAContextDoesNotChangeScores(int chunk) {
    sharingAContextDoesNotChangeScores(MODEL, chunk);
  }

  @ParameterizedTest
  @ValueSource(ints = {1, 2, 3, Scorer.CHUNK})
  void sharingAContextDoesNotChangeScoresOfMamba2(int chunk) {
    sharingAContextDoesNotChangeScores(MAMBA2, chunk);
  }

  private static void sharingAContextDoesNotChangeScores(MambaModel model, int chunk) {
    List<Sequence<Integer>> sequences = continuations(68);
    for (Outputs outputs : List.of(ALL, new Outputs(true, true, true, 2, false))) {
      List<Scores<Integer>> alone = new ArrayList<>();
      for (Sequence<Integer> sequence : sequences) {
        alone.addAll(TestSequences.scores(model, Scorer.CHUNK, List.of(sequence), outputs));
      }

      TestSequences.assertSameBits(
          "seed 68, chunks of " + chunk,
          TestSequences.scores(model, chunk, sequences, outputs),
          alone);
    }
  }

  @Test
  void aContinuationIsScoredLikeTheEndOfTheCompleteSequence() {
    for (Sequence<Integer> sequence : continuations(69)) {
      Scores<Integer> found = TestSequences.scores(MODEL, 7, List.of(sequence), ALL).get(0);
      Scores<Integer> complete = TestSequences.score(MODEL, ALL, sequence.tokens());
      int length = sequence.tokens().length;
      float[] end =
          Arrays.copyOfRange(complete.tokenLogprobs(), sequence.context() - 1, length - 1);

      assertThat(found.tokenCount()).isEqualTo(length - sequence.context());
      assertThat(found.tokenLogprobs()).containsExactly(end);
      double nll = 0;
      long greedy = 0;
      for (int i = 0; i < end.length; i++) {
        nll -= end[i];
        greedy += complete.greedyMatch()[sequence.context() - 1 + i] ? 1 : 0;
      }
      assertThat(found.nll()).isEqualTo(nll);
      assertThat(found.greedyTokens()).isEqualTo(greedy);
      assertThat(found.lastLogits()).containsExactly(complete.lastLogits());
    }
  }

  @Test
  void aSharedContextRunsOnce() {
    int[] tokens = new SplittableRandom(70).ints(512 + 16, 0, 40).toArray();
    List<Sequence<Integer>> sequences = new ArrayList<>();
    for (int i = 0; i < 16; i++) {
      int[] other = tokens.clone();
      Arrays.fill(other, 512, 528, i);
      sequences.add(new Sequence<>(i, other, 512));
    }
    long[] run = {0};
    Scorer scorer = new Scorer(MODEL, Scorer.CHUNK, count -> run[0] += count);

    assertThat(list(scorer.score(sequences.iterator(), new Outputs(true, false, false, 0, false))))
        .hasSize(16);
    // Each sequence runs the last token of the context and all but the last of its continuation.
    assertThat(run[0]).isEqualTo(511 + 16 * 16);
  }

  @Test
  void aContextWithoutAContinuationDoesNotRun() {
    long[] run = {0};
    Scorer scorer = new Scorer(MODEL, 8, count -> run[0] += count);
    List<Sequence<Integer>> sequences =
        List.of(new Sequence<>(0, new int[] {1, 2, 3}, 3), new Sequence<>(1, new int[] {1}, 9));

    for (Scores<Integer> scores :
        list(scorer.score(sequences.iterator(), new Outputs(true, true, false, 0, false)))) {
      assertThat(scores.tokenCount()).isZero();
      assertThat(scores.nll()).isZero();
      assertThat(scores.tokenLogprobs()).isEmpty();
    }
    assertThat(run[0]).isZero();
  }

  @Test
  void aSequenceWithoutContextIsRefused() {
    assertThatThrownBy(() -> new Sequence<>(0, new int[] {1}, 0))
        .hasMessage("The context has 0 tokens; expected at least 1");
  }
}
