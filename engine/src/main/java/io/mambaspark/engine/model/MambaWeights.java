package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * The weights of a model in the layouts that the kernels read. {@link #add} fills them tensor by
 * tensor, in any order. {@link #complete} finishes them; afterwards they do not change.
 */
final class MambaWeights {
  /** The number of rows of a matrix that are read and packed at a time: one panel. */
  private static final int ROWS_AT_ONCE = Panels.WIDTH;

  final MambaConfig config;
  final WeightFormat format;
  final Layer[] layers;
  final float[] normF;
  PackedMatrix embedding;

  /** The head; the same object as the embedding if the head is tied. */
  PackedMatrix head;

  private final Set<String> added = new HashSet<>();

  /** The weights of one layer. A bias is null if the model does not have it. */
  static final class Layer {
    float[] norm;
    PackedMatrix inProj;
    float[] inProjBias;

    /** (dInner panels, dConv, 16). */
    float[] convWeight;

    /** (dInner panels, 16); zeros if the model has no such bias. */
    float[] convBias;

    /** Three sections: the rows of dt, of B, of C. */
    PackedMatrix xProj;

    PackedMatrix dtProj;
    float[] dtBias;

    /** -exp(A_log) · log2(e), (dInner panels, dState, 16). */
    float[] a;

    float[] d;
    PackedMatrix outProj;
    float[] outProjBias;
  }

  MambaWeights(MambaConfig config, WeightFormat format) {
    this.config = config;
    this.format = format;
    this.normF = new float[Panels.count(config.dModel()) * Panels.WIDTH];
    this.layers = new Layer[config.nLayer()];
    Arrays.setAll(layers, i -> new Layer());
    for (Layer layer : layers) {
      layer.convBias = new float[Panels.count(config.mixer().dInner()) * Panels.WIDTH];
    }
  }

  /** The size of a model's packed weights in bytes, without a few small vectors. */
  static long packedBytes(MambaConfig c, WeightFormat format, boolean ownHead) {
    long layer =
        PackedMatrix.bytes(format, c.dModel(), c.mixer().dInner(), c.mixer().dInner())
            + PackedMatrix.bytes(
                format,
                c.mixer().dInner(),
                c.mixer().dtRank(),
                c.mixer().dState(),
                c.mixer().dState())
            + PackedMatrix.bytes(format, c.mixer().dtRank(), c.mixer().dInner())
            + PackedMatrix.bytes(format, c.mixer().dInner(), c.dModel())
            + (long) Panels.count(c.mixer().dInner())
                * Panels.WIDTH
                * (c.mixer().dState() + c.mixer().dConv() + 3)
                * Float.BYTES;
    return c.nLayer() * layer
        + (ownHead ? 2 : 1) * PackedMatrix.bytes(format, c.dModel(), c.vocabSize());
  }

  /**
   * Packs one tensor.
   *
   * @param stored the tensor's name in the checkpoint
   * @param source the file that holds it, for messages
   * @throws CheckpointException if the model has no such tensor or already has it, if its shape is
   *     not the expected one, or if an element is not finite
   */
  void add(String stored, int[] shape, String source, FloatReader floats) {
    String name = TensorNames.of(stored);
    checkShape(config, stored, shape, source);
    if (!added.add(name)) {
      throw new CheckpointException(
          "Cannot load tensor %s from %s: the model already has this tensor"
              .formatted(stored, source));
    }
    if (name.equals(TensorNames.HEAD) && config.tiedHead()) {
      return;
    }
    FloatReader finite = new FiniteFloats(floats, stored, source);
    switch (name) {
      case TensorNames.EMBEDDING -> embedding = matrix(finite, config.dModel(), config.vocabSize());
      case TensorNames.HEAD -> head = matrix(finite, config.dModel(), config.vocabSize());
      case TensorNames.NORM_F -> finite.read(normF, 0, config.dModel());
      default -> addToLayer(layers[TensorNames.layer(name)], TensorNames.inLayer(name), finite);
    }
  }

  private void addToLayer(Layer layer, String name, FloatReader floats) {
    int dModel = config.dModel();
    int dInner = config.mixer().dInner();
    switch (name) {
      case "norm.weight" -> layer.norm = vector(floats, dModel);
      case "mixer.in_proj.weight" -> layer.inProj = matrix(floats, dModel, dInner, dInner);
      case "mixer.in_proj.bias" -> layer.inProjBias = vector(floats, dInner, dInner);
      case "mixer.conv1d.weight" -> layer.convWeight = transposed(floats, config.mixer().dConv());
      case "mixer.conv1d.bias" -> layer.convBias = vector(floats, dInner);
      case "mixer.x_proj.weight" ->
          layer.xProj =
              matrix(
                  floats,
                  dInner,
                  config.mixer().dtRank(),
                  config.mixer().dState(),
                  config.mixer().dState());
      case "mixer.dt_proj.weight" -> layer.dtProj = matrix(floats, config.mixer().dtRank(), dInner);
      case "mixer.dt_proj.bias" -> layer.dtBias = vector(floats, dInner);
      case "mixer.A_log" -> layer.a = decay(floats);
      case "mixer.D" -> layer.d = vector(floats, dInner);
      case "mixer.out_proj.weight" -> layer.outProj = matrix(floats, dInner, dModel);
      case "mixer.out_proj.bias" -> layer.outProjBias = vector(floats, dModel);
      default -> throw new IllegalStateException("Unknown tensor " + name);
    }
  }

  /**
   * Finishes these weights and returns them.
   *
   * @throws CheckpointException if a tensor is missing
   */
  MambaWeights complete() {
    checkComplete(config, added);
    if (config.tiedHead()) {
      head = embedding;
    }
    return this;
  }

  /** Refuses a set of tensors that lacks any tensor that the config requires. */
  static void checkComplete(MambaConfig config, Set<String> names) {
    List<String> missing = new ArrayList<>(TensorNames.required(config));
    missing.removeAll(names);
    if (!missing.isEmpty()) {
      throw new CheckpointException(
          "The checkpoint lacks tensor %s%s"
              .formatted(
                  missing.get(0),
                  missing.size() == 1 ? "" : " and %d more".formatted(missing.size() - 1)));
    }
  }

  /** Refuses a tensor that the model does not have, or whose shape is not the expected one. */
  static void checkShape(MambaConfig config, String stored, int[] shape, String source) {
    int[] expected = TensorNames.shape(config, TensorNames.of(stored));
    if (expected == null) {
      throw new CheckpointException(
          "Cannot load tensor %s from %s: a Mamba model with this config.json has no such tensor"
              .formatted(CheckpointException.shown(stored), source));
    }
    if (!Arrays.equals(shape, expected)) {
      throw new CheckpointException(
          "Cannot load tensor %s from %s: expected shape %s, found %s"
              .formatted(stored, source, Arrays.toString(expected), Arrays.toString(shape)));
    }
  }

  private PackedMatrix matrix(FloatReader floats, int k, int... sections) {
    PackedMatrix matrix = new PackedMatrix(format, k, sections);
    float[] block = new float[ROWS_AT_ONCE * k];
    for (int section = 0; section < sections.length; section++) {
      for (int row = 0; row < sections[section]; row += ROWS_AT_ONCE) {
        int rows = Math.min(ROWS_AT_ONCE, sections[section] - row);
        floats.read(block, 0, rows * k);
        matrix.rows(section, row, rows, block);
      }
    }
    return matrix;
  }

  /** Reads the sections of a vector, each padded to panels. */
  private static float[] vector(FloatReader floats, int... sections) {
    int length = 0;
    for (int section : sections) {
      length += Panels.count(section) * Panels.WIDTH;
    }
    float[] vector = new float[length];
    int at = 0;
    for (int section : sections) {
      floats.read(vector, at, section);
      at += Panels.count(section) * Panels.WIDTH;
    }
    return vector;
  }

  /** Reads (dInner, columns) as stored into (dInner panels, columns, 16). */
  private float[] transposed(FloatReader floats, int columns) {
    float[] to = new float[Panels.count(config.mixer().dInner()) * columns * Panels.WIDTH];
    float[] row = new float[columns];
    for (int channel = 0; channel < config.mixer().dInner(); channel++) {
      floats.read(row, 0, columns);
      int at = channel / Panels.WIDTH * columns * Panels.WIDTH + channel % Panels.WIDTH;
      for (int i = 0; i < columns; i++) {
        to[at + i * Panels.WIDTH] = row[i];
      }
    }
    return to;
  }

  /** Converts A_log to {@link Layer#a}. */
  private float[] decay(FloatReader aLog) {
    FloatReader a =
        (into, offset, count) -> {
          aLog.read(into, offset, count);
          for (int i = offset; i < offset + count; i++) {
            // StrictMath gives the same result on every machine. log2(e) = 1 / ln 2: the scan
            // computes powers of two.
            into[i] = (float) (-StrictMath.exp(into[i]) / StrictMath.log(2));
          }
        };
    return transposed(a, config.mixer().dState());
  }

  /** Reads from another reader, and refuses values that are not finite. */
  private static final class FiniteFloats implements FloatReader {
    private final FloatReader floats;
    private final String name;
    private final String source;
    private long position;

    FiniteFloats(FloatReader floats, String name, String source) {
      this.floats = floats;
      this.name = name;
      this.source = source;
    }

    @Override
    public void read(float[] into, int offset, int count) {
      floats.read(into, offset, count);
      checkFinite(into, offset, count, position, name, source);
      position += count;
    }
  }

  /**
   * Refuses floats that are not finite.
   *
   * @param position the row-major index in the tensor of the first of these floats, for the message
   */
  static void checkFinite(
      float[] floats, int offset, int count, long position, String name, String source) {
    float sum = 0f;
    for (int i = offset; i < offset + count; i++) {
      // The product is zero for a finite number, and NaN otherwise.
      sum += floats[i] * 0f;
    }
    if (sum == 0f) {
      return;
    }
    for (int i = offset; i < offset + count; i++) {
      if (!Float.isFinite(floats[i])) {
        throw new CheckpointException(
            "Cannot load tensor %s from %s: element %d is %s; weights must be finite"
                .formatted(name, source, position + i - offset, floats[i]));
      }
    }
  }
}
