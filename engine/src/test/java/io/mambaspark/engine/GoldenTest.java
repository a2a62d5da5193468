package io.mambaspark.engine;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class GoldenTest {

  @ParameterizedTest
  @CsvSource({
    "seed-demo, 3, 2000",
    "odd-shapes, 5, 40",
    "state-spaces-bin, 3, 40",
    "bf16, 2, 64",
    "falcon, 3, 56",
    "mamba2, 5, 56",
    "mamba2-groups, 3, 48",
    "mamba2-state-spaces-bin, 3, 64",
    "mamba2-no-norm, 2, 64"
  })
  void everyCaseHasAsManyRowsOfLogitsAsTokens(String name, int count, int rows) {
    List<Golden.Case> cases = Golden.cases(Golden.folder(name));

    assertThat(cases).hasSize(count);
    for (Golden.Case c : cases) {
      assertThat(c.rows()).isEqualTo(rows);
      assertThat(c.logits()).hasSize(c.inputIds().length * rows);
      assertThat(IntStream.of(c.inputIds())).allMatch(id -> id >= 0 && id < rows);
      assertThat(c.logprobs()).isNull();
      assertThat(c.lastLogits()).isNull();
    }
  }

  @Test
  void aCaseIsNamedByItsFolderAndNumber() {
    assertThat(Golden.cases(Golden.folder("bf16")))
        .extracting(Golden.Case::name)
        .containsExactly("bf16/0", "bf16/1");
  }
}
