package io.mambaspark.engine.model;

import static io.mambaspark.engine.model.MambaConfigTest.read;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.mambaspark.engine.checkpoint.CheckpointException;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class Mamba2ConfigTest {
  private static final float INFINITY = Float.POSITIVE_INFINITY;

  private static String huggingFace(String more) {
    return "{'model_type': 'mamba2'" + more + "}";
  }

  /** Returns a config of the width of mamba2-130m with these keys in ssm_cfg. */
  private static String stateSpaces(String moreOfSsm) {
    return "{'d_model': 768, 'n_layer': 24, 'vocab_size': 50277, 'pad_vocab_size_multiple': 16,"
        + " 'ssm_cfg': {'layer': 'Mamba2'"
        + moreOfSsm
        + "}}";
  }

  private static final MambaConfig MAMBA2_130M =
      new MambaConfig(
          768,
          24,
          50288,
          new Mamba2Config(128, 4, 64, 24, 1, true, false, 1e-5f, false, false, 0f, INFINITY),
          1e-5f,
          true,
          null,
          null);

  /** Mamba-Codestral-7B has the defaults of Hugging Face. */
  private static final MambaConfig CODESTRAL_7B =
      new MambaConfig(
          4096,
          64,
          32768,
          new Mamba2Config(128, 4, 64, 128, 8, true, false, 1e-5f, false, false, 0f, INFINITY),
          1e-5f,
          false,
          null,
          null);

  @Test
  void theDefaultsOfStateSpacesAreThoseOfItsPublishedModels() {
    assertThat(MambaConfig.ofMamba2(768, 24, 50277)).isEqualTo(MAMBA2_130M);
    assertThat(read(stateSpaces(""))).isEqualTo(MAMBA2_130M);
  }

  @Test
  void theDefaultsOfHuggingFaceAreThoseOfTransformers() {
    assertThat(read(huggingFace(""))).isEqualTo(CODESTRAL_7B);
  }

  @ParameterizedTest
  @CsvSource({
    "mamba2-370m, 1024, 48, 32",
    "mamba2-780m, 1536, 48, 48",
    "mamba2-1.3b, 2048, 48, 64",
    "mamba2-2.7b, 2560, 64, 80"
  })
  void aConversionHasTheConfigOfItsOriginal(String name, int dModel, int nLayer, int nHeads) {
    String original = stateSpaces("").replace("24", "" + nLayer).replace("768", "" + dModel);
    String converted =
        huggingFace(
            (", 'hidden_size': %d, 'num_hidden_layers': %d, 'num_heads': %d, 'n_groups': 1,"
                    + " 'vocab_size': 50288, 'tie_word_embeddings': true")
                .formatted(dModel, nLayer, nHeads));

    MambaConfig config = MambaConfig.ofMamba2(dModel, nLayer, 50277);
    assertThat(read(original)).as(name).isEqualTo(config);
    assertThat(read(converted)).as(name).isEqualTo(config);
  }

  @Test
  void thePublishedConfigOfCodestralGatesFirst() {
    String published =
        """
        {"architectures": ["Mamba2ForCausalLM"], "bos_token_id": 0, "chunk_size": 256,
         "conv_kernel": 4, "eos_token_id": 0, "expand": 2, "head_dim": 64, "hidden_act": "silu",
         "hidden_size": 4096, "initializer_range": 0.1, "intermediate_size": 8192,
         "layer_norm_epsilon": 1e-05, "model_type": "mamba2", "n_groups": 8,
         "norm_before_gate": true, "num_heads": 128, "num_hidden_layers": 64, "pad_token_id": 0,
         "rescale_prenorm_residual": false, "residual_in_fp32": true, "rms_norm": true,
         "state_size": 128, "tie_word_embeddings": false, "time_step_floor": 0.0001,
         "time_step_init_scheme": "random", "time_step_limit": [0.0, Infinity],
         "time_step_max": 0.1, "time_step_min": 0.001, "time_step_rank": 256,
         "time_step_scale": 1.0, "torch_dtype": "bfloat16", "use_bias": false, "use_cache": true,
         "use_conv_bias": true, "vocab_size": 32768}
        """;
    MambaConfig config = read(published);

    assertThat(config.mixer()).isEqualTo(CODESTRAL_7B.mixer());
    assertThat(config.bosTokenId()).isZero();
    assertThat(config.canonical()).isEqualTo(CODESTRAL_7B.canonical());
  }

  @Test
  void everyKeyOfHuggingFaceIsRead() {
    String config =
        huggingFace(
            ", 'hidden_size': 96, 'num_hidden_layers': 3, 'vocab_size': 50, 'state_size': 5,"
                + " 'conv_kernel': 3, 'expand': 3, 'head_dim': 24, 'num_heads': 12,"
                + " 'n_groups': 6, 'time_step_limit': [0.001, 0.1], 'use_bias': true,"
                + " 'use_conv_bias': false, 'layer_norm_epsilon': 1e-6,"
                + " 'tie_word_embeddings': true, 'bos_token_id': 1, 'eos_token_id': [2, 3],"
                + " 'hidden_act': 'swish'");

    assertThat(read(config))
        .isEqualTo(
            new MambaConfig(
                96,
                3,
                50,
                new Mamba2Config(5, 3, 24, 12, 6, false, true, 1e-6f, false, false, 0.001f, 0.1f),
                1e-6f,
                true,
                1,
                2));
  }

  @Test
  void everyKeyOfStateSpacesIsRead() {
    String config =
        stateSpaces(
                ", 'd_state': 5, 'd_conv': 3, 'expand': 3, 'headdim': 96, 'ngroups': 12,"
                    + " 'dt_limit': [0.001, 0.1], 'bias': true, 'conv_bias': false,"
                    + " 'norm_before_gate': true, 'D_has_hdim': true, 'd_ssm': 2304")
            .replace("16,", "100, 'tie_embeddings': false, 'bos_token_id': 1, 'eos_token_id': 2,");

    assertThat(read(config))
        .isEqualTo(
            new MambaConfig(
                768,
                24,
                50300,
                new Mamba2Config(5, 3, 96, 24, 12, false, true, 1e-5f, true, true, 0.001f, 0.1f),
                1e-5f,
                false,
                1,
                2));
  }

  @Test
  void aModelWithoutTheGroupedNormHasNoOrderOfNormAndGate() {
    MambaConfig config = read(stateSpaces(", 'rmsnorm': false, 'norm_before_gate': true"));

    assertThat(config.mixer().normEps()).isNull();
    assertThat(config).isEqualTo(read(stateSpaces(", 'rmsnorm': false")));
  }

  @Test
  void keysThatAffectTrainingOnlyAreIgnored() {
    assertThat(
            read(
                huggingFace(
                    ", 'chunk_size': 17, 'time_step_min': 0.5, 'time_step_max': 1,"
                        + " 'time_step_floor': 2, 'time_step_rank': 3, 'intermediate_size': 7")))
        .isEqualTo(CODESTRAL_7B);
    assertThat(read(stateSpaces(", 'chunk_size': 17, 'dt_min': 0.5, 'dt_max': 1, 'd_ssm': null")))
        .isEqualTo(MAMBA2_130M);
  }

  @ParameterizedTest
  @ValueSource(
      strings = {
        "null",
        "[0, null]",
        "[0.0, Infinity]",
        "[0.0, {'__float__': 'Infinity'}]",
        "[0, 1e300]"
      })
  void theUpperLimitOfDtMayBeInfinite(String limit) {
    assertThat(read(huggingFace(", 'time_step_limit': " + limit))).isEqualTo(CODESTRAL_7B);
    assertThat(read(stateSpaces(", 'dt_limit': " + limit))).isEqualTo(MAMBA2_130M);
  }

  @ParameterizedTest
  @CsvSource(
      delimiter = '|',
      value = {
        "[0.4, 0.01] | [0.4,0.01]",
        "[-1, 1] | [-1,1]",
        "[0] | [0]",
        "[0, 1, 2] | [0,1,2]",
        "[] | []",
        "5 | 5",
        "Infinity | \"Infinity\"",
        "'''[0, 1]''' | \"[0, 1]\"",
        "{'0': 0, '1': 1} | {\"0\":0,\"1\":1}",
        "[NaN, 1] | [\"NaN\",1]",
        "[0, NaN] | [0,\"NaN\"]",
        "[0, -Infinity] | [0,\"-Infinity\"]",
        "[Infinity, Infinity] | [\"Infinity\",\"Infinity\"]",
        "[null, null] | [null,null]",
        "[0, 'Infinity'] | [0,\"Infinity\"]",
        "[0, {'__float__': 'NaN'}] | [0,{\"__float__\":\"NaN\"}]",
        "[0, {'__float__': 'Infinity', 'x': 1}] | [0,{\"__float__\":\"Infinity\",\"x\":1}]"
      })
  void limitsOfDtThatAreNotTwoNumbersInOrderAreRefused(String limit, String shown) {
    String message =
        "config.json: %s is %s; expected two numbers from 0 on in ascending order, of which the"
            + " second may be infinite";
    assertThatThrownBy(() -> read(huggingFace(", 'time_step_limit': " + limit)))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(message.formatted("time_step_limit", shown));
    assertThatThrownBy(() -> read(stateSpaces(", 'dt_limit': " + limit)))
        .isInstanceOf(CheckpointException.class)
        .hasMessage(message.formatted("dt_limit", shown));
  }

  static Stream<Arguments> refused() {
    String requires = "; this engine requires ";
    String number = "; expected an integer from 1 to 16777216";
    String state = "; expected an integer from 1 to 256";
    String arrays = " require more than 1073741824 numbers per layer";
    return Stream.of(
        arguments(
            huggingFace(", 'num_heads': 64"),
            "num_heads times head_dim is 4096; expected expand times hidden_size, 8192"),
        arguments(
            huggingFace(", 'hidden_size': 768"),
            "num_heads times head_dim is 8192; expected expand times hidden_size, 1536"),
        arguments(
            huggingFace(", 'num_heads': 16777216, 'head_dim': 16777216"),
            "num_heads times head_dim is 281474976710656; expected expand times hidden_size, 8192"),
        arguments(
            huggingFace(", 'n_groups': 3"),
            "n_groups is 3; expected a divisor of the number of heads, 128"),
        arguments(
            huggingFace(", 'n_groups': 256"),
            "n_groups is 256; expected a divisor of the number of heads, 128"),
        arguments(
            stateSpaces(", 'ngroups': 7"),
            "ngroups is 7; expected a divisor of the number of heads, 24"),
        arguments(
            stateSpaces(", 'headdim': 100"),
            "headdim is 100; expected a divisor of the number of channels, 1536"),
        arguments(
            stateSpaces(", 'headdim': 3072"),
            "headdim is 3072; expected a divisor of the number of channels, 1536"),
        arguments(
            stateSpaces(", 'd_ssm': 768"),
            "d_ssm is 768" + requires + "1536, the number of channels"),
        arguments(
            stateSpaces(", 'd_ssm': 'x'"),
            "d_ssm is \"x\"" + requires + "1536, the number of channels"),
        arguments(
            stateSpaces("").replace("'n_layer'", "'d_intermediate': 2048, 'n_layer'"),
            "d_intermediate is 2048" + requires + "0"),
        arguments(
            stateSpaces("").replace("'n_layer'", "'attn_layer_idx': [9], 'n_layer'"),
            "attn_layer_idx is [9]" + requires + "no attention layers"),
        arguments(
            stateSpaces("").replace("'n_layer'", "'rms_norm': false, 'n_layer'"),
            "rms_norm is false" + requires + "true"),
        arguments(
            huggingFace(", 'hidden_act': 'gelu'"), "hidden_act is \"gelu\"" + requires + "silu"),
        arguments(huggingFace(", 'head_dim': 0"), "head_dim is 0" + number),
        arguments(huggingFace(", 'num_heads': -1"), "num_heads is -1" + number),
        arguments(huggingFace(", 'n_groups': 0"), "n_groups is 0" + number),
        arguments(huggingFace(", 'conv_kernel': 0"), "conv_kernel is 0" + number),
        arguments(huggingFace(", 'hidden_size': 16777217"), "hidden_size is 16777217" + number),
        arguments(
            huggingFace(", 'num_hidden_layers': 4097"),
            "num_hidden_layers is 4097; expected an integer from 1 to 4096"),
        arguments(stateSpaces(", 'headdim': 0"), "headdim is 0" + number),
        arguments(stateSpaces(", 'ngroups': 0.5"), "ngroups is 0.5" + number),
        arguments(stateSpaces(", 'headdim': NaN"), "headdim is \"NaN\"" + number),
        arguments(huggingFace(", 'state_size': 257"), "state_size is 257" + state),
        arguments(huggingFace(", 'state_size': 0"), "state_size is 0" + state),
        arguments(stateSpaces(", 'd_state': 512"), "d_state is 512" + state),
        arguments(
            huggingFace(", 'expand': 5000"),
            "expand times the model's width is 20480000; expected at most 16777216"),
        arguments(
            stateSpaces(", 'expand': 21846"),
            "expand times the model's width is 16777728; expected at most 16777216"),
        // The states of every channel, the convolution, a chunk, and the padding of small groups.
        arguments(
            huggingFace(", 'hidden_size': 4194304, 'num_heads': 131072, 'state_size': 256"),
            "8388608 channels in 8 groups with 256 states and a convolution of width 4" + arrays),
        arguments(
            huggingFace(", 'conv_kernel': 16777216"),
            "8192 channels in 8 groups with 128 states and a convolution of width 16777216"
                + arrays),
        arguments(
            huggingFace(", 'hidden_size': 1048576, 'num_heads': 32768, 'state_size': 1"),
            "2097152 channels in 8 groups with 1 states and a convolution of width 4" + arrays),
        arguments(
            huggingFace(
                ", 'hidden_size': 32768, 'num_heads': 65536, 'head_dim': 1, 'n_groups': 65536"),
            "65536 channels in 65536 groups with 128 states and a convolution of width 4" + arrays),
        arguments(stateSpaces(", 'rmsnorm': 'no'"), "rmsnorm is \"no\"; expected true or false"),
        arguments(
            stateSpaces(", 'norm_before_gate': 1"),
            "norm_before_gate is 1; expected true or false"),
        arguments(
            stateSpaces(", 'D_has_hdim': 'x'"), "D_has_hdim is \"x\"; expected true or false"),
        arguments(
            huggingFace(", 'layer_norm_epsilon': NaN"),
            "layer_norm_epsilon is \"NaN\"; expected a number from 0 to 1"));
  }

  @ParameterizedTest
  @MethodSource
  void refused(String config, String message) {
    assertThatThrownBy(() -> read(config))
        .isInstanceOf(CheckpointException.class)
        .hasMessage("config.json: " + message);
  }

  @Test
  void theFingerprintDependsOnTheHyperParametersThatShapesDoNotShow() {
    String expected =
        "dModel=768 nLayer=24 vocabSize=50288 dState=128 dConv=4 dInner=1536 headDim=64 nHeads=24"
            + " nGroups=1 dtLow=0x0.0p0 dtHigh=Infinity normBeforeGate=false normEps=1.0E-5"
            + " mixerNormEps=1.0E-5";
    assertThat(MAMBA2_130M.canonical()).isEqualTo(expected);
    assertThat(read(stateSpaces(", 'dt_limit': [0.001, 0.1]")).canonical())
        .isEqualTo(
            expected
                .replace("dtLow=0x0.0p0", "dtLow=0x1.0624dep-10")
                .replace("dtHigh=Infinity", "dtHigh=0x1.99999ap-4"));
    assertThat(read(stateSpaces(", 'norm_before_gate': true")).canonical())
        .isEqualTo(expected.replace("normBeforeGate=false", "normBeforeGate=true"));
    assertThat(read(stateSpaces(", 'rmsnorm': false")).canonical())
        .isEqualTo(expected.replace("mixerNormEps=1.0E-5", "mixerNormEps=null"));
  }
}
