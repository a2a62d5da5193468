package io.mambaspark.jobs.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.model.ModelConventions.Found;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Tests the prefix token and the window that the files of a model name. */
class ModelConventionsTest {
  private static final String CONFIG = "config.json";
  private static final String TOKENIZER_CONFIG = "tokenizer_config.json";
  private static final String SPECIAL_TOKENS = "special_tokens_map.json";

  @TempDir Path own;

  /** The demo model, whose config.json has the ids 0, with tokenizer.json alone. */
  private Path folder;

  @BeforeEach
  void unpack() throws IOException {
    folder = Files.createDirectory(own.resolve("model"));
    DemoModel.unpack(folder);
    Files.delete(folder.resolve(TOKENIZER_CONFIG));
  }

  private void write(String file, String json) throws IOException {
    Files.writeString(folder.resolve(file), json);
  }

  private void config(String entries) throws IOException {
    String config = Files.readString(folder.resolve(CONFIG));
    write(CONFIG, config.replaceFirst("\\{", "{" + entries + ","));
  }

  private ModelConventions found() {
    return found(null);
  }

  private ModelConventions found(String tokenizer) {
    try (OpenModel model = new OpenModel(folder.toString())) {
      return model.conventions(tokenizer);
    }
  }

  private static String demo(String token) {
    return "\"%s\": \"<|endoftext|>\"".formatted(token);
  }

  @Test
  void without_files_of_the_tokenizer_the_ids_are_those_of_config_json() {
    ModelConventions found = found();
    assertThat(found.prefix()).isEqualTo(new Found(0, "bos_token_id of config.json"));
    assertThat(found.eos()).isEqualTo(new Found(0, "eos_token_id of config.json"));
    assertThat(found.maxLength()).hasToString("2048 (default; no file names another)");
    assertThat(found.notes()).isEmpty();
  }

  @Test
  void the_tokenizers_tokens_take_precedence_and_one_line_names_both() throws IOException {
    write(TOKENIZER_CONFIG, "{\"bos_token\": \"A\", \"eos_token\": {\"content\": \"B\"}}");
    ModelConventions found = found();
    assertThat(found.prefix()).hasToString("33 (bos_token \"A\" of tokenizer_config.json)");
    assertThat(found.eos()).hasToString("34 (eos_token \"B\" of tokenizer_config.json)");
    assertThat(found.notes())
        .contains(
            "bos_token \"A\" of tokenizer_config.json is not an added token of tokenizer.json:"
                + " transformers matches it in texts before all other tokens, mamba-spark does not",
            "the tokenizer and config.json disagree: bos_token \"A\" of tokenizer_config.json is id"
                + " 33, but bos_token_id of config.json is 0, and eos_token \"B\" of"
                + " tokenizer_config.json is id 34, but eos_token_id of config.json is 0; the"
                + " tokenizer's tokens are used, as in lm-evaluation-harness");
  }

  @Test
  void equal_ids_are_no_contradiction() throws IOException {
    write(TOKENIZER_CONFIG, "{" + demo("bos_token") + "}");
    assertThat(found().prefix())
        .hasToString("0 (bos_token \"<|endoftext|>\" of tokenizer_config.json)");
    assertThat(found().notes()).isEmpty();
  }

  @Test
  void the_tokenizers_eos_precedes_the_bos_of_config_json() throws IOException {
    write(TOKENIZER_CONFIG, "{\"bos_token\": null, \"eos_token\": \"B\"}");
    assertThat(found().prefix()).hasToString("34 (eos_token \"B\" of tokenizer_config.json)");
    assertThat(found().bos()).hasToString("0 (bos_token_id of config.json)");
  }

  @Test
  void a_tokenizer_that_cannot_be_read_is_a_note() throws IOException {
    write(TOKENIZER_CONFIG, "{\"bos_token\": \"A\", \"model_max_length\": Infinity}");
    write("tokenizer.json", "version https://git-lfs.github.com/spec/v1");
    assertThat(found().prefix()).isEqualTo(new Found(0, "bos_token_id of config.json"));
    assertThat(found().maxLength().value()).isEqualTo(2048);
    assertThat(found().notes())
        .singleElement()
        .asString()
        .startsWith("bos_token \"A\" of tokenizer_config.json is not used: Cannot read tokenizer ")
        .endsWith("fetch the file itself with git lfs pull");
  }

