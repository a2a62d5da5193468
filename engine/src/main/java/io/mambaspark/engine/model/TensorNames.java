package io.mambaspark.engine.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The names and shapes of all tensors of a Mamba model. The {@link MixerConfig} has those of the
 * mixers.
 *
 * <p>The names are those of state-spaces without {@code backbone.}; {@link #of} converts the names
 * of all layouts to them.
 */
final class TensorNames {
  static final String EMBEDDING = "embedding.weight";
  static final String NORM_F = "norm_f.weight";
  static final String HEAD = "lm_head.weight";

  /** The biases of each layer that {@link MixerConfig#bias} controls. */
  static final List<String> BIASES = List.of("mixer.in_proj.bias", "mixer.out_proj.bias");

  static final List<String> CONV_BIAS = List.of("mixer.conv1d.bias");

  private static final String MIXER = "mixer.";

  private TensorNames() {}

  /** Converts a name in a checkpoint to the name in this class. */
  static String of(String stored) {
    String name = stored.startsWith("backbone.") ? stored.substring(9) : stored;
    return name.equals("embeddings.weight") ? EMBEDDING : name;
  }

  /**
   * Whether a tensor is not part of the model although published checkpoints contain it: buffers of
   * modules that other software adds (rotary positions, batch counts), and the value head of
   * reinforcement learning. The list is closed: all other unknown tensors are refused.
   */
  static boolean ignored(String stored) {
    return stored.endsWith(".rotary_emb.inv_freq")
        || stored.endsWith(".num_batches_tracked")
        || stored.startsWith("v_head.");
  }

  /**
   * Returns the prefix that a training wrapper has added to all names, such as {@code module.};
   * empty if the names have no such prefix.
   */
  static String wrapper(Collection<String> stored) {
    for (String name : stored) {
      if (name.endsWith(".embedding.weight") || name.endsWith(".embeddings.weight")) {
        String outer = name.replaceFirst("(backbone\\.)?embeddings?\\.weight$", "");
        if (!outer.isEmpty() && stored.stream().allMatch(n -> n.startsWith(outer))) {
          return outer;
        }
      }
    }
    return "";
  }

  /** Returns the layer N of a name {@code layers.N.…}; -1 for any other name. */
  static int layer(String name) {
    if (!name.startsWith("layers.")) {
      return -1;
    }
    int end = name.indexOf('.', 7);
    // Refuses signs, leading zeros and overflow: "layers.007.D" is not in layer 7.
    if (end < 8 || end > 14 || !name.substring(7, end).matches("0|[1-9][0-9]*")) {
      return -1;
    }
    return Integer.parseInt(name.substring(7, end));
  }

  /** Returns the part of a name after {@code layers.N.}. */
  static String inLayer(String name) {
    return name.substring(name.indexOf('.', 7) + 1);
  }

  /** Returns the part of a layer's name after {@code mixer.}. */
  static String inMixer(String inLayer) {
    return inLayer.substring(MIXER.length());
  }

  /** Returns the shape that a tensor must have; null if the model has no such tensor. */
  static int[] shape(MambaConfig c, String name) {
    switch (name) {
      case EMBEDDING, HEAD:
        return new int[] {c.vocabSize(), c.dModel()};
      case NORM_F:
        return new int[] {c.dModel()};
      default:
        int layer = layer(name);
        return layer < 0 || layer >= c.nLayer() ? null : layerShape(c, inLayer(name));
    }
  }

  /** Returns the columns of a matrix in memory; 0 if formats of integers do not apply to it. */
  static int columns(MambaConfig c, String name) {
    if (name.equals(c.tiedHead() ? EMBEDDING : HEAD)) {
      return c.dModel();
    }
    String inLayer = layer(name) < 0 ? "" : inLayer(name);
    return inLayer.startsWith(MIXER) ? c.mixer().columns(inMixer(inLayer), c.dModel()) : 0;
  }

  private static int[] layerShape(MambaConfig c, String name) {
    if (name.equals("norm.weight")) {
      return new int[] {c.dModel()};
    }
    return name.startsWith(MIXER) ? c.mixer().shape(inMixer(name), c.dModel()) : null;
  }

  /** Returns the full names of these tensors of a layer, for every layer of the model. */
  static List<String> inLayers(MambaConfig config, List<String> names) {
    return IntStream.range(0, config.nLayer())
        .boxed()
        .flatMap(layer -> names.stream().map(name -> "layers." + layer + "." + name))
        .toList();
  }

  /** Returns the names of all tensors that a model with this config requires. */
  static List<String> required(MambaConfig config) {
    List<String> layer = new ArrayList<>(List.of("norm.weight"));
    config.mixer().required().forEach(name -> layer.add(MIXER + name));
    List<String> names = new ArrayList<>(List.of(EMBEDDING, NORM_F));
    names.addAll(inLayers(config, layer));
    if (!config.tiedHead()) {
      names.add(HEAD);
    }
    return names;
  }
}
