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
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * Compares each policy with a copy of the loops of its original program, which run every window
 * separately.
 */
class WindowsTest {
  private static final MambaModel MODEL = RandomModel.of(MambaConfig.of(16, 2, 40), 64);
  private static final MambaModel MAMBA2 = RandomModel.of(TestModels.mamba2(12, 2, 40), 64);
  private static final int REPLACED = 7;

  /** The log-probabilities of the scored tokens of a sequence, and their indices. */
  private static final class Expected {
    final List<Float> logprobs = new ArrayList<>();
    final List<Integer> indices = new ArrayList<>();
    private final MambaModel model;

    Expected(MambaModel model) {
      this.model = model;
    }

    /** Adds the last {@code scored} tokens of a window, which begin at an index of the sequence. */
    void add(int[] window, int scored, int firstIndex) {
      float[] all = TestSequences.score(model, TestSequences.ALL, window).tokenLogprobs();
      for (int i = 0; i < scored; i++) {
        logprobs.add(all[all.length - scored + i]);
        indices.add(firstIndex + i);
      }
    }
  }

  /** lm-evaluation-harness, get_rolling_token_windows and make_disjoint_window, context_len 1. */
  private static Expected rolling(MambaModel model, int[] tokens, int maxSeqLen) {
    Expected expected = new Expected(model);
    int[] tokenList = Arrays.copyOfRange(tokens, Math.min(1, tokens.length), tokens.length);
    if (tokenList.length == 0) {
      return expected;
    }
    int firstSeqLen = Math.min(maxSeqLen, tokenList.length);
    int[] first = new int[firstSeqLen + 1];
    first[0] = tokens[0];
    System.arraycopy(tokenList, 0, first, 1, firstSeqLen);
    expected.add(first, firstSeqLen, 1);
    int predicted = firstSeqLen;
    while (predicted < tokenList.length) {
      int windowPredLen = Math.min(tokenList.length - predicted, maxSeqLen);
      int windowEnd = predicted + windowPredLen;
      int[] window = Arrays.copyOfRange(tokenList, windowEnd - maxSeqLen - 1, windowEnd);
      expected.add(window, windowPredLen, predicted + 1);
      predicted += windowPredLen;
    }
    return expected;
  }

  /** Hugging Face's guide; a window is weighted by the number of tokens that it scores. */
  private static Expected strided(MambaModel model, int[] tokens, int maxLength, int stride) {
    Expected expected = new Expected(model);
    int prevEnd = 0;
    for (int begin = 0; begin < tokens.length; begin += stride) {
      int end = Math.min(begin + maxLength, tokens.length);
      int trgLen = end - prevEnd;
      int[] window = Arrays.copyOfRange(tokens, begin, end);
      // The model shifts the labels by one, so the first token has no label.
      int scored = Math.min(trgLen, window.length - 1);
      expected.add(window, scored, end - scored);
      prevEnd = end;
      if (end == tokens.length) {
        break;
      }
    }
    return expected;
  }

  /** llama.cpp, perplexity(). */
  private static Expected chunked(MambaModel model, int[] tokens, int nCtx, int bos) {
    Expected expected = new Expected(model);
    int nChunk = tokens.length / nCtx;
    int first = nCtx / 2;
    for (int i = 0; i < nChunk; i++) {
      int[] chunk = Arrays.copyOfRange(tokens, i * nCtx, (i + 1) * nCtx);
      if (bos >= 0) {
        chunk[0] = bos;
      }
      expected.add(chunk, nCtx - first - 1, i * nCtx + first + 1);
    }
    return expected;
  }

  static Stream<Arguments> policies() {
    List<Arguments> policies = new ArrayList<>();
    for (int tokens : new int[] {1, 2, 3, 5, 8, 50}) {
      policies.add(Arguments.of(Windows.rolling(tokens)));
    }
    for (int tokens : new int[] {2, 3, 8, 50}) {
      for (int stride : new int[] {1, 2, 3, 5, 8}) {
        if (stride <= tokens) {
          policies.add(Arguments.of(Windows.strided(tokens, stride)));
        }
      }
    }
    for (int tokens : new int[] {3, 4, 5, 8, 50}) {
      policies.add(Arguments.of(Windows.chunked(tokens, Windows.AS_IT_IS)));
      policies.add(Arguments.of(Windows.chunked(tokens, REPLACED)));
    }
    return policies.stream();
  }

  private static Expected expected(MambaModel model, Windows windows, int[] tokens) {
    return switch (windows.policy()) {
      case ROLLING -> rolling(model, tokens, windows.tokens());
      case STRIDED -> strided(model, tokens, windows.tokens(), windows.stride());
      case CHUNKED -> chunked(model, tokens, windows.tokens(), windows.firstToken());
      case FULL -> throw new IllegalArgumentException();
    };
  }

  @ParameterizedTest
  @MethodSource("policies")
  void aPolicyGivesTheSumsOfSeparateRunsOverItsWindows(Windows windows) {
    aPolicyGivesTheSumsOfSeparateRunsOverItsWindows(MODEL, windows);
  }

  static List<Windows> onePolicyOfEachKind() {
    return List.of(Windows.rolling(8), Windows.strided(8, 3), Windows.chunked(8, REPLACED));
  }

  @ParameterizedTest
  @MethodSource("onePolicyOfEachKind")
  void aPolicyGivesTheSumsOfSeparateRunsOfMamba2(Windows windows) {
    aPolicyGivesTheSumsOfSeparateRunsOverItsWindows(MAMBA2, windows);
  }

