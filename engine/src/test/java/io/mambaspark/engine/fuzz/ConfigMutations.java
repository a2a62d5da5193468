package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileFolder.CONFIG;
import static io.mambaspark.engine.fuzz.HostileValues.pick;

import java.util.List;
import java.util.SplittableRandom;

/** Damages config.json: its values and its form. */
final class ConfigMutations {
  private static final List<String> KEYS =
      List.of(
          "model_type",
          "hidden_act",
          "hidden_size",
          "intermediate_size",
          "expand",
          "num_hidden_layers",
          "vocab_size",
          "state_size",
          "conv_kernel",
          "time_step_rank",
          "use_conv_bias",
          "use_bias",
          "layer_norm_epsilon",
          "mixer_rms_eps",
          "head_dim",
          "num_heads",
          "n_groups",
          "time_step_limit",
          "tie_word_embeddings",
          "d_model",
          "n_layer",
          "ssm_cfg",
          "rms_norm",
          "attn_layer_idx",
          "d_intermediate",
          "pad_vocab_size_multiple",
          "tie_embeddings");

  /** Keys within ssm_cfg. */
  private static final List<String> INNER =
      List.of(
          "layer",
          "d_state",
          "d_conv",
          "expand",
          "dt_rank",
          "conv_bias",
          "bias",
          "headdim",
          "ngroups",
          "dt_limit",
          "rmsnorm",
          "norm_before_gate",
          "D_has_hdim",
          "d_ssm");

  /** Keys whose values are not validated. */
  private static final List<String> UNVALIDATED =
      List.of(
          "architectures",
          "time_step_min",
          "chunk_size",
          "norm_before_gate",
          "x",
          "",
          "bos_token_id",
          "eos_token_id",
          "a\\n");

  private ConfigMutations() {}

  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    String config = folder.text(CONFIG);
    switch (random.nextInt(8)) {
      case 0, 1, 2 -> {
        JsonMutations.Mutated mutated = JsonMutations.mutate(config, folder, random);
        folder.text(CONFIG, mutated.json());
        return mutated.expected();
      }
      case 3, 4 -> {
        String key = pick(random, KEYS);
        String value = HostileValues.json(random, 4);
        set(folder, key, value);
        return Expected.EITHER;
      }
      case 5 -> {
        setInner(folder, pick(random, INNER), HostileValues.json(random, 4));
        return Expected.EITHER;
      }
      case 6 -> {
        String value =
            pick(
                random,
                List.of(
                    "null",
                    "-1",
                    "Infinity",
                    "-Infinity",
                    "NaN",
                    "1e400",
                    "[0.0, Infinity]",
                    "[7, 1]",
                    "[[0], 1]",
                    "[-9223372036854775809, 1]",
                    "[" + "7, ".repeat(20_000) + "1]",
                    "0",
                    "{\"a\": {\"b\": [1, {}]}}",
                    "[".repeat(900) + "]".repeat(900),
                    "\"\\u0000\"",
                    "\"" + "x".repeat(100_000) + "\"",
                    "\"\\ud800\"",
                    "12345678901234567890"));
        set(folder, pick(random, UNVALIDATED), value);
        return Expected.SAME;
      }
      default -> {
        return longOrReplaced(folder, random);
      }
    }
  }

  /** Adds a key at the end of the object, and renames an existing key of that name. */
  private static void set(HostileFolder folder, String key, String value) {
    String config = folder.text(CONFIG);
    int end = config.lastIndexOf('}');
    folder.note("config: %s is %s", key, value);
    if (end < 0) {
      return;
    }
    folder.text(
        CONFIG,
        config.substring(0, end).replace("\"" + key + "\":", "\"was " + key + "\":")
            + ", \""
            + key
            + "\": "
            + value
            + "}");
  }

  /** Adds a key to ssm_cfg, or adds ssm_cfg with this key. */
  private static void setInner(HostileFolder folder, String key, String value) {
    String config = folder.text(CONFIG);
    String inner = "\"%s\": %s".formatted(key, value);
    int begin = config.indexOf("\"ssm_cfg\": {") + "\"ssm_cfg\": {".length();
    if (!config.contains("\"ssm_cfg\": {")) {
      set(folder, "ssm_cfg", "{" + inner + "}");
      return;
    }
    folder.note("config: %s in ssm_cfg is %s", key, value);
    folder.text(
        CONFIG,
        config.substring(0, begin)
            + inner
            + (config.startsWith("}", begin) ? "" : ", ")
            + config.substring(begin).replace("\"" + key + "\":", "\"was " + key + "\":"));
  }

  /** Makes config.json very long, or replaces its content. */
  private static Expected longOrReplaced(HostileFolder folder, SplittableRandom random) {
    switch (random.nextInt(5)) {
      case 0 -> {
        int bytes = (1 << 20) + random.nextInt(2_000);
        folder.note("config of %d bytes", bytes);
        folder.text(CONFIG, folder.text(CONFIG) + " ".repeat(bytes));
        return Expected.REFUSED;
      }
      case 1 -> {
        int count = 1 + random.nextInt(20_000);
        folder.note("config with %d more keys", count);
        StringBuilder keys = new StringBuilder();
        for (int i = 0; i < count; i++) {
          keys.append(", \"k").append(i).append("\":{}");
        }
        String config = folder.text(CONFIG);
        folder.text(CONFIG, config.substring(0, config.lastIndexOf('}')) + keys + "}");
        return Expected.SAME;
      }
      case 2 -> {
        int count = 1 + random.nextInt(200_000);
        folder.note("config with a list of %d lists", count);
        set(folder, "x", "[" + "[],".repeat(count) + "0]");
        return Expected.SAME;
      }
      case 3 -> {
        String key = pick(random, KEYS);
        // Each of these characters is escaped in a message.
        set(folder, key, "\"" + "\ue000".repeat(1 + random.nextInt(300_000)) + "\"");
        return Expected.EITHER;
      }
      default -> {
        folder.note("other content in the config");
        folder.text(
            CONFIG,
            pick(
                random,
                List.of(
                    "",
                    " ",
                    "null",
                    "[]",
                    "\"x\"",
                    "{",
                    "{}",
                    "{} {}",
                    "\u0000",
                    "\ufeff{}",
                    "<html>",
                    "version https://git-lfs.github.com/spec/v1\n",
                    "{\"model_type\":")));
        return Expected.REFUSED;
      }
    }
  }
}
