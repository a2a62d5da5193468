package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaWeights.Layer;
import java.nio.file.Path;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A Mamba language model with packed weights. Immutable; all threads of a JVM share one, each with
 * a {@link Workspace} of its own.
 *
 * <p>The forward pass is that of arXiv:2312.00752 as mamba-minimal, state-spaces/mamba and Hugging
 * Face's {@code MambaForCausalLM} have it, Falcon-Mamba's norms included.
 */
public final class MambaModel {
  private static final Logger LOG = LoggerFactory.getLogger(MambaModel.class);

  private final MambaConfig config;
  private final MambaWeights weights;
  private final Kernels kernels;
  private final Mamba1Mixer mixer;

  private MambaModel(MambaWeights weights, Kernels kernels) {
    this.config = weights.config;
    this.weights = weights;
    this.kernels = kernels;
    this.mixer = new Mamba1Mixer(config.mixer(), kernels);
  }

  /** Packs tensors one by one as they arrive, in any order, for instance from a stream. */
  public static final class Builder {
    private final MambaWeights weights;

    /** For a model of this shape, its matrices kept in F32. */
    Builder(MambaConfig config) {
      this(config, WeightFormat.F32);
    }

    /** For a model of this shape, its matrices kept in this format. */
    public Builder(MambaConfig config, WeightFormat format) {
      this.weights = new MambaWeights(config, format);
    }

    /**
     * Packs one tensor.
     *
     * @param name its name in any of the layouts of checkpoints
     * @param shape row-major, as stored
     * @param source where it stands, for messages
     * @param floats gives all its elements in order
     * @throws io.mambaspark.engine.checkpoint.CheckpointException if the model has no such tensor,
     *     has it already, or if its shape is another or an element is not finite
     */
    public Builder add(String name, int[] shape, String source, FloatReader floats) {
      weights.add(name, shape, source, floats);
      return this;
    }

    /**
     * The model.
     *
     * @throws io.mambaspark.engine.checkpoint.CheckpointException if a tensor is missing
     */
    public MambaModel build() {
      return new MambaModel(weights.complete(), Kernels.best());
    }
  }

  /** Opens a checkpoint folder, packs its weights as F32 and closes it. Logs its notes. */
  public static MambaModel load(Path folder) {
    try (MambaCheckpoint checkpoint = MambaCheckpoint.open(folder)) {
      checkpoint.notes().forEach(note -> LOG.warn("{}: {}", folder, note));
      return checkpoint.load(WeightFormat.F32);
    }
  }

  /** The same weights, not copied, with other kernels: for comparing and measuring kernels. */
  MambaModel with(Kernels other) {
    return new MambaModel(weights, other);
  }

  /** The model's shape. */
  public MambaConfig config() {
    return config;
  }

  /** The kernels that it runs on. */
  public Kernels kernels() {
    return kernels;
  }

  /** Bytes that the packed weights take in memory. */
  public long packedBytes() {
    boolean ownHead = weights.head != weights.embedding;
    return MambaWeights.packedBytes(config, weights.format, ownHead);
  }

  /**
   * Runs one chunk: pieces of one or many sequences laid end to end. Afterwards {@link
   * Workspace#hidden} holds one normed hidden row for each token.
   *
   * @param tokens the pieces' token ids, each in [0, vocabSize); at most {@code workspace.tokens()}
   *     are used
   * @param pieces in the order of the tokens
   */
  public void forward(Workspace workspace, int[] tokens, List<Piece> pieces) {
    int rows = 0;
    for (Piece piece : pieces) {
      rows += piece.length();
    }
    if (rows > workspace.tokens) {
      throw new IllegalArgumentException(
          "A chunk of %d tokens does not fit a workspace for %d".formatted(rows, workspace.tokens));
    }
    for (int row = 0; row < rows; row++) {
      if (tokens[row] < 0 || tokens[row] >= config.vocabSize()) {
        throw new IllegalArgumentException(
            "Token id %d is outside [0, %d)".formatted(tokens[row], config.vocabSize()));
      }
      weights.embedding.copyRow(tokens[row], workspace.h, row, workspace.stride);
    }
    for (int layer = 0; layer < config.nLayer(); layer++) {
      layer(workspace, weights.layers[layer], layer, rows, pieces);
    }
    norm(workspace, weights.normF, rows);
  }

  /** {@code h += mixer(norm(h))}, h being the residual stream (rows, dModel). */
  private void layer(Workspace w, Layer layer, int index, int rows, List<Piece> pieces) {
    norm(w, layer.norm, rows);
    mixer.forward(w, layer, index, rows, pieces);
    kernels.add(w.h, w.u, Panels.count(config.dModel()), rows, w.stride);
  }

  /** h (rows, dModel) → u (rows, dModel). */
  private void norm(Workspace w, float[] weight, int rows) {
    kernels.rmsNorm(w.h, 0, config.dModel(), rows, w.stride, weight, config.normEps(), w.u, w.sums);
  }

  /** Panels of logits in a row. */
  public int logitPanels() {
    return weights.head.panels();
  }

  /**
   * One logit of one hidden row, (dModel panels, stride, 16): the bits that {@link #logits} gives.
   */
  public float logit(float[] hidden, int row, int stride, int id) {
    return weights.head.dot(hidden, row, stride, id);
  }

  /**
   * Some panels of the logits of some hidden rows.
   *
   * @param hidden (dModel panels, stride, 16)
   * @param logits result, (end - first, stride, 16); what stands beyond the vocabulary in the last
   *     panel is not defined
   */
  public void logits(float[] hidden, int rows, int stride, int first, int end, float[] logits) {
    kernels.product(hidden, rows, stride, weights.head, null, first, end, logits);
  }
}
