package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class CheckpointFilesTest {
  private static final String INDEX = "model.safetensors.index.json";

  /** Returns the files that are opened in a folder with these names and this index. */
  private static List<String> opened(String index, String... names) throws IOException {
    return CheckpointFiles.opened(
        "hdfs:/model",
        Set.of(names),
        name -> {
          assertThat(name).isEqualTo(INDEX);
          return new ByteArrayInputStream(index.getBytes(StandardCharsets.UTF_8));
        });
  }

  @Test
  void aModelInOneFileIsItsConfigAndThatFile() throws IOException {
    assertThat(opened("", "README.md", "pytorch_model.bin", "model.safetensors", "config.json"))
        .containsExactly("config.json", "model.safetensors");
  }

  @Test
  void shardsAreListedIfTheIndexNamesThemAndTheFolderHasThem() throws IOException {
    String index =
        """
        {"weight_map": {"a": "2.safetensors", "b": "1.safetensors", "c": "2.safetensors",
        "d": "missing.safetensors", "e": "../1.safetensors", "f": "config.json"}}""";

    assertThat(
            opened(
                index, "config.json", INDEX, "1.safetensors", "2.safetensors", "other.safetensors"))
        .containsExactly("config.json", INDEX, "1.safetensors", "2.safetensors");
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "",
        "{",
        "[]",
        "{\"weight_map\": {}}",
        "{\"weight_map\": {\"a\": 1}}",
        "{\"weight_map\": {\"a\": \"1.safetensors\"}} more"
      })
  void aDamagedIndexYieldsNoShardsAndNoError(String index) throws IOException {
    assertThat(opened(index, "config.json", INDEX, "1.safetensors"))
        .containsExactly("config.json", INDEX);
  }

  @Test
  void anIndexThatIsTooLongYieldsNoShardsAndNoError() throws IOException {
    String index =
        "{\"weight_map\": {\"a\": \"1.safetensors\"}}" + " ".repeat(ShardIndex.MAX_BYTES);

    assertThat(opened(index, "config.json", INDEX, "1.safetensors"))
        .containsExactly("config.json", INDEX);
  }

  @Test
  void anIndexThatCannotBeReadIsAnIoError() {
    assertThatThrownBy(
            () ->
                CheckpointFiles.opened(
                    "hdfs:/model",
                    Set.of("config.json", INDEX),
                    name -> {
                      throw new IOException("connection refused");
                    }))
        .isInstanceOf(IOException.class)
        .hasMessage("connection refused");
  }

  @Test
  void aFolderWithoutACheckpointIsRefused() {
    assertThatThrownBy(() -> opened("", "model.safetensors"))
        .isInstanceOf(CheckpointException.class)
        .hasMessage("Cannot open model folder hdfs:/model: it holds no config.json");
  }
}
