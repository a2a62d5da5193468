package io.mambaspark.engine.score;

import static io.mambaspark.engine.score.TestSequences.ALL;
import static io.mambaspark.engine.score.TestSequences.assertSameBits;
import static io.mambaspark.engine.score.TestSequences.list;
import static io.mambaspark.engine.score.TestSequences.scores;
import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.kernel.TestKernels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.TestModels;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Random;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Scores are equal bit for bit however sequences are split, packed and computed. */
@Tag("kernels")
class ScorerBitsTest {
  private static final int SEED = 51;

  private static final int[] LENGTHS = {
    3, 0, 1, 2, 479, 0, 0, 480, 481, 1, 17, 961, 5, 24, 2, 100, 0, 8
  };

  private static final int[] CHUNKS = {1, 2, 3, 7, 24, 480};

  /** Loads a golden model; {@code falcon:int8} in INT8, for example. */
  private static MambaModel model(String name) {
    String[] parts = name.split(":");
    WeightFormat format = WeightFormat.F32;
    if (parts.length > 1) {
      format = WeightFormat.valueOf(parts[1].toUpperCase(Locale.ROOT).replace('-', '_'));
    }
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(Golden.folder(parts[0]))) {
      return checkpoint.load(format);
    }
  }

  private static List<Sequence<Integer>> sequences(MambaModel model) {
    return TestSequences.random(SEED, model.config().vocabSize(), LENGTHS);
  }

  /** Scores each sequence alone, in one chunk. */
  private static List<Scores<Integer>> alone(
      MambaModel model, List<Sequence<Integer>> sequences, Outputs outputs) {
    List<Scores<Integer>> scores = new ArrayList<>();
    for (Sequence<Integer> sequence : sequences) {
      int chunk = Math.max(1, sequence.tokens().length);
      scores.addAll(scores(model, chunk, List.of(sequence), outputs));
    }
    return scores;
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "falcon",
        "odd-shapes",
        "mamba2-groups",
        "falcon:int8",
        "falcon:int16",
        "mamba2-groups:int8-out16"
      })
  void scoresDoNotDependOnTheSizeOfChunks(String name) {
    checkChunks(name);
  }

  @Test
  @Tag("vector") // Scalar kernels would take twenty seconds.
  void scoresOfALargerModelDoNotDependOnTheSizeOfChunks() {
    checkChunks("seed-demo");
  }

  private static void checkChunks(String name) {
    MambaModel model = model(name);
    List<Sequence<Integer>> sequences = sequences(model);
    List<Scores<Integer>> expected = alone(model, sequences, ALL);

    for (int chunk : CHUNKS) {
      assertSameBits(
          "%s, seed %d, chunks of %d".formatted(name, SEED, chunk),
          scores(model, chunk, sequences, ALL),
          expected);
    }
  }

  @ParameterizedTest
  @ValueSource(strings = {"falcon", "odd-shapes", "odd-shapes:int8", "odd-shapes:int16"})
  void scoresDoNotDependOnTheOrderOfSequences(String name) {
    MambaModel model = model(name);
    List<Sequence<Integer>> sequences = sequences(model);
    List<Scores<Integer>> expected = alone(model, sequences, ALL);

    for (int seed = 0; seed < 5; seed++) {
      List<Sequence<Integer>> shuffled = new ArrayList<>(sequences);
      Collections.shuffle(shuffled, new Random(seed));
      assertSameBits(
          "%s, order %d".formatted(name, seed),
          scores(model, 37, shuffled, ALL),
          shuffled.stream().map(sequence -> expected.get(sequence.key())).toList());
    }
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "falcon",
        "odd-shapes",
        "seed-demo",
        "mamba2-groups",
        "falcon:int8",
        "odd-shapes:int8-out16",
        "mamba2-groups:int16"
      })
  @Tag("vector")
  void scoresDoNotDependOnTheKernels(String name) {
    MambaModel model = model(name);
    List<Sequence<Integer>> sequences = sequences(model);

    assertSameBits(
        "%s, seed %d".formatted(name, SEED),
        scores(model, 480, sequences, ALL),
        scores(TestModels.with(model, TestKernels.scalar()), 480, sequences, ALL));
  }

  @ParameterizedTest
  @ValueSource(strings = {"falcon", "odd-shapes", "odd-shapes:int16"})
  void scoresDoNotDependOnTheOtherRequestedResults(String name) {
    MambaModel model = model(name);
    List<Sequence<Integer>> sequences =
        TestSequences.random(SEED, model.config().vocabSize(), 3, 0, 1, 2, 60, 0, 25, 1);
    List<Scores<Integer>> all = alone(model, sequences, ALL);

    for (int bits = 0; bits < 128; bits++) {
      Outputs outputs =
          new Outputs(
              (bits & 1) > 0,
              (bits & 2) > 0,
              (bits & 16) > 0,
              (bits & 4) > 0 ? 5 : 0,
              (bits & 8) > 0,
              (bits & 32) > 0,
              (bits & 64) > 0);
      List<Scores<Integer>> expected =
          all.stream()
              .map(
                  s ->
                      new Scores<>(
                          s.key(),
                          outputs.everyPosition() ? s.nll() : 0,
                          outputs.everyPosition() ? s.tokenCount() : 0,
                          outputs.everyPosition() ? s.nllSquares() : 0,
                          outputs.everyPosition() ? s.greedyTokens() : 0,
                          outputs.everyPosition() ? s.longestGreedyRun() : 0,
                          outputs.everyPosition() ? s.positionNll() : new double[0],
                          outputs.everyPosition() ? s.positionTokens() : new long[0],
                          outputs.tokenLogprobs() ? s.tokenLogprobs() : null,
                          outputs.tokenLogprobs() ? s.greedyMatch() : null,
                          outputs.tokenRanks() ? s.tokenRanks() : null,
                          outputs.topK() > 0 ? s.topKIds() : null,
                          outputs.topK() > 0 ? s.topKLogprobs() : null,
                          outputs.lastLogits() ? s.lastLogits() : null,
                          moments(outputs, s.moments())))
              .toList();
      for (int chunk : CHUNKS) {
        assertSameBits(
            "%s, seed %d, %s, chunks of %d".formatted(name, SEED, outputs, chunk),
            scores(model, chunk, sequences, outputs),
            expected);
      }
    }
  }

  private static Moments moments(Outputs outputs, Moments all) {
    if (!outputs.anyMoments()) {
      return null;
    }
    return outputs.tokenMoments() ? all : new Moments(all.mean(), all.variance(), null, null);
  }

  @ParameterizedTest
  @ValueSource(strings = {"falcon", "odd-shapes", "mamba2-groups", "falcon:int8", "falcon:int16"})
  void theLogitsOfAllPositionsDoNotDependOnChunksAndEndWithTheLastLogits(String name) {
    MambaModel model = model(name);
    List<Sequence<Integer>> sequences =
        TestSequences.random(SEED, model.config().vocabSize(), 3, 0, 1, 2, 60, 0, 25, 1);
    List<PositionLogits<Integer>> expected = new ArrayList<>();
    for (Sequence<Integer> sequence : sequences) {
      expected.addAll(list(new Scorer(model, 60).logits(List.of(sequence).iterator())));
    }
    List<Scores<Integer>> last = alone(model, sequences, new Outputs(false, false, false, 0, true));

    for (int chunk : CHUNKS) {
      List<PositionLogits<Integer>> found =
          list(new Scorer(model, chunk).logits(sequences.iterator()));
      assertThat(found).hasSize(3 + 1 + 2 + 60 + 25 + 1);
      for (int i = 0; i < found.size(); i++) {
        PositionLogits<Integer> f = found.get(i);
        String where = "%s, seed %d, chunks of %d, row %d".formatted(name, SEED, chunk, i);
        assertThat(f.key()).as(where).isEqualTo(expected.get(i).key());
        assertThat(f.position()).as(where).isEqualTo(expected.get(i).position());
        int[] tokens = sequences.get(f.key()).tokens();
        assertThat(f.token()).as(where).isEqualTo(tokens[f.position()]);
        assertThat(f.logits()).as(where).isEqualTo(expected.get(i).logits());
        if (f.position() == tokens.length - 1) {
          assertThat(f.logits()).as(where).isEqualTo(last.get(f.key()).lastLogits());
        }
      }
    }
  }
}
