package io.mambaspark.engine.model;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonReadFeature;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.json.JsonMapper;
import io.mambaspark.engine.checkpoint.CheckpointException;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class MambaConfigTest {

  /** The checkpoint's reader accepts these numbers, too, because Python writes them. */
  private static final ObjectMapper JSON =
      JsonMapper.builder().enable(JsonReadFeature.ALLOW_NON_NUMERIC_NUMBERS).build();

  /** Reads a config in which apostrophes are quotation marks. */
  static MambaConfig read(String json) {
    try {
      return MambaConfig.of(JSON.readTree(json.replace('\'', '"')));
    } catch (JsonProcessingException e) {
      throw new IllegalArgumentException(e);
    }
  }

  /** Returns a Hugging Face config with the sizes that have no default, and {@code more}. */
  private static String huggingFace(String more) {
    return "{'model_type': 'mamba', 'hidden_size': 768, 'num_hidden_layers': 24,"
        + " 'vocab_size': 50280"
        + more
        + "}";
  }

  private static String stateSpaces(String more) {
    return "{'d_model': 768, 'n_layer': 24, 'vocab_size': 50277" + more + "}";
  }

  private static final MambaConfig MAMBA_130M =
      new MambaConfig(
          768,
          24,
          50280,
          new Mamba1Config(16, 4, 1536, 48, true, false, null),
          1e-5f,
          true,
          null,
          null);

  @Test
  void theDefaultsEqualThoseOfMambaMinimal() {
    assertThat(MambaConfig.of(768, 24, 50277)).isEqualTo(MAMBA_130M);
  }

  @Test
  void bothLayoutsHaveTheSameDefaults() {
    assertThat(read(huggingFace(""))).isEqualTo(MAMBA_130M);
    assertThat(read(stateSpaces(""))).isEqualTo(MAMBA_130M);
    assertThat(read(stateSpaces(", 'ssm_cfg': {}, 'rms_norm': true, 'd_intermediate': 0")))
        .isEqualTo(MAMBA_130M);
    assertThat(read(stateSpaces(", 'ssm_cfg': {'layer': 'Mamba1'}, 'attn_layer_idx': []")))
        .isEqualTo(MAMBA_130M);
    assertThat(read(stateSpaces(", 'ssm_cfg': null, 'attn_layer_idx': null")))
        .isEqualTo(MAMBA_130M);
  }

  @Test
  void everyKeyOfHuggingFaceIsRead() {
    String config =
        huggingFace(
            ", 'state_size': 5, 'conv_kernel': 3, 'expand': 3, 'time_step_rank': 7,"
                + " 'use_conv_bias': false, 'use_bias': true, 'layer_norm_epsilon': 1e-6,"
                + " 'tie_word_embeddings': false, 'bos_token_id': 1, 'eos_token_id': 2,"
                + " 'hidden_act': 'silu', 'mixer_rms_eps': 0.5");

    assertThat(read(config))
        .isEqualTo(
            new MambaConfig(
                768,
                24,
                50280,
                new Mamba1Config(5, 3, 2304, 7, false, true, null),
                1e-6f,
                false,
                1,
                2));
  }

  @Test
  void everyKeyOfStateSpacesIsRead() {
    String config =
        stateSpaces(
            ", 'ssm_cfg': {'d_state': 5, 'd_conv': 3, 'expand': 3, 'dt_rank': 7,"
                + " 'conv_bias': false, 'bias': true}, 'pad_vocab_size_multiple': 50,"
                + " 'tie_embeddings': false, 'bos_token_id': 1, 'eos_token_id': 2");

    assertThat(read(config))
        .isEqualTo(
            new MambaConfig(
                768,
                24,
                50300,
                new Mamba1Config(5, 3, 2304, 7, false, true, null),
                1e-5f,
                false,
                1,
                2));
  }

  @Test
  void intermediateSizeOverridesExpand() {
    assertThat(read(huggingFace(", 'expand': 16, 'intermediate_size': 8192")).mixer().dInner())
        .isEqualTo(8192);
    assertThat(read(huggingFace(", 'expand': 16, 'intermediate_size': null")).mixer().dInner())
        .isEqualTo(16 * 768);
  }

  @Test
  void falconHasNormsInItsMixer() {
    assertThat(read(huggingFace("").replace("'mamba'", "'falcon_mamba'")).mixer().normEps())
        .isEqualTo(1e-6f);
    assertThat(
            read(huggingFace(", 'mixer_rms_eps': 1e-5").replace("'mamba'", "'falcon_mamba'"))
                .mixer()
                .normEps())
        .isEqualTo(1e-5f);
  }

  @ParameterizedTest
  @CsvSource({"1, 8, 8", "37, 8, 40", "40, 8, 40", "50277, 8, 50280", "37, 1, 37", "37, 64, 64"})
  void theVocabularyOfStateSpacesIsPadded(int vocabSize, int multiple, int padded) {
    String config =
        "{'d_model': 8, 'n_layer': 1, 'vocab_size': %d, 'pad_vocab_size_multiple': %d}"
            .formatted(vocabSize, multiple);

    assertThat(read(config).vocabSize()).isEqualTo(padded);
  }

  @Test
  void theVocabularyOfHuggingFaceIsNotPadded() {
    assertThat(read(huggingFace("").replace("50280", "50277")).vocabSize()).isEqualTo(50277);
  }

  @ParameterizedTest
  @CsvSource({"1, 1", "16, 1", "17, 2", "768, 48", "2560, 160"})
  void theRankOfDtIsASixteenthOfTheWidthRoundedUp(int dModel, int dtRank) {
    assertThat(MambaConfig.of(dModel, 1, 8).mixer().otherParameters())
        .isEqualTo(Map.of("dtRank", dtRank));
    String width = huggingFace(", 'time_step_rank': 'auto'").replace("768", "" + dModel);
    assertThat(read(width).mixer().otherParameters()).isEqualTo(Map.of("dtRank", dtRank));
    String other = stateSpaces(", 'ssm_cfg': {'dt_rank': 'auto'}").replace("768", "" + dModel);
    assertThat(read(other).mixer().otherParameters()).isEqualTo(Map.of("dtRank", dtRank));
  }

  @ParameterizedTest
  @ValueSource(strings = {"null", "[]", "'x'", "['x', 1]", "[[1]]", "1.5", "{'a': 1}"})
  void tokensThatAreNotNumbersAreNull(String token) {
    MambaConfig config = read(huggingFace(", 'eos_token_id': " + token));

    assertThat(config.bosTokenId()).isNull();
    assertThat(config.eosTokenId()).isNull();
  }

  @Test
  void theFirstTokenOfAListIsUsed() {
    assertThat(read(huggingFace(", 'eos_token_id': [7, 1]")).eosTokenId()).isEqualTo(7);
    assertThat(read(stateSpaces(", 'eos_token_id': [7]")).eosTokenId()).isEqualTo(7);
  }

  @Test
  void swishIsSilu() {
    assertThat(read(huggingFace(", 'hidden_act': 'swish'"))).isEqualTo(MAMBA_130M);
  }

  static Stream<Arguments> refused() {
    String requires = "; this engine requires ";
    String number = "; expected an integer from 1 to 16777216";
    return Stream.of(
        arguments(
            huggingFace("").replace("'mamba'", "'gpt2'"),
            "model_type is \"gpt2\"" + requires + "mamba, mamba2 or falcon_mamba"),
        arguments(
            huggingFace(", 'hidden_act': 'gelu'"), "hidden_act is \"gelu\"" + requires + "silu"),
        arguments(stateSpaces(", 'rms_norm': false"), "rms_norm is false" + requires + "true"),
        arguments(
            stateSpaces(", 'attn_layer_idx': [3, 9]"),
            "attn_layer_idx is [3,9]" + requires + "no attention layers"),
        arguments(
            stateSpaces(", 'attn_layer_idx': 3"),
            "attn_layer_idx is 3" + requires + "no attention layers"),
        arguments(
            stateSpaces(", 'd_intermediate': 2048"), "d_intermediate is 2048" + requires + "0"),
        arguments(
            stateSpaces(", 'd_intermediate': NaN"), "d_intermediate is \"NaN\"" + requires + "0"),
        arguments(
            stateSpaces(", 'd_intermediate': '0'"), "d_intermediate is \"0\"" + requires + "0"),
        arguments(
            stateSpaces(", 'ssm_cfg': {'layer': 'Mamba3'}"),
            "ssm_cfg.layer is \"Mamba3\"" + requires + "Mamba1 or Mamba2"),
        arguments(huggingFace(", 'state_size': NaN"), "state_size is \"NaN\"" + number),
        arguments(huggingFace("").replace("768", "-768"), "hidden_size is -768" + number),
        arguments(huggingFace("").replace("768", "0"), "hidden_size is 0" + number),
        arguments(huggingFace("").replace("768", "768.5"), "hidden_size is 768.5" + number),
        arguments(huggingFace("").replace("768", "'768'"), "hidden_size is \"768\"" + number),
        arguments(huggingFace("").replace("768", "16777217"), "hidden_size is 16777217" + number),
        arguments(
            huggingFace("").replace("50280", "99999999999999"),
            "vocab_size is 99999999999999" + number),
        arguments(
            huggingFace("").replace("'hidden_size'", "'width'"), "hidden_size is missing" + number),
        arguments(huggingFace("").replace("768", "null"), "hidden_size is null" + number),
        arguments(
            huggingFace("").replace("24", "4097"),
            "num_hidden_layers is 4097; expected an integer from 1 to 4096"),
        arguments(
            stateSpaces("").replace("24", "0"), "n_layer is 0; expected an integer from 1 to 4096"),
        arguments(huggingFace(", 'state_size': -1"), "state_size is -1" + number),
        arguments(huggingFace(", 'conv_kernel': 0"), "conv_kernel is 0" + number),
        arguments(huggingFace(", 'intermediate_size': 0"), "intermediate_size is 0" + number),
        arguments(huggingFace(", 'time_step_rank': 'half'"), "time_step_rank is \"half\"" + number),
        arguments(stateSpaces(", 'ssm_cfg': {'d_state': 'x'}"), "d_state is \"x\"" + number),
        arguments(
            stateSpaces(", 'pad_vocab_size_multiple': 0"), "pad_vocab_size_multiple is 0" + number),
        arguments(
            huggingFace(", 'expand': 30000"),
            "expand times the model's width is 23040000; expected at most 16777216"),
        arguments(
            huggingFace(", 'intermediate_size': 16777216, 'state_size': 64"),
            "16777216 channels with 64 states and a convolution of width 4 require more than"
                + " 1073741824 numbers per layer"),
        arguments(
            huggingFace(", 'hidden_act': '" + "\ue000".repeat(500_000) + "'"),
            "hidden_act is \""
                + "\\ue000".repeat(19)
                + "… (500002 characters)"
                + requires
                + "silu"),
        arguments(
            huggingFace(", 'use_bias': 'yes'"), "use_bias is \"yes\"; expected true or false"),
        arguments(
            huggingFace(", 'layer_norm_epsilon': -1"),
            "layer_norm_epsilon is -1; expected a number from 0 to 1"),
        arguments(
            huggingFace(", 'layer_norm_epsilon': 1e300"),
            "layer_norm_epsilon is 1.0E300; expected a number from 0 to 1"));
  }

  @ParameterizedTest
  @MethodSource
  void refused(String config, String message) {
    assertThatThrownBy(() -> read(config))
        .isInstanceOf(CheckpointException.class)
        .hasMessage("config.json: " + message);
  }

  @Test
  void aConfigInNeitherLayoutIsRefused() {
    assertThatThrownBy(() -> read("{'hidden_size': 768}"))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(
            "config.json has neither model_type (Hugging Face) nor d_model (state-spaces), so it"
                + " does not describe a Mamba model");
  }
}