  @Test
  void special_tokens_map_json_takes_precedence_over_an_older_tokenizer_config_json()
      throws IOException {
    write(TOKENIZER_CONFIG, "{\"bos_token\": \"A\", \"eos_token\": \"B\"}");
    write(SPECIAL_TOKENS, "{\"bos_token\": \"C\"}");
    assertThat(found().bos()).hasToString("35 (bos_token \"C\" of special_tokens_map.json)");
    assertThat(found().eos()).hasToString("34 (eos_token \"B\" of tokenizer_config.json)");
    write(SPECIAL_TOKENS, "{\"bos_token\": null}");
    assertThat(found().prefix()).hasToString("34 (eos_token \"B\" of tokenizer_config.json)");
    write(TOKENIZER_CONFIG, "{\"bos_token\": \"A\", \"added_tokens_decoder\": {}, \"max_len\": 7}");
    assertThat(found().prefix()).hasToString("33 (bos_token \"A\" of tokenizer_config.json)");
    assertThat(found().maxLength()).hasToString("7 (model_max_length of tokenizer_config.json)");
  }

  @Test
  void a_token_without_an_id_is_named_and_not_used() throws IOException {
    write(TOKENIZER_CONFIG, "{\"bos_token\": \"<none>\"}");
    assertThat(found().prefix()).isEqualTo(new Found(0, "bos_token_id of config.json"));
    String note =
        "bos_token \"<none>\" of tokenizer_config.json is not used: no tokenizer.json in its folder"
            + " has an id for it";
    assertThat(found().notes()).containsExactly(note);
    Files.delete(folder.resolve("tokenizer.json"));
    assertThat(found().notes()).containsExactly(note);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "'n_positions': 5, 'max_position_embeddings': 6, 'n_ctx': 7 | 9 | 5 (n_positions of config.json)",
        "'max_position_embeddings': 6, 'n_ctx': 7 | 9 | 6 (max_position_embeddings of config.json)",
        "'n_positions': null, 'n_ctx': 7 | 9 | 7 (n_ctx of config.json)",
        "'other': 1 | 9 | 9 (model_max_length of tokenizer_config.json)",
        "'other': 1 | 9.0 | 9 (model_max_length of tokenizer_config.json)",
        "'other': 1 | null | 2048 (default; no file names another)",
        "'other': 1 | 1000000000000000019884624838656 | 2048 (default; no file names another)",
        "'other': 1 | 1e30 | 2048 (default; no file names another)",
        "'other': 1 | 1000000000000 | 1073741824 (model_max_length of tokenizer_config.json)",
        "'other': Infinity | 9 | 9 (model_max_length of tokenizer_config.json)",
      })
  void the_window_is_that_of_config_json_or_else_of_the_tokenizer(
      String entries, String modelMaxLength, String expected) throws IOException {
    config(entries.replace('\'', '"'));
    write(TOKENIZER_CONFIG, "{\"model_max_length\": %s}".formatted(modelMaxLength));
    assertThat(found().maxLength()).hasToString(expected);
    assertThat(found().notes()).isEmpty();
  }

  @Test
  void lengths_that_are_no_lengths_are_named_and_not_used() throws IOException {
    config("\"n_positions\": -1, \"n_ctx\": \"long\"");
    write(TOKENIZER_CONFIG, "{\"model_max_length\": 0}");
    assertThat(found().maxLength()).hasToString("2048 (default; no file names another)");
    assertThat(found().notes())
        .containsExactly(
            "n_positions -1 of config.json is not used: expected a number of at least 1",
            "n_ctx \"long\" of config.json is not used: expected a number of at least 1",
            "model_max_length 0 of tokenizer_config.json is not used: expected a number of at least"
                + " 1");
  }

  @Test
  void another_tokenizer_has_the_files_of_its_own_folder() throws IOException {
    write(TOKENIZER_CONFIG, "{\"bos_token\": \"A\"}");
    Path other = Files.createDirectory(own.resolve("other"));
    Path file = Files.copy(folder.resolve("tokenizer.json"), other.resolve("my.json"));
    assertThat(found(file.toString()).prefix().value()).isZero();
    Files.writeString(other.resolve(SPECIAL_TOKENS), "{\"eos_token\": {\"content\": \"C\"}}");
    for (Path named : new Path[] {file, other}) {
      Files.copy(file, other.resolve("tokenizer.json"), StandardCopyOption.REPLACE_EXISTING);
      assertThat(found(named.toString()).prefix())
          .hasToString("35 (eos_token \"C\" of special_tokens_map.json)");
    }
    assertThat(found("demo").prefix())
        .hasToString("0 (bos_token \"<|endoftext|>\" of tokenizer_config.json)");
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[]       | its JSON is not an object",
        "{\"a\":  | not JSON: Unexpected end-of-input within/between Object entries",
      })
  void a_file_that_is_not_an_object_is_refused(String json, String why) throws IOException {
    write(TOKENIZER_CONFIG, json);
    assertThatThrownBy(this::found)
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Cannot read %s/tokenizer_config.json: %s; expected the file that transformers'"
                + " save_pretrained writes",
            folder, why);
  }
}
