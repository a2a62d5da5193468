package io.mambaspark.engine.model;

import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.stream.IntStream;

/**
 * The one list of the tensors of a Mamba model: their names and shapes.
 *
 * <p>Names here are those of state-spaces without {@code backbone.}; {@link #of} turns the names of
 * all layouts into them.
 */
final class TensorNames {
  static final String EMBEDDING = "embedding.weight";
  static final String NORM_F = "norm_f.weight";
  static final String HEAD = "lm_head.weight";

  /** In each layer, where the config has the flag. */
  static final List<String> BIASES = List.of("mixer.in_proj.bias", "mixer.out_proj.bias");

  static final List<String> CONV_BIAS = List.of("mixer.conv1d.bias");

  private TensorNames() {}

  /** The name here of a tensor that a checkpoint calls {@code stored}. */
  static String of(String stored) {
    String name = stored.startsWith("backbone.") ? stored.substring(9) : stored;
    return name.equals("embeddings.weight") ? EMBEDDING : name;
  }

  /**
   * Whether a tensor is no part of the model although real checkpoints hold it: positions and
   * batches counted by modules that other software adds, and the value head of training by
   * reinforcement. A closed list: whatever else is not known is refused.
   */
  static boolean ignored(String stored) {
    return stored.endsWith(".rotary_emb.inv_freq")
        || stored.endsWith(".num_batches_tracked")
        || stored.startsWith("v_head.");
  }

  /**
   * What a wrapper of training has put before all names, such as {@code module.}; empty where the
   * names are those of a model as they are, or are none of a model at all.
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

  /** The layer of a name {@code layers.N.…}, or -1. */
  static int layer(String name) {
    if (!name.startsWith("layers.")) {
      return -1;
    }
    int end = name.indexOf('.', 7);
    // No signs, no leading zeros, nothing that overflows: "layers.007.D" is not layer 7.
    if (end < 8 || end > 14 || !name.substring(7, end).matches("0|[1-9][0-9]*")) {
      return -1;
    }
    return Integer.parseInt(name.substring(7, end));
  }

  /** What follows {@code layers.N.} in a name. */
  static String inLayer(String name) {
    return name.substring(name.indexOf('.', 7) + 1);
  }

  /** The shape that a tensor must have, row-major; null if the model has no such tensor. */
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

  private static int[] layerShape(MambaConfig c, String name) {
    return switch (name) {
      case "norm.weight", "mixer.out_proj.bias" -> new int[] {c.dModel()};
      case "mixer.A_log" -> new int[] {c.mixer().dInner(), c.mixer().dState()};
      case "mixer.D", "mixer.conv1d.bias", "mixer.dt_proj.bias" -> new int[] {c.mixer().dInner()};
      case "mixer.in_proj.weight" -> new int[] {2 * c.mixer().dInner(), c.dModel()};
      case "mixer.in_proj.bias" -> new int[] {2 * c.mixer().dInner()};
      case "mixer.conv1d.weight" -> new int[] {c.mixer().dInner(), 1, c.mixer().dConv()};
      case "mixer.x_proj.weight" ->
          new int[] {c.mixer().dtRank() + 2 * c.mixer().dState(), c.mixer().dInner()};
      case "mixer.dt_proj.weight" -> new int[] {c.mixer().dInner(), c.mixer().dtRank()};
      case "mixer.out_proj.weight" -> new int[] {c.dModel(), c.mixer().dInner()};
      default -> null;
    };
  }

  /** Some names of a layer, in every layer of the model. */
  static List<String> inLayers(MambaConfig config, List<String> names) {
    return IntStream.range(0, config.nLayer())
        .boxed()
        .flatMap(layer -> names.stream().map(name -> "layers." + layer + "." + name))
        .toList();
  }

  /** All tensors of a model with this config. */
  static List<String> required(MambaConfig config) {
    List<String> layer = new ArrayList<>();
    layer.addAll(List.of("norm.weight", "mixer.A_log", "mixer.D"));
    layer.addAll(List.of("mixer.in_proj.weight", "mixer.conv1d.weight"));
    layer.addAll(config.mixer().convBias() ? CONV_BIAS : List.of());
    layer.addAll(List.of("mixer.x_proj.weight", "mixer.dt_proj.weight", "mixer.dt_proj.bias"));
    layer.add("mixer.out_proj.weight");
    layer.addAll(config.mixer().bias() ? BIASES : List.of());
    List<String> names = new ArrayList<>(List.of(EMBEDDING, NORM_F));
    names.addAll(inLayers(config, layer));
    if (!config.tiedHead()) {
      names.add(HEAD);
    }
    return names;
  }
}
