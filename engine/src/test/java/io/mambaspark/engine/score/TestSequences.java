package io.mambaspark.engine.score;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.model.MambaModel;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.SplittableRandom;

/** Creates random sequences, and compares their scores. */
final class TestSequences {
  /** All results that can be requested at once. */
  static final Outputs ALL = new Outputs(true, true, true, 5, true, true, true);

  private TestSequences() {}

  /** Returns one sequence per length, with its index as its key. */
  static List<Sequence<Integer>> random(long seed, int vocabSize, int... lengths) {
    SplittableRandom random = new SplittableRandom(seed);
    List<Sequence<Integer>> sequences = new ArrayList<>();
    for (int length : lengths) {
      sequences.add(new Sequence<>(sequences.size(), random.ints(length, 0, vocabSize).toArray()));
    }
    return sequences;
  }

  static Sequence<Integer> sequence(int... tokens) {
    return new Sequence<>(0, tokens);
  }

  static <E> List<E> list(Iterator<E> iterator) {
    List<E> list = new ArrayList<>();
    iterator.forEachRemaining(list::add);
    return list;
  }

  static List<Scores<Integer>> scores(
      MambaModel model, int chunkTokens, List<Sequence<Integer>> sequences, Outputs outputs) {
    return list(new Scorer(model, chunkTokens).score(sequences.iterator(), outputs));
  }

  static Scores<Integer> score(MambaModel model, Outputs outputs, int... tokens) {
    return scores(model, Scorer.CHUNK, List.of(sequence(tokens)), outputs).get(0);
  }

  static void assertSameBits(
      String what, List<Scores<Integer>> found, List<Scores<Integer>> expected) {
    assertThat(found).as(what).hasSameSizeAs(expected);
    for (int i = 0; i < expected.size(); i++) {
      Scores<Integer> f = found.get(i);
      Scores<Integer> e = expected.get(i);
      String where = what + ", sequence " + e.key();
      assertThat(f.key()).as(where).isEqualTo(e.key());
      assertThat(Double.doubleToRawLongBits(f.nll()))
          .as(where + ", nll")
          .isEqualTo(Double.doubleToRawLongBits(e.nll()));
      assertThat(f.tokenCount()).as(where).isEqualTo(e.tokenCount());
      assertThat(f.nllSquares()).as(where).isEqualTo(e.nllSquares());
      assertThat(f.greedyTokens()).as(where).isEqualTo(e.greedyTokens());
      assertThat(f.longestGreedyRun()).as(where).isEqualTo(e.longestGreedyRun());
      assertThat(f.positionNll()).as(where).isEqualTo(e.positionNll());
      assertThat(f.positionTokens()).as(where).isEqualTo(e.positionTokens());
      // Equality of float arrays in Java compares their bits.
      assertThat(f.tokenLogprobs()).as(where).isEqualTo(e.tokenLogprobs());
      assertThat(f.greedyMatch()).as(where).isEqualTo(e.greedyMatch());
      assertThat(f.tokenRanks()).as(where).isEqualTo(e.tokenRanks());
      assertThat(f.topKIds()).as(where).isDeepEqualTo(e.topKIds());
      assertThat(f.topKLogprobs()).as(where).isDeepEqualTo(e.topKLogprobs());
      assertThat(f.lastLogits()).as(where).isEqualTo(e.lastLogits());
      assertThat(f.moments() == null).as(where).isEqualTo(e.moments() == null);
      if (e.moments() != null) {
        assertThat(f.moments().mean()).as(where).isEqualTo(e.moments().mean());
        assertThat(f.moments().variance()).as(where).isEqualTo(e.moments().variance());
        assertThat(f.moments().tokenMeans()).as(where).isEqualTo(e.moments().tokenMeans());
        assertThat(f.moments().tokenVariances()).as(where).isEqualTo(e.moments().tokenVariances());
      }
    }
  }
}
