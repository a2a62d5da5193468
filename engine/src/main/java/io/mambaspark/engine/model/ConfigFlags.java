package io.mambaspark.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.StoredTensor;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * The flags of a config.json about optional tensors: the biases and a separate head. A checkpoint
 * whose tensors contradict a flag is refused: either may be wrong, and programs differ in which one
 * they follow.
 */
final class ConfigFlags {
  private final JsonNode json;
  private final MambaConfig config;

  /** The tensors that the model uses, by their names in {@link TensorNames}. */
  private final Map<String, StoredTensor> tensors;

  private ConfigFlags(JsonNode json, MambaConfig config, Map<String, StoredTensor> tensors) {
    this.json = json;
    this.config = config;
    this.tensors = tensors;
  }

  /**
   * Checks the flags against the names of the tensors, and returns the config of the model. It
   * equals the config of the file, with one exception: some published files set {@code use_bias:
   * true} although the checkpoint has no such bias. The model then has no bias, and a note says so.
   *
   * @throws CheckpointException if the config and the names contradict each other
   */
  static MambaConfig check(
      JsonNode json, MambaConfig config, Map<String, StoredTensor> tensors, List<String> notes) {
    ConfigFlags flags = new ConfigFlags(json, config, tensors);
    Flag convBias =
        flags.new Flag("use_conv_bias", "ssm_cfg", "conv_bias", config.mixer().convBias());
    convBias.check(TensorNames.inLayers(config, TensorNames.CONV_BIAS));
    Flag bias = flags.new Flag("use_bias", "ssm_cfg", "bias", config.mixer().bias());
    List<String> biases = TensorNames.inLayers(config, TensorNames.BIASES);
    boolean none = biases.stream().noneMatch(tensors::containsKey);
    if (config.mixer().bias() && none) {
      notes.add(
          ("config.json %s, but no layer has an in_proj.bias or out_proj.bias: the model runs"
                  + " without them")
              .formatted(bias));
    } else {
      bias.check(biases);
    }
    Flag tied = flags.tied();
    if (!config.tiedHead() && !tensors.containsKey(TensorNames.HEAD)) {
      throw new CheckpointException(
          ("The checkpoint lacks tensor %s, but config.json %s; set %s to true if the embedding is"
                  + " the head, or save the model again with its head")
              .formatted(TensorNames.HEAD, tied, tied.key));
    }
    return config.mixer().bias() && none
        ? config.with(config.mixer().convBias(), false, config.tiedHead())
        : config;
  }

  /**
   * Refuses a head whose values differ from those of the embedding if the config ties the two.
   * Reads both tensors; the caller has checked their shapes.
   */
  static void checkTiedHead(JsonNode json, MambaConfig config, Map<String, StoredTensor> tensors) {
    StoredTensor head = tensors.get(TensorNames.HEAD);
    StoredTensor embedding = tensors.get(TensorNames.EMBEDDING);
    if (!config.tiedHead() || head == null) {
      return;
    }
    long position = head.mismatch(embedding);
    if (position >= 0) {
      Flag tied = new ConfigFlags(json, config, tensors).tied();
      throw new CheckpointException(
          ("Cannot load tensor %s from %s: its element %d differs from that of %s, but config.json"
                  + " %s; set %s to false if the head has its own weights, or remove %s if the"
                  + " embedding is the head")
              .formatted(
                  head.name(),
                  head.source(),
                  position,
                  embedding.name(),
                  tied,
                  tied.key,
                  head.name()));
    }
  }

  private Flag tied() {
    return new Flag("tie_word_embeddings", null, "tie_embeddings", config.tiedHead());
  }

  /** A flag of config.json, with its key in the layout of this config. */
  private final class Flag {
    final String key;
    private final boolean present;
    private final boolean value;

    /**
     * Finds the flag.
     *
     * @param huggingFace its key in the Hugging Face layout
     * @param object the key of the object that contains the flag in the layout of state-spaces;
     *     null for the top level
     * @param stateSpaces its key in the layout of state-spaces
     * @param value its value, or its default if the config does not set it
     */
    Flag(String huggingFace, String object, String stateSpaces, boolean value) {
      boolean isHuggingFace = MambaConfig.isHuggingFace(json);
      this.key =
          isHuggingFace ? huggingFace : object == null ? stateSpaces : object + "." + stateSpaces;
      JsonNode holder = isHuggingFace || object == null ? json : json.path(object);
      this.present = holder.hasNonNull(isHuggingFace ? huggingFace : stateSpaces);
      this.value = value;
    }

    /** Refuses a bias that exists if the flag is false, and a missing bias if it is true. */
    void check(List<String> biases) {
      List<String> missing = new ArrayList<>(biases);
      missing.removeAll(tensors.keySet());
      StoredTensor found =
          biases.stream().filter(tensors::containsKey).map(tensors::get).findFirst().orElse(null);
      if (!value && found != null) {
        throw new CheckpointException(
            ("Cannot load tensor %s from %s: config.json %s; set %s to true if the model was trained"
                    + " with this bias, or remove it from every layer")
                .formatted(found.name(), found.source(), this, key));
      }
      if (value && !missing.isEmpty()) {
        String lacks =
            "The checkpoint lacks tensor %s%s, but config.json %s"
                .formatted(
                    missing.get(0),
                    missing.size() == 1 ? "" : " and %d more".formatted(missing.size() - 1),
                    this);
        throw new CheckpointException(
            lacks
                + (found == null
                    ? "; set %s to false if the model has no such bias, or save it again with all of its biases"
                        .formatted(key)
                    : ", and %s contains %s; save the model again with all of its biases, or remove them from every layer and set %s to false"
                        .formatted(found.source(), found.name(), key)));
      }
    }

    @Override
    public String toString() {
      return present
          ? "sets %s to %s".formatted(key, value)
          : "leaves %s at its default (%s)".formatted(key, value);
    }
  }
}
