package io.mambaspark.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.Cli;
import io.mambaspark.jobs.TestModels;
import io.mambaspark.jobs.model.DemoModel;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
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
          .containsPattern("prefix token +3 \\(bos_token_id of config.json\\)\n")
          .containsPattern("rolling window +2048 \\(default; no file names another\\)\n")
          .containsPattern(
              "backbone.layers.1.mixer.in_proj.weight +F32 +\\[32, 8\\] +.*model.safetensors");
    }
  }

  @Test
  void notes_report_deviations_of_the_files() throws IOException {
    TestModels.write(folder);
    Path config = folder.resolve("config.json");
    Files.writeString(
        config,
        Files.readString(config)
            .replace("\"use_bias\": false", "\"use_bias\": true, \"eos_token_id\": [5, 0]"));
    Path weights = folder.resolve("model.safetensors");
    ByteBuffer file = ByteBuffer.wrap(Files.readAllBytes(weights)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[(int) file.getLong()];
    file.get(header);
    int end = file.remaining();
    String more =
        new String(header, StandardCharsets.UTF_8).replaceFirst("}$", "")
            + ",\"v_head.bias\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[%d,%d]}}"
                .formatted(end, end + 8);
    byte[] longer = more.getBytes(StandardCharsets.UTF_8);
    ByteBuffer written =
        ByteBuffer.allocate(16 + longer.length + end).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(weights, written.putLong(longer.length).put(longer).put(file).array());

    Cli run = Cli.runWithoutSession("inspect", "--model", folder);

    assertThat(run.code()).isZero();
    assertThat(run.out())
        .contains(
            "  note              config.json sets use_bias to true, but no layer has an in_proj.bias or"
                + " out_proj.bias: the model runs without them\n",
            "  note              config.json: eos_token_id is a list, [5,0]; the first, 5, is used\n",
            "  note              tensors that are not part of the model are ignored: v_head.bias\n")
        .containsPattern("v_head.bias +F64 +\\[1\\] +model.safetensors \\(ignored\\)\n")
        .containsPattern("eosTokenId +5\n")
        .containsPattern("  bias +false\n");
  }

  @Test
  void a_contradiction_between_the_files_is_a_note() throws IOException {
    DemoModel.unpack(folder);
    Files.writeString(
        folder.resolve("tokenizer_config.json"),
        "{\"bos_token\": \"A\", \"model_max_length\": 64}");
    Cli run = Cli.runWithoutSession("inspect", "--model", folder);
    assertThat(run.out())
        .contains(
            "  note              the tokenizer and config.json disagree: bos_token \"A\" of"
                + " tokenizer_config.json is id 33, but bos_token_id of config.json is 0; the"
                + " tokenizer's tokens are used, as in lm-evaluation-harness\n")
        .containsPattern("prefix token +33 \\(bos_token \"A\" of tokenizer_config.json\\)\n")
        .containsPattern("rolling window +64 \\(model_max_length of tokenizer_config.json\\)\n");
  }

  @Test
  void the_demo_model_has_1_2_million_parameters_in_bf16() {
    Cli run = Cli.runWithoutSession("inspect", "--model", "demo");
    assertThat(run.code()).isZero();
    assertThat(run.out())
        .contains("BF16")
        .containsPattern("parameters +1,2\\d\\d,\\d\\d\\d")
        .containsPattern(
            "packed in memory +[\\d.]+ MB in f32, [\\d.]+ MB in bf16, [\\d.]+ MB in int8,"
                + " [\\d.]+ MB in int8-out16, [\\d.]+ MB in int16");
  }

  @Test
  void a_missing_folder_is_reported_in_one_line() {
    Cli run = Cli.runWithoutSession("inspect", "--model", folder.resolve("x"));
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.err())
        .isEqualToIgnoringNewLines(
            "error: Cannot open model " + folder.resolve("x") + ": no such folder");
  }
}
