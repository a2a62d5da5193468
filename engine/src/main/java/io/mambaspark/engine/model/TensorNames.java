package io.mambaspark.engine.model;

import java.util.ArrayList;
import java.util.List;

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

  private TensorNames() {}

  /** The name here of a tensor that a checkpoint calls {@code stored}. */
  static String of(String stored) {
    String name = stored.startsWith("backbone.") ? stored.substring(9) : stored;
    return name.equals("embeddings.weight") ? EMBEDDING : name;
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
      case "mixer.A_log" -> new int[] {c.dInner(), c.dState()};
      case "mixer.D", "mixer.conv1d.bias", "mixer.dt_proj.bias" -> new int[] {c.dInner()};
      case "mixer.in_proj.weight" -> new int[] {2 * c.dInner(), c.dModel()};
      case "mixer.in_proj.bias" -> new int[] {2 * c.dInner()};
      case "mixer.conv1d.weight" -> new int[] {c.dInner(), 1, c.dConv()};
      case "mixer.x_proj.weight" -> new int[] {c.dtRank() + 2 * c.dState(), c.dInner()};
      case "mixer.dt_proj.weight" -> new int[] {c.dInner(), c.dtRank()};
      case "mixer.out_proj.weight" -> new int[] {c.dModel(), c.dInner()};
      default -> null;
    };
  }

  /** The tensors without which there is no model; the others are biases and the head. */
  static List<String> required(MambaConfig config) {
    List<String> names = new ArrayList<>(List.of(EMBEDDING, NORM_F));
    for (int layer = 0; layer < config.nLayer(); layer++) {
      for (String name :
          List.of(
              "norm.weight",
              "mixer.A_log",
              "mixer.D",
              "mixer.in_proj.weight",
              "mixer.conv1d.weight",
              "mixer.x_proj.weight",
              "mixer.dt_proj.weight",
              "mixer.dt_proj.bias",
              "mixer.out_proj.weight")) {
        names.add("layers." + layer + "." + name);
      }
    }
    return names;
  }
}
