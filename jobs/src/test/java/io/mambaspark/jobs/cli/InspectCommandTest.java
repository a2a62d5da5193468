package io.mambaspark.jobs.cli;

import static org.assertj.core.api.Assertions.assertThat;

import com.fasterxml.jackson.databind.ObjectMapper;
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
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
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
  void a_format_that_cannot_hold_a_model_is_left_out_and_refused() throws IOException {
    int inner = 66573;
    Map<String, int[]> shapes = new LinkedHashMap<>();
    shapes.put("backbone.embeddings.weight", new int[] {8, 1});
    shapes.put("backbone.norm_f.weight", new int[] {1});
    shapes.put("backbone.layers.0.norm.weight", new int[] {1});
    String mixer = "backbone.layers.0.mixer.";
    shapes.put(mixer + "A_log", new int[] {inner, 1});
    shapes.put(mixer + "D", new int[] {inner});
    shapes.put(mixer + "in_proj.weight", new int[] {2 * inner, 1});
    shapes.put(mixer + "conv1d.weight", new int[] {inner, 1, 1});
    shapes.put(mixer + "x_proj.weight", new int[] {3, inner});
    shapes.put(mixer + "dt_proj.weight", new int[] {inner, 1});
    shapes.put(mixer + "dt_proj.bias", new int[] {inner});
    shapes.put(mixer + "out_proj.weight", new int[] {1, inner});
    Map<String, Object> header = new LinkedHashMap<>();
    int end = 0;
    for (Map.Entry<String, int[]> tensor : shapes.entrySet()) {
      int begin = end;
      end += 4 * Arrays.stream(tensor.getValue()).reduce(1, Math::multiplyExact);
      List<Integer> offsets = List.of(begin, end);
      header.put(
          tensor.getKey(),
          Map.of("dtype", "F32", "shape", tensor.getValue(), "data_offsets", offsets));
    }
    byte[] json = new ObjectMapper().writeValueAsBytes(header);
    ByteBuffer file = ByteBuffer.allocate(8 + json.length + end).order(ByteOrder.LITTLE_ENDIAN);
    Files.write(folder.resolve("model.safetensors"), file.putLong(json.length).put(json).array());
    Files.writeString(
        folder.resolve("config.json"),
        """
        {"model_type": "mamba", "hidden_size": 1, "num_hidden_layers": 1, "vocab_size": 8,
         "state_size": 1, "conv_kernel": 1, "use_conv_bias": false, "intermediate_size": 66573}
        """);

    assertThat(Cli.runWithoutSession("inspect", "--model", folder).out())
        .containsPattern(
            "packed in memory +[\\d.]+ MB in f32, [\\d.]+ MB in bf16, \\S+ MB in int8\n");
    Cli run =
        Cli.run(
            "score",
            "--model",
            folder,
            "--input",
            "demo",
            "--tokens-column",
            "tokens",
            "--weights",
            "int8-out16");
    assertThat(run.code()).isEqualTo(1);
    assertThat(run.error())
        .isEqualTo(
            "error: Cannot pack tensor backbone.layers.0.mixer.out_proj.weight as int8-out16: found"
                + " 66573 columns, expected at most 66572; choose f32 or bf16");
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