  private static void aPolicyGivesTheSumsOfSeparateRunsOverItsWindows(
      MambaModel model, Windows windows) {
    List<Sequence<Integer>> sequences =
        TestSequences.random(
            65, 40, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 15, 16, 17, 24, 25, 49, 50, 51, 101);
    Outputs outputs = new Outputs(true, true, true, 3, false);
    for (int chunk : new int[] {1, 2, 3, 7, Scorer.CHUNK}) {
      List<Scores<Integer>> found =
          list(new Scorer(model, chunk).score(sequences.iterator(), outputs, windows));

      assertThat(found).hasSameSizeAs(sequences);
      for (int i = 0; i < found.size(); i++) {
        Scores<Integer> scores = found.get(i);
        Expected expected = expected(model, windows, sequences.get(i).tokens());
        String what =
            "%s, %d tokens, chunks of %d"
                .formatted(windows, sequences.get(i).tokens().length, chunk);
        assertThat(scores.key()).as(what).isEqualTo(i);
        assertThat(scores.tokenCount()).as(what).isEqualTo(expected.logprobs.size());
        assertThat(scores.tokenLogprobs()).as(what).containsExactly(floats(expected.logprobs));
        double nll = 0;
        double squares = 0;
        double[] byPosition = new double[scores.positionNll().length];
        long[] counts = new long[byPosition.length];
        for (int t = 0; t < expected.logprobs.size(); t++) {
          double logprob = expected.logprobs.get(t);
          int bucket = (int) Math.floor(Math.log(expected.indices.get(t)) / Math.log(2) + 1e-9);
          nll -= logprob;
          squares += logprob * logprob;
          byPosition[bucket] -= logprob;
          counts[bucket]++;
        }
        assertThat(scores.nll()).as(what).isEqualTo(nll);
        assertThat(scores.nllSquares()).as(what).isEqualTo(squares);
        assertThat(scores.positionNll()).as(what).containsExactly(byPosition);
        assertThat(scores.positionTokens()).as(what).containsExactly(counts);
      }
    }
  }

  private static float[] floats(List<Float> values) {
    float[] floats = new float[values.size()];
    for (int i = 0; i < floats.length; i++) {
      floats[i] = values.get(i);
    }
    return floats;
  }

  @Test
  void aWindowAsLongAsTheSequenceEqualsTheFullWindow() {
    List<Sequence<Integer>> sequences = TestSequences.random(66, 40, 2, 9, 30);
    Outputs outputs = new Outputs(true, true, true, 3, false);
    List<Scores<Integer>> full = TestSequences.scores(MODEL, 8, sequences, outputs);

    for (Windows windows : List.of(Windows.rolling(29), Windows.strided(30, 4))) {
      TestSequences.assertSameBits(
          windows.toString(),
          list(new Scorer(MODEL, 8).score(sequences.iterator(), outputs, windows)),
          full);
    }
  }

  @Test
  void theStartsOfWindowsDoNotOverflow() {
    Windows strided = Windows.strided(1 << 30, 1 << 30);
    assertThat(strided.window(1, Integer.MAX_VALUE))
        .isEqualTo(new Windows.Window(1 << 30, (1 << 30) + 1, Integer.MAX_VALUE));
    assertThat(strided.window(2, Integer.MAX_VALUE)).isNull();
    assertThat(Windows.chunked(1 << 30, Windows.AS_IT_IS).window(1, Integer.MAX_VALUE)).isNull();
    assertThat(Windows.rolling(1 << 30).window(1, Integer.MAX_VALUE).end())
        .isEqualTo(Integer.MAX_VALUE);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "ROLLING|0|0|-1|A rolling window has 0 tokens; expected at least 1",
        "STRIDED|1|1|-1|A strided window has 1 tokens; expected at least 2",
        "CHUNKED|2|0|-1|A chunked window has 2 tokens; expected at least 3",
        "FULL|5|0|-1|A full window has no fixed length; expected 0 tokens, found 5",
        "STRIDED|8|0|-1|The stride is 0 tokens; expected 1 to 8, the length of a window",
        "STRIDED|8|9|-1|The stride is 9 tokens; expected 1 to 8, the length of a window",
        "ROLLING|8|4|-1|Only strided windows have a stride; expected 0, found 4",
        "ROLLING|8|0|3|Only chunked windows replace their first token",
      })
  void invalidParametersOfAPolicyAreRefused(
      Windows.Policy policy, int tokens, int stride, int firstToken, String message) {
    assertThatThrownBy(() -> new Windows(policy, tokens, stride, firstToken))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage(message);
  }

  @Test
  void lastLogitsContextsAndInvalidFirstTokensAreRefused() {
    Scorer scorer = new Scorer(MODEL, 8);
    List<Sequence<Integer>> given = List.of(new Sequence<>(0, new int[] {1, 2, 3}, 2));

    assertThatThrownBy(
            () ->
                scorer.score(
                    given.iterator(), new Outputs(true, false, false, 0, true), Windows.rolling(8)))
        .hasMessage("Only full windows have logits after the last token");
    assertThatThrownBy(
            () ->
                list(
                    scorer.score(
                        given.iterator(),
                        new Outputs(true, false, false, 0, false),
                        Windows.rolling(8))))
        .hasMessage("The context has 2 tokens; only full windows support a context");
    assertThatThrownBy(
            () ->
                scorer.score(
                    given.iterator(),
                    new Outputs(true, false, false, 0, false),
                    Windows.chunked(8, 40)))
        .hasMessage("The first token of the windows is 40; expected an id in [0, 40)");
  }
}
