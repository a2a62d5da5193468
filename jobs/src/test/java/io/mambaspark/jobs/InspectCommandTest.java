package io.mambaspark.jobs;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.model.MambaCheckpoint;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class InspectCommandTest {
  @TempDir Path folder;

  @Test
  void a_checkpoint_is_described() {
    TestModels.write(folder);
    Cli run = Cli.runWithoutSession("inspect", "--model", folder);
    assertThat(run.err()).isEmpty();
    assertThat(run.code()).isZero();
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      assertThat(run.out())
          .contains(checkpoint.fingerprint())
          .containsPattern("parameters +" + String.format("%,d", checkpoint.parameterCount()))
          .containsPattern("dModel +8")
          .containsPattern("bosTokenId +3")
          .containsPattern("eosTokenId +none")
          .containsPattern(
              "backbone.layers.1.mixer.in_proj.weight +F32 +\\[32, 8\\] +.*model.safetensors");
    }
  }

  @Test
  void the_demo_model_is_one_of_1_2_million_parameters_in_bf16() {
    Cli run = Cli.runWithoutSession("inspect", "--model", "demo");
    assertThat(run.code()).isZero();
    assertThat(run.out()).contains("BF16").containsPattern("parameters +1,2\\d\\d,\\d\\d\\d");
  }

  @Test
  void a_missing_folder_is_told_in_one_line() {
    Cli run = Cli.runWithoutSession("inspect", "--model", folder.resolve("x"));
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .isEqualToIgnoringNewLines(
            "error: Cannot open model " + folder.resolve("x") + ": no such folder");
  }
}
