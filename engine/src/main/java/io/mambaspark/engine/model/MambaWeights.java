package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
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
  final MambaConfig config;
  final WeightFormat format;
  final Layer[] layers;
  final float[] normF;

  /** The rows that tokens select; null if matrices are integers. */
  private PackedMatrix embedding;

  /** The rows that tokens select if matrices are integers. */
  private StoredEmbedding storedEmbedding;

  /** The dtype in which the embedding is stored. */
  DType embeddingDType;

  /** The head. If it is tied and matrices are not integers, it is also the embedding. */
  PackedMatrix head;

  private final Set<String> added = new HashSet<>();

  /** The weights of one layer: those of its norm, and its mixer. */
  static final class Layer {
    float[] norm;
    final Mixer mixer;

    Layer(Mixer mixer) {
      this.mixer = mixer;
    }
  }

  MambaWeights(MambaConfig config, WeightFormat format) {
    this.config = config;
    this.format = format;
    this.normF = new float[Panels.count(config.dModel()) * Panels.WIDTH];
    this.layers = new Layer[config.nLayer()];
    Arrays.setAll(layers, i -> new Layer(config.mixer().mixer(format, config.dModel())));
  }

  /** The size of a model's packed weights in bytes, without a few small vectors. */
  static long packedBytes(MambaConfig c, WeightFormat format, DType embedding, boolean ownHead) {
    long matrix = PackedMatrix.bytes(format, c.dModel(), c.vocabSize());
    long rows =
        format.isInteger() ? StoredEmbedding.bytes(embedding, c.vocabSize(), c.dModel()) : matrix;
    boolean both = ownHead || format.isInteger();
    return c.nLayer() * c.mixer().packedBytes(format, c.dModel()) + rows + (both ? matrix : 0);
  }

  /** The size of a model's matrices of integers in bytes; 0 in other formats. */
  static long integerBytes(MambaConfig c, WeightFormat format, DType embedding, boolean ownHead) {
    return format.isInteger()
        ? packedBytes(c, format, embedding, ownHead)
            - StoredEmbedding.bytes(embedding, c.vocabSize(), c.dModel())
        : 0;
  }

  /**
   * Packs one tensor.
   *
   * @param stored the tensor's name in the checkpoint
   * @param dtype the stored dtype
   * @param source the file that holds it, for messages
   * @throws CheckpointException if the model has no such tensor or already has it, if its shape is
   *     not the expected one, or if an element is not finite
   */
  void add(String stored, int[] shape, DType dtype, String source, FloatReader floats) {
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
      case TensorNames.EMBEDDING -> addEmbedding(dtype, finite);
      case TensorNames.HEAD ->
          head = Packing.matrix(format, finite, config.dModel(), config.vocabSize());
      case TensorNames.NORM_F -> finite.read(normF, 0, config.dModel());
      default -> addToLayer(layers[TensorNames.layer(name)], TensorNames.inLayer(name), finite);
    }
  }

  /** Reads the embedding (vocabSize, dModel), which is also the head if that is tied. */
  private void addEmbedding(DType dtype, FloatReader floats) {
    int dModel = config.dModel();
    int vocabSize = config.vocabSize();
    embeddingDType = dtype;
    if (!format.isInteger()) {
      embedding = Packing.matrix(format, floats, dModel, vocabSize);
      head = config.tiedHead() ? embedding : head;
      return;
    }
    FloatReader rows = floats;
    if (config.tiedHead()) {
      head = new PackedMatrix(format, dModel, vocabSize);
      rows = Packing.filling(head, floats);
    }
    storedEmbedding = new StoredEmbedding(dtype, rows, vocabSize, dModel);
    if (config.tiedHead()) {
      Kernels.best().prepare(head);
    }
  }

  /** Writes the row of a token into row {@code row} of {@code to}, (dModel panels, stride, 16). */
  void copyEmbedding(int token, float[] to, int row, int stride) {
    if (embedding != null) {
      embedding.copyRow(token, to, row, stride);
    } else {
      storedEmbedding.copyRow(token, to, row, stride);
    }
  }

  private void addToLayer(Layer layer, String name, FloatReader floats) {
    if (name.equals("norm.weight")) {
      layer.norm = Packing.vector(floats, config.dModel());
    } else {
      layer.mixer.add(TensorNames.inMixer(name), floats);
    }
  }

  /**
   * Finishes these weights and returns them.
   *
   * @throws CheckpointException if a tensor is missing
   */
  MambaWeights complete() {
    checkComplete(config, added);
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
