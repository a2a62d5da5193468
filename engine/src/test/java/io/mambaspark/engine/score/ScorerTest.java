package io.mambaspark.engine.score;

import static io.mambaspark.engine.score.TestSequences.ALL;
import static io.mambaspark.engine.score.TestSequences.list;
import static io.mambaspark.engine.score.TestSequences.score;
import static io.mambaspark.engine.score.TestSequences.sequence;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.assertj.core.api.Assertions.within;

import io.mambaspark.engine.Golden;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.TestKernels;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.model.TestModels;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.NoSuchElementException;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class ScorerTest {
  private static final Outputs PERPLEXITY = new Outputs(true, false, false, 0, false);
  private static final Outputs LAST_LOGITS = new Outputs(false, false, false, 0, true);

  private static MambaModel small() {
    return RandomModel.of(MambaConfig.of(16, 1, 40), 61);
  }

  static Stream<Golden.Case> tinyBooks() {
    return Golden.cases(Golden.folder("tiny-books")).stream();
  }

  @ParameterizedTest
  @MethodSource("tinyBooks")
  @Tag("kernels")
  void theScoresOfATrainedModelEqualThoseOfTheReference(Golden.Case golden) {
    MambaModel trained = MambaModel.load(Golden.folder("tiny-books"));
    double nll = -Arrays.stream(golden.logprobs()).sum();
    for (Kernels kernels : List.of(trained.kernels(), TestKernels.scalar())) {
      Scores<Integer> scores = score(TestModels.with(trained, kernels), ALL, golden.inputIds());

      assertThat(scores.tokenCount()).isEqualTo(golden.logprobs().length);
      assertThat(scores.tokenLogprobs()).hasSameSizeAs(golden.logprobs());
      for (int i = 0; i < golden.logprobs().length; i++) {
        // The requirement is 1e-4 nats; the observed error is 5e-6.
        assertThat((double) scores.tokenLogprobs()[i])
            .as("%s, position %d, %s", golden, i, kernels.describe())
            .isCloseTo(golden.logprobs()[i], within(2e-5));
      }
      assertThat(scores.nll()).isCloseTo(nll, within(2e-6 * golden.logprobs().length));
      assertThat(scores.lastLogits()).hasSize(4096);
      for (int id = 0; id < 4096; id++) {
        assertThat(scores.lastLogits()[id])
            .as("%s, logit %d", golden, id)
            .isCloseTo(golden.lastLogits()[id], within(5e-5f));
      }
    }
  }

  static Stream<Golden.Case> mamba2() {
    return Stream.of("mamba2", "mamba2-groups", "mamba2-state-spaces-bin", "mamba2-no-norm")
        .flatMap(name -> Golden.cases(Golden.folder(name)).stream());
  }

  @ParameterizedTest
  @MethodSource("mamba2")
  @Tag("kernels")
  void theLogProbabilitiesOfMamba2EqualThoseOfTheReference(Golden.Case golden) {
    String name = golden.name().substring(0, golden.name().indexOf('/'));
    MambaModel model = MambaModel.load(Golden.folder(name));
    int[] tokens = golden.inputIds();

    float[] found = score(model, ALL, tokens).tokenLogprobs();

    assertThat(found).hasSize(tokens.length - 1);
    for (int t = 0; t < found.length; t++) {
      double sum = 0;
      for (int id = 0; id < golden.rows(); id++) {
        sum += Math.exp(golden.logits()[t * golden.rows() + id]);
      }
      // The observed error is 1.1e-5 nats.
      assertThat((double) found[t])
          .as("%s, position %d", golden, t)
          .isCloseTo(
              golden.logits()[t * golden.rows() + tokens[t + 1]] - Math.log(sum), within(5e-5));
    }
  }

  @Test
  void theDemonstrationOfMambaMinimalRuns() {
    MambaModel model = RandomModel.of(MambaConfig.of(128, 2, 32000), 62);
    List<Sequence<Integer>> batch = TestSequences.random(63, 32000, 200, 200);

    Iterator<PositionLogits<Integer>> logits = new Scorer(model).logits(batch.iterator());

    for (int b = 0; b < 2; b++) {
      for (int l = 0; l < 200; l++) {
        PositionLogits<Integer> row = logits.next();
        assertThat(row.key()).isEqualTo(b);
        assertThat(row.position()).isEqualTo(l);
        assertThat(row.logits()).hasSize(32000);
        for (float logit : row.logits()) {
          if (!Float.isFinite(logit)) {
            assertThat(logit).as("row %d of sequence %d", l, b).isFinite();
          }
        }
      }
    }
    assertThat(logits.hasNext()).isFalse();
  }

  @ParameterizedTest
  @CsvSource({
    "odd-shapes, 1",
    "odd-shapes, 5",
    "odd-shapes, 40",
    "falcon, 56",
    "seed-demo, 100",
    "mamba2-groups, 5"
  })
  void everyScoreFollowsFromTheLogits(String name, int k) {
    MambaModel model = MambaModel.load(Golden.folder(name));
    int vocabSize = model.config().vocabSize();
    int[] tokens = new SplittableRandom(64).ints(50, 0, vocabSize).toArray();
    List<PositionLogits<Integer>> rows =
        list(new Scorer(model).logits(List.of(sequence(tokens)).iterator()));

    Scores<Integer> scores =
        score(model, new Outputs(true, true, true, k, true, true, true), tokens);

    assertThat(scores.tokenCount()).isEqualTo(49);
    double nll = 0;
    double mean = 0;
    double variance = 0;
    for (int t = 0; t < 49; t++) {
      float[] logits = rows.get(t).logits();
      double sum = 0;
      for (float logit : logits) {
        sum += Math.exp(logit);
      }
      double logSum = Math.log(sum);
      String where = "seed 64, position " + t;
      assertThat((double) scores.tokenLogprobs()[t])
          .as(where)
          .isCloseTo(logits[tokens[t + 1]] - logSum, within(5e-6));
      int[] order =
          IntStream.range(0, vocabSize)
              .boxed()
              .sorted(Comparator.<Integer>comparingDouble(i -> -logits[i]).thenComparing(i -> i))
              .mapToInt(i -> i)
              .toArray();
      int[] best = Arrays.copyOf(order, k);
      assertThat(order[scores.tokenRanks()[t] - 1]).as(where).isEqualTo(tokens[t + 1]);
      assertThat(scores.topKIds()[t]).as(where).isEqualTo(best);
      for (int i = 0; i < k; i++) {
        assertThat((double) scores.topKLogprobs()[t][i])
            .as(where)
            .isCloseTo(logits[best[i]] - logSum, within(5e-6));
        if (best[i] == tokens[t + 1]) {
          assertThat(scores.topKLogprobs()[t][i]).isEqualTo(scores.tokenLogprobs()[t]);
        }
      }
      assertThat(scores.greedyMatch()[t]).as(where).isEqualTo(best[0] == tokens[t + 1]);
      double expected = 0;
      double squares = 0;
      for (float logit : logits) {
        double logprob = logit - logSum;
        expected += Math.exp(logprob) * logprob;
        squares += Math.exp(logprob) * logprob * logprob;
      }
      assertThat((double) scores.moments().tokenMeans()[t])
          .as(where)
          .isCloseTo(expected, within(1e-5));
      assertThat((double) scores.moments().tokenVariances()[t])
          .as(where)
          .isCloseTo(squares - expected * expected, within(2e-5));
      mean += scores.moments().tokenMeans()[t];
      variance += scores.moments().tokenVariances()[t];
      nll -= scores.tokenLogprobs()[t];
    }
    assertThat(scores.nll()).isEqualTo(nll);
    assertThat(scores.moments().mean()).isEqualTo(mean);
    assertThat(scores.moments().variance()).isEqualTo(variance);
    assertThat(scores.perplexity()).isEqualTo(StrictMath.exp(nll / 49));
    assertThat(scores.lastLogits()).isEqualTo(rows.get(49).logits());
    assertThat(scores.firstNonFinite()).isNull();
  }

  /**
   * Computes each signal from logits in double precision, as the papers define it, without any code
   * of the scorer.
   */
  @ParameterizedTest
  @CsvSource({"odd-shapes, 7", "falcon, 20", "seed-demo, 33", "mamba2-groups, 100"})
  void signalsAgreeWithTheirDefinitionsOnTheLogits(String name, int percent) {
    long seed = 66;
    MambaModel model = MambaModel.load(Golden.folder(name));
    SplittableRandom random = new SplittableRandom(seed);
    for (int length : new int[] {2, 3, 17, 90}) {
      int[] tokens = random.ints(length, 0, model.config().vocabSize()).toArray();
      List<PositionLogits<Integer>> rows =
          list(new Scorer(model).logits(List.of(sequence(tokens)).iterator()));
      double[] logprobs = new double[length - 1];
      double[] standardized = new double[length - 1];
      double logprobSum = 0;
      double meanSum = 0;
      double varianceSum = 0;
      int run = 0;
      int longest = 0;
      for (int t = 0; t < length - 1; t++) {
        float[] logits = rows.get(t).logits();
        double sum = 0;
        int best = 0;
        for (int id = 0; id < logits.length; id++) {
          sum += Math.exp(logits[id]);
          best = logits[id] > logits[best] ? id : best;
        }
        double mean = 0;
        double square = 0;
        for (float logit : logits) {
          double logprob = logit - Math.log(sum);
          mean += Math.exp(logprob) * logprob;
          square += Math.exp(logprob) * logprob * logprob;
        }
        logprobs[t] = logits[tokens[t + 1]] - Math.log(sum);
        standardized[t] = (logprobs[t] - mean) / Math.sqrt(square - mean * mean);
        logprobSum += logprobs[t];
        meanSum += mean;
        varianceSum += square - mean * mean;
        run = best == tokens[t + 1] ? run + 1 : 0;
        longest = Math.max(longest, run);
      }
      int lowest = Math.max(1, (length - 1) * percent / 100);
      Scores<Integer> scores = score(model, ALL, tokens);
      String where = "%s, seed %d, length %d".formatted(name, seed, length);
      assertThat(scores.minK(percent))
          .as(where)
          .isCloseTo(
              Arrays.stream(logprobs).sorted().limit(lowest).average().orElseThrow(), within(1e-5));
      double lowestMean =
          Arrays.stream(standardized).sorted().limit(lowest).average().orElseThrow();
      assertThat(scores.minKPlusPlus(percent))
          .as(where)
          .isCloseTo(lowestMean, within(5e-5 * Math.max(1, Math.abs(lowestMean))));
      double curvature = (logprobSum - meanSum) / Math.sqrt(varianceSum);
      assertThat(scores.curvature())
          .as(where)
          .isCloseTo(curvature, within(5e-5 * Math.max(1, Math.abs(curvature))));
      assertThat(scores.entropy()).as(where).isCloseTo(-meanSum / (length - 1), within(1e-5));
      assertThat(scores.longestGreedyRun()).as(where).isEqualTo(longest);
    }
  }

  @Test
  void everyTokenOfAGreedyContinuationIsAMatch() {
    MambaModel model = small();
    int[] tokens = new int[20];
    for (int length = 1; length < 20; length++) {
      float[] logits = score(model, LAST_LOGITS, Arrays.copyOf(tokens, length)).lastLogits();
      for (int id = 0; id < 40; id++) {
        tokens[length] = logits[id] > logits[tokens[length]] ? id : tokens[length];
      }
    }

    Scores<Integer> greedy = score(model, ALL, tokens);

    assertThat(greedy.greedyMatch()).hasSize(19).containsOnly(true);
    assertThat(greedy.longestGreedyRun()).isEqualTo(19);

    tokens[12] = tokens[12] == 0 ? 1 : 0;
    Scores<Integer> broken = score(model, ALL, tokens);
    assertThat(broken.greedyMatch()[11]).isFalse();
    assertThat(broken.longestGreedyRun()).isEqualTo(11);
  }

  @Test
  @Tag("kernels")
  void equallyProbableTokensAreRankedByTheirIds() {
    // Two groups of equal rows with opposite signs: one of the groups always has the largest
    // logits. The rows of a group are in one panel, in other panels of the same block, and in other
    // blocks.
    int[] plus = {3, 5, 19, 300, 599};
    int[] minus = {4, 9, 100, 301, 302};
    MambaConfig config = MambaConfig.of(16, 1, 600);
    Map<String, float[]> tensors = TestModels.tensors(config, 65);
    float[] embedding = tensors.get("embedding.weight");
    for (int i = 0; i < 16; i++) {
      float value = 50 * embedding[i];
      for (int n = 0; n < 5; n++) {
        embedding[plus[n] * 16 + i] = value;
        embedding[minus[n] * 16 + i] = -value;
      }
    }
    MambaModel model = TestModels.of(config, tensors);

    for (int next : new int[] {3, 4, 5, 9, 19, 100, 300, 301, 302, 599}) {
      Scores<Integer> scores = score(model, ALL, 3, next);
      int[] best = scores.topKIds()[0];
      assertThat(best).isIn(plus, minus);
      assertThat(scores.greedyMatch()[0]).isEqualTo(next == best[0]);
      boolean mostProbable = IntStream.of(best).anyMatch(id -> id == next);
      int place =
          Arrays.binarySearch(IntStream.of(plus).anyMatch(i -> i == next) ? plus : minus, next);
      assertThat(scores.tokenRanks()[0]).isEqualTo((mostProbable ? 1 : 596) + place);
      float[] logprobs = scores.topKLogprobs()[0];
      assertThat(logprobs).containsOnly(logprobs[0]);
    }
  }

  @Test
  void sequencesOfZeroOrOneTokenHaveNothingToScore() {
    MambaModel model = small();
    Scores<Integer> empty = score(model, ALL);
    Scores<Integer> one = score(model, ALL, 7);

    for (Scores<Integer> scores : List.of(empty, one)) {
      assertThat(scores.nll()).isZero();
      assertThat(scores.tokenCount()).isZero();
      assertThat(scores.tokenLogprobs()).isEmpty();
      assertThat(scores.greedyMatch()).isEmpty();
      assertThat(scores.topKIds()).isEmpty();
      assertThat(scores.topKLogprobs()).isEmpty();
      assertThat(scores.perplexity()).isNaN();
      assertThat(scores.firstNonFinite()).isNull();
    }
    assertThat(empty.lastLogits()).isNull();
    assertThat(one.lastLogits()).hasSize(40);
  }

  /** An almost endless source that counts the sequences read from it. */
  private static final class Endless implements Iterator<Sequence<Integer>> {
    private final int[] tokens;
    int taken;

    Endless(int length) {
      this.tokens = new int[length];
    }

    @Override
    public boolean hasNext() {
      return taken < 1_000_000;
    }

    @Override
    public Sequence<Integer> next() {
      return new Sequence<>(taken++, tokens);
    }
  }

  @Test
  void atMostOneChunkIsReadAhead() {
    Endless source = new Endless(8);
    Iterator<Scores<Integer>> scores = new Scorer(small(), 24).score(source, LAST_LOGITS);
    assertThat(source.taken).isZero();

    assertThat(scores.next().key()).isZero();
    assertThat(source.taken).isEqualTo(3);
    assertThat(scores.next().key()).isEqualTo(1);
    assertThat(scores.next().key()).isEqualTo(2);
    assertThat(source.taken).isEqualTo(3);
    assertThat(scores.next().key()).isEqualTo(3);
    assertThat(source.taken).isEqualTo(6);

    Endless forLogits = new Endless(8);
    Iterator<PositionLogits<Integer>> logits = new Scorer(small(), 24).logits(forLogits);
    assertThat(forLogits.taken).isZero();
    logits.next();
    assertThat(forLogits.taken).isEqualTo(3);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, 1})
  void manySequencesWithNothingToScoreAreNotReadAhead(int length) {
    Endless source = new Endless(length);
    Iterator<Scores<Integer>> scores = new Scorer(small(), 24).score(source, PERPLEXITY);

    for (int i = 0; i < 100; i++) {
      assertThat(scores.next().key()).isEqualTo(i);
      assertThat(source.taken).isLessThanOrEqualTo(i + 25);
    }
  }

  @Test
  void emptySequencesBetweenOthersAreScoredInOrder() {
    int[] lengths = new int[300];
    lengths[50] = 100;
    lengths[51] = 3;
    lengths[299] = 30;
    List<Sequence<Integer>> sequences = TestSequences.random(66, 40, lengths);

    List<Scores<Integer>> scores = TestSequences.scores(small(), 24, sequences, PERPLEXITY);

    assertThat(scores).extracting(Scores::key).isEqualTo(IntStream.range(0, 300).boxed().toList());
    assertThat(scores.get(50).tokenCount()).isEqualTo(99);
    assertThat(scores.get(51).tokenCount()).isEqualTo(2);
    assertThat(scores.get(299).tokenCount()).isEqualTo(29);
  }

  @Test
  void iteratorsThrowNoSuchElementExceptionAtTheirEnd() {
    Iterator<Sequence<Integer>> none = Collections.emptyIterator();
    Iterator<Scores<Integer>> noScores = new Scorer(small()).score(none, ALL);
    assertThat(noScores.hasNext()).isFalse();
    assertThatThrownBy(noScores::next).isInstanceOf(NoSuchElementException.class);

    Iterator<Scores<Integer>> scores =
        new Scorer(small()).score(List.of(sequence(1, 2)).iterator(), ALL);
    assertThat(scores.hasNext()).isTrue();
    assertThat(scores.hasNext()).isTrue();
    scores.next();
    assertThat(scores.hasNext()).isFalse();
    assertThatThrownBy(scores::next).isInstanceOf(NoSuchElementException.class);

    Iterator<PositionLogits<Integer>> logits =
        new Scorer(small()).logits(List.of(sequence(1, 2), sequence()).iterator());
    assertThat(logits.next().position()).isZero();
    assertThat(logits.next().position()).isEqualTo(1);
    assertThat(logits.hasNext()).isFalse();
    assertThatThrownBy(logits::next).isInstanceOf(NoSuchElementException.class);
  }

  @Test
  void aScorerCanBeReusedAfterAnUnfinishedIterator() {
    Scorer scorer = new Scorer(small(), 7);
    List<Sequence<Integer>> sequences = TestSequences.random(67, 40, 20, 1, 30);
    List<Scores<Integer>> expected = list(scorer.score(sequences.iterator(), ALL));
    Iterator<Scores<Integer>> unfinished = scorer.score(sequences.iterator(), PERPLEXITY);
    unfinished.next();

    TestSequences.assertSameBits(
        "seed 67", list(scorer.score(sequences.iterator(), ALL)), expected);
  }

  @ParameterizedTest
  @CsvSource({"40, 0", "-1, 0", "40, 3", "2147483647, 3", "-2147483648, 2"})
  void anIdOutsideTheVocabularyIsRefusedAtAnyPosition(int id, int position) {
    int[] tokens = new int[4];
    tokens[position] = id;
    for (Outputs outputs : List.of(PERPLEXITY, LAST_LOGITS, ALL)) {
      assertThatThrownBy(() -> score(small(), outputs, tokens))
          .isInstanceOf(IllegalArgumentException.class)
          .hasMessage("Token id %d at position %d is outside [0, 40)".formatted(id, position));
    }
    assertThatThrownBy(() -> list(new Scorer(small()).logits(List.of(sequence(tokens)).iterator())))
        .isInstanceOf(IllegalArgumentException.class);
    assertThat(score(small(), ALL, 0, 39).tokenCount()).isEqualTo(1);
  }

  @Test
  void theIdOfATokenThatIsOnlyContextIsChecked() {
    assertThatThrownBy(() -> score(small(), PERPLEXITY, 40))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Token id 40 at position 0 is outside [0, 40)");
  }

  @ParameterizedTest
  @ValueSource(ints = {-1, 41})
  void aTopKOutsideTheVocabularyIsRefused(int k) {
    assertThatThrownBy(() -> score(small(), new Outputs(true, false, false, k, false), 1, 2))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("K of top-k is " + k + "; expected 0 to 40");
  }

  @Test
  @Tag("kernels")
  void weightsThatMakeLogitsOverflowGiveScoresThatAreNotFinite() {
    MambaConfig config = MambaConfig.of(16, 1, 40);
    Map<String, float[]> tensors = TestModels.tensors(config, 68);
    Arrays.fill(tensors.get("norm_f.weight"), 3e38f);
    float[] embedding = tensors.get("embedding.weight");
    for (int i = 0; i < embedding.length; i++) {
      embedding[i] *= 1e10f;
    }
    MambaModel model = TestModels.of(config, tensors);

    assertThat(score(model, ALL, 1, 2, 3).firstNonFinite()).isNotNull();
    assertThat(score(model, PERPLEXITY, 1, 2, 3).firstNonFinite()).isNotNull();
    assertThat(score(model, LAST_LOGITS, 1, 2, 3).firstNonFinite()).isNotNull();
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSequenceThatOverflowsDoesNotAffectOthersInItsChunk(boolean mamba2) {
    MambaConfig config = mamba2 ? TestModels.mamba2(16, 1, 40) : MambaConfig.of(16, 1, 40);
    Map<String, float[]> tensors = TestModels.tensors(config, 69);
    // Only token 39 is not zero in the last channel, where the last norm overflows.
    float[] embedding = tensors.get("embedding.weight");
    for (int id = 0; id < 40; id++) {
      embedding[id * 16 + 15] = id == 39 ? 1f : 0f;
    }
    Arrays.fill(tensors.get("layers.0.mixer.out_proj.weight"), 15 * 32, 16 * 32, 0f);
    tensors.computeIfPresent("layers.0.mixer.out_proj.bias", (name, bias) -> new float[16]);
    tensors.get("norm_f.weight")[15] = 3e38f;
    MambaModel model = TestModels.of(config, tensors);
    List<Sequence<Integer>> sequences =
        List.of(
            new Sequence<>(0, new int[] {1, 2, 3}),
            new Sequence<>(1, new int[] {4, 39, 6, 7}),
            new Sequence<>(2, new int[] {8, 9, 10, 11, 12}));

    List<Scores<Integer>> scores = TestSequences.scores(model, 24, sequences, ALL);

    assertThat(scores.get(1).firstNonFinite()).isNotNull();
    for (int i : new int[] {0, 2}) {
      TestSequences.assertSameBits(
          "seed 69",
          List.of(scores.get(i)),
          TestSequences.scores(model, 24, List.of(sequences.get(i)), ALL));
    }
  }

  /**
   * With dModel 20 the last panel has unused lanes, and with Mamba-2 so has the last panel of each
   * group. NaN in these lanes must not affect the next chunk.
   */
  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void aSequenceThatOverflowsInsideALayerDoesNotAffectLaterChunks(boolean mamba2) {
    MambaConfig config = mamba2 ? TestModels.mamba2(20, 1, 40) : MambaConfig.of(20, 1, 40);
    Map<String, float[]> tensors = TestModels.tensors(config, 70);
    // Only token 39 is not zero in the last channel, which the norm makes large enough to overflow.
    float[] embedding = tensors.get("embedding.weight");
    for (int id = 0; id < 40; id++) {
      embedding[id * 20 + 19] = id == 39 ? 1f : 0f;
    }
    tensors.get("layers.0.norm.weight")[19] = 3e38f;
    MambaModel model = TestModels.of(config, tensors);
    Sequence<Integer> good = new Sequence<>(0, new int[] {1, 2, 3, 4, 6});
    Sequence<Integer> bad = new Sequence<>(1, new int[] {39, 39, 39, 39, 39});

    List<Scores<Integer>> scores = TestSequences.scores(model, 4, List.of(good, bad, good), ALL);

    assertThat(scores.get(1).firstNonFinite()).isNotNull();
    TestSequences.assertSameBits("seed 70", List.of(scores.get(0)), List.of(scores.get(2)));
  }

  @Test
  void theCallbackReceivesTheNumberOfTokensOfEachChunk() {
    MambaModel model = RandomModel.of(MambaConfig.of(16, 1, 40), 71);
    List<Integer> counts = new ArrayList<>();
    Scorer scorer = new Scorer(model, 4, counts::add);

    scorer.logits(List.of(new Sequence<>(0, new int[] {1, 2, 3, 4, 5, 6})).iterator()).next();
    assertThat(counts).containsExactly(4);
  }

  @ParameterizedTest
  @ValueSource(ints = {0, -3})
  void chunksOfLessThanOneTokenAreRefused(int chunk) {
    assertThatThrownBy(() -> new Scorer(small(), chunk))
        .isInstanceOf(IllegalArgumentException.class);
  }
}
