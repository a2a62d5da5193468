package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.QuantizedRows;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaWeights.Layer;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Mamba language model with packed weights. It is immutable: all threads of a JVM may share one,
 * each with its own {@link Workspace}.
 *
 * <p>The forward pass is that of Mamba-1 (arXiv:2312.00752) as implemented by mamba-minimal,
 * state-spaces/mamba and Hugging Face's {@code MambaForCausalLM}, including Falcon-Mamba's norms,
 * or that of Mamba-2 (arXiv:2405.21060) as implemented by state-spaces/mamba and {@code
 * Mamba2ForCausalLM}.
 */
public final class MambaModel {
  private static final Logger LOG = LoggerFactory.getLogger(MambaModel.class);

  private final MambaConfig config;
  private final MambaWeights weights;
  private final Kernels kernels;

  private MambaModel(MambaWeights weights, Kernels kernels) {
    this.config = weights.config;
    this.weights = weights;
    this.kernels = kernels;
  }

  /** Builds a model from tensors that are added one by one, in any order, such as from a stream. */
  public static final class Builder {
    private final MambaWeights weights;

    /** Builds a model of this shape, with matrices in F32. */
    Builder(MambaConfig config) {
      this(config, WeightFormat.F32);
    }

    /** Builds a model of this shape, with matrices in this format. */
    public Builder(MambaConfig config, WeightFormat format) {
      this.weights = new MambaWeights(config, format);
    }

    /** Packs one tensor that is stored in F32. */
    Builder add(String name, int[] shape, String source, FloatReader floats) {
      return add(name, shape, DType.F32, source, floats);
    }

    /**
     * Packs one tensor.
     *
     * @param name the tensor's name in any layout of checkpoints
     * @param shape the tensor's shape as stored, outermost dimension first
     * @param dtype the tensor's stored dtype
     * @param source the file or stream that holds the tensor, for messages
     * @param floats reads all elements, row-major
     * @throws io.mambaspark.engine.checkpoint.CheckpointException if the model has no such tensor
     *     or already has it, if its shape is not the expected one, or if an element is not finite
     */
    public Builder add(String name, int[] shape, DType dtype, String source, FloatReader floats) {
      weights.add(name, shape, dtype, source, floats);
      return this;
    }

    /**
     * Returns the model.
     *
     * @throws io.mambaspark.engine.checkpoint.CheckpointException if a tensor is missing
     */
    public MambaModel build() {
      return new MambaModel(weights.complete(), Kernels.best());
    }
  }

  /** Opens a checkpoint folder, logs its notes, packs its weights as F32, and closes it. */
  public static MambaModel load(Path folder) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      checkpoint.notes().forEach(note -> LOG.warn("{}: {}", folder, note));
      return checkpoint.load(WeightFormat.F32);
    }
  }

  /** Returns a model that shares these weights but runs on other kernels, to compare kernels. */
  MambaModel with(Kernels other) {
    return new MambaModel(weights, other);
  }

  /** The model's shape. */
  public MambaConfig config() {
    return config;
  }

  /** The kernels that run this model. */
  public Kernels kernels() {
    return kernels;
  }

  /** The size of the packed weights in memory, in bytes. */
  public long packedBytes() {
    return MambaWeights.packedBytes(
        config, weights.format, weights.embeddingDType, !config.tiedHead());
  }

  /**
   * Runs one chunk: pieces of one or many sequences, laid end to end. Afterwards {@link
   * Workspace#hidden} holds one normed hidden row per token.
   *
   * @param tokens the pieces' token ids, each in [0, vocabSize); may be longer than the pieces
   * @param pieces the pieces, in the order of the tokens; at most {@code workspace.tokens()} tokens
   *     in total
   * @throws IllegalArgumentException if the pieces have too many tokens or a token id is out of
   *     range
   */
  public void forward(Workspace workspace, int[] tokens, List<Piece> pieces) {
    int rows = 0;
    for (Piece piece : pieces) {
      rows += piece.length();
    }
    if (rows > workspace.tokens) {
      throw new IllegalArgumentException(
          "A chunk of %d tokens does not fit in a workspace for %d"
              .formatted(rows, workspace.tokens));
    }
    for (int row = 0; row < rows; row++) {
      if (tokens[row] < 0 || tokens[row] >= config.vocabSize()) {
        throw new IllegalArgumentException(
            "Token id %d is outside [0, %d)".formatted(tokens[row], config.vocabSize()));
      }
      weights.copyEmbedding(tokens[row], workspace.h, row, workspace.stride);
    }
    for (int layer = 0; layer < config.nLayer(); layer++) {
      layer(workspace, weights.layers[layer], layer, rows, pieces);
    }
    norm(workspace, weights.normF, rows);
  }

  /** {@code h += mixer(norm(h))}, where h is the residual stream (rows, dModel). */
  private void layer(Workspace w, Layer layer, int index, int rows, List<Piece> pieces) {
    norm(w, layer.norm, rows);
    layer.mixer.forward(kernels, w, index, rows, pieces);
    kernels.add(w.h, w.u, Panels.count(config.dModel()), rows, w.stride);
  }

  /** h (rows, dModel) → u (rows, dModel). */
  private void norm(Workspace w, float[] weight, int rows) {
    kernels.rmsNorm(w.h, 0, config.dModel(), rows, w.stride, weight, config.normEps(), w.u, w.sums);
  }

  /** The number of panels of logits per row. */
  public int logitPanels() {
    return weights.head.panels();
  }

  /**
   * Prepares hidden rows for {@link #logits} and {@link #logit}: rounds them to integers if the
   * matrices are integers. Call it once for the rows.
   *
   * @param hidden (dModel panels, stride, 16)
   * @param quantized receives the integers; otherwise it is not used
   */
  public void prepareHidden(float[] hidden, int rows, int stride, QuantizedRows quantized) {
    if (weights.format.isInteger()) {
      kernels.quantize(hidden, config.dModel(), rows, stride, weights.format, quantized);
    }
  }

  /**
   * Computes one logit of one of the rows that {@link #prepareHidden} prepared. The result is equal
   * bit for bit to that of {@link #logits}.
   */
  public float logit(float[] hidden, QuantizedRows quantized, int row, int stride, int id) {
    return weights.format.isInteger()
        ? weights.head.dot(quantized, row, id)
        : weights.head.dot(hidden, row, stride, id);
  }

  /**
   * Computes the panels [first, end) of the logits of the rows that {@link #prepareHidden}
   * prepared.
   *
   * @param hidden (dModel panels, stride, 16)
   * @param logits result, (end - first, stride, 16); values beyond the vocabulary in the last panel
   *     are undefined
   */
  public void logits(
      float[] hidden,
      QuantizedRows quantized,
      int rows,
      int stride,
      int first,
      int end,
      float[] logits) {
    if (weights.format.isInteger()) {
      kernels.product(quantized, weights.head, null, first, end, logits);
    } else {
      kernels.product(hidden, rows, stride, weights.head, null, first, end, logits);
    }
  }
}
