package io.mambaspark.jobs.score;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Refusal;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.ValueSource;

class EmitTest {
  @ParameterizedTest
  @ValueSource(
      strings = {
        "perplexity",
        "token-logprobs",
        "token-ranks",
        "top-k=5",
        "last-logits",
        "logits",
        "token-entropy",
        "min-k=20,min-k-plus-plus=100",
        "perplexity,token-logprobs,token-ranks,top-k=1,last-logits",
        "perplexity,position-nll,token-entropy,entropy,min-k=1,min-k-plus-plus=99,curvature,"
            + "longest-greedy-run,last-logits"
      })
  void a_parsed_list_is_printed_as_it_was_given(String list) {
    assertThat(Emit.parse(list)).hasToString(list);
  }

  @Test
  void spaces_around_values_are_ignored() {
    assertThat(Emit.parse(" top-k=5 , perplexity"))
        .isEqualTo(new Emit(true, false, false, 5, false, Signals.NONE, false, false, null));
  }

  @Test
  void results_per_token_include_the_nll() {
    assertThat(Emit.parse("token-ranks").nll()).isTrue();
    assertThat(Emit.parse("token-logprobs").nll()).isTrue();
    for (String signal :
        List.of(
            "token-entropy",
            "entropy",
            "min-k=20",
            "min-k-plus-plus=20",
            "curvature",
            "longest-greedy-run")) {
      assertThat(Emit.parse(signal).nll()).as(signal).isTrue();
    }
    assertThat(Emit.parse("top-k=2,last-logits").nll()).isFalse();
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "perplexity,perplexity | --emit names perplexity twice",
        "top-k=1,top-k=2 | --emit names top-k twice",
        "top-k | --emit top-k: expected top-k=K with an integer K of at least 1",
        "top-k=0 | --emit top-k=0: expected top-k=K with an integer K of at least 1",
        "top-k=-3 | --emit top-k=-3: expected top-k=K with an integer K of at least 1",
        "top-k=x | --emit top-k=x: expected top-k=K with an integer K of at least 1",
        "logits,perplexity | --emit logits cannot be combined with other values: it writes one row"
            + " per position",
        "min-k | --emit min-k: expected min-k=P with an integer percentage P from 1 to 100",
        "min-k=0 | --emit min-k=0: expected min-k=P with an integer percentage P from 1 to 100",
        "min-k=101 | --emit min-k=101: expected min-k=P with an integer percentage P from 1 to 100",
        "min-k=0.2 | --emit min-k=0.2: expected min-k=P with an integer percentage P from 1 to 100",
        "min-k-plus-plus=x | --emit min-k-plus-plus=x: expected min-k-plus-plus=P with an integer"
            + " percentage P from 1 to 100",
        "min-k=5,min-k=6 | --emit names min-k twice",
        "logits,entropy | --emit logits cannot be combined with other values: it writes one row per"
            + " position",
        "entropies | --emit: unknown value 'entropies'; expected a list of perplexity,"
            + " token-logprobs, token-ranks, top-k=K, position-nll, token-entropy, entropy, min-k=P,"
            + " min-k-plus-plus=P, curvature, longest-greedy-run, last-logits, or logits alone"
      })
  void an_invalid_list_is_wrong_usage(String list, String message) {
    assertThatThrownBy(() -> Emit.parse(list))
        .isInstanceOfSatisfying(Refusal.class, e -> assertThat(e.isWrongUsage()).isTrue())
        .hasMessage(message);
  }

  @Test
  void at_least_one_result_is_required() {
    assertThatThrownBy(
            () -> new Emit(false, false, false, 0, false, Signals.NONE, false, false, null))
        .isInstanceOf(Refusal.class)
        .hasMessageStartingWith("--emit is empty; expected a list of perplexity, ");
  }
}
