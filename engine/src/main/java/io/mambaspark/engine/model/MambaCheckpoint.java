package io.mambaspark.engine.model;

import com.fasterxml.jackson.databind.JsonNode;
import io.mambaspark.engine.checkpoint.Checkpoint;
import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.StoredTensor;
import io.mambaspark.engine.kernel.WeightFormat;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * An open and validated checkpoint folder: this engine supports its config, and its tensors have
 * the names and shapes that the config requires.
 */
public final class MambaCheckpoint implements AutoCloseable {
  /** The number of bytes that the fingerprint hashes at a time. */
  private static final int CHUNK = 1 << 18;

  /** The maximum number of tensors in a note. */
  private static final int MAX_LISTED = 8;

  private final Checkpoint checkpoint;
  private final MambaConfig config;

  /** The tensors that the model uses, by their names in {@link TensorNames}. */
  private final SortedMap<String, StoredTensor> used = new TreeMap<>();

  /** The tensors that {@link TensorNames#ignored} accepts, by the same kind of names. */
  private final SortedMap<String, StoredTensor> ignored = new TreeMap<>();

  private final List<String> notes = new ArrayList<>();

  private String fingerprint;

  private MambaCheckpoint(Checkpoint checkpoint) {
    this.checkpoint = checkpoint;
    JsonNode json = checkpoint.config();
    MambaConfig claimed = MambaConfig.of(json);
    checkpoint.tensors().values().forEach(this::sort);
    checkNotWrapped();
    for (StoredTensor tensor : used.values()) {
      MambaWeights.checkShape(claimed, tensor.name(), tensor.shape(), tensor.source());
      checkFloat(tensor);
    }
    // First checks the tensors that every model has: if complete layers are missing, a message
    // about their biases would mislead.
    MambaWeights.checkComplete(claimed.with(false, false, true), used.keySet());
    this.config = ConfigFlags.check(json, claimed, used, notes);
    ConfigFlags.checkTiedHead(json, config, used);
    if (config.tiedHead()) {
      used.remove(TensorNames.HEAD);
    }
    noteTokens(json, "bos_token_id", config.bosTokenId());
    noteTokens(json, "eos_token_id", config.eosTokenId());
    noteTensors();
  }

  private void sort(StoredTensor tensor) {
    SortedMap<String, StoredTensor> kind = TensorNames.ignored(tensor.name()) ? ignored : used;
    if (kind.put(TensorNames.of(tensor.name()), tensor) != null) {
      throw new CheckpointException(
          "Cannot load tensor %s from %s: the checkpoint contains it under two names"
              .formatted(CheckpointException.shown(tensor.name()), tensor.source()));
    }
  }

  private void checkNotWrapped() {
    String wrapper = TensorNames.wrapper(used.values().stream().map(StoredTensor::name).toList());
    if (!wrapper.isEmpty()) {
      throw new CheckpointException(
          ("Cannot load the tensors of %s: all names begin with %s, a prefix that torch.compile and"
                  + " training wrappers add; save the model without its wrapper, or the state dict"
                  + " without this prefix")
              .formatted(
                  used.values().iterator().next().source(), CheckpointException.shown(wrapper)));
    }
  }

  private static void checkFloat(StoredTensor tensor) {
    if (!tensor.dtype().isFloat()) {
      throw new CheckpointException(
          "Cannot load tensor %s from %s: found dtype %s, expected F32, F16, BF16 or F64"
              .formatted(tensor.name(), tensor.source(), tensor.dtype()));
    }
  }

  private void noteTokens(JsonNode json, String key, Integer first) {
    if (json.path(key).size() > 1 && first != null) {
      notes.add(
          "config.json: %s is a list, %s; the first, %d, is used"
              .formatted(key, CheckpointException.shown(json.get(key).toString()), first));
    }
  }

  private void noteTensors() {
    List<String> wide =
        used.values().stream()
            .filter(tensor -> tensor.dtype() == DType.F64)
            .map(StoredTensor::name)
            .toList();
    if (!wide.isEmpty()) {
      notes.add("F64 tensors are narrowed to F32: " + CheckpointException.shown(wide, MAX_LISTED));
    }
    if (!ignored.isEmpty()) {
      List<String> names = ignored.values().stream().map(StoredTensor::name).toList();
      notes.add(
          "tensors that are not part of the model are ignored: "
              + CheckpointException.shown(names, MAX_LISTED));
    }
  }

  /**
   * Opens a checkpoint and checks its config and the names and shapes of its tensors.
   *
   * @throws CheckpointException if the folder cannot be read or is not a model that this engine
   *     supports
   */
  public static MambaCheckpoint open(Path folder) {
    Checkpoint checkpoint = Checkpoint.open(folder);
    try {
      return new MambaCheckpoint(checkpoint);
    } catch (RuntimeException e) {
      checkpoint.close();
      throw e;
    }
  }

  /** The model's shape. */
  public MambaConfig config() {
    return config;
  }

  /** The tensors that the model uses, by their state-spaces names without {@code backbone.}. */
  public SortedMap<String, StoredTensor> tensors() {
    return Collections.unmodifiableSortedMap(used);
  }

  /** The tensors of the checkpoint that are not part of the model, by the same kind of names. */
  public SortedMap<String, StoredTensor> ignoredTensors() {
    return Collections.unmodifiableSortedMap(ignored);
  }

  /**
   * Warnings for the user about how this checkpoint is read, one line each: tensors that are
   * ignored or narrowed, a flag of the config that is overridden, a list of which one value is
   * used.
   */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /** The number of parameters of the model; a tied head counts once. */
  public long parameterCount() {
    return used.values().stream().mapToLong(StoredTensor::elementCount).sum();
  }

  /** The size of the model in memory, in bytes, if its weights are packed as F32. */
  public long packedBytes() {
    return packedBytes(WeightFormat.F32);
  }

  /** The size of the model in memory, in bytes, if its weights are packed in this format. */
  public long packedBytes(WeightFormat format) {
    DType embedding = used.get(TensorNames.EMBEDDING).dtype();
    return MambaWeights.packedBytes(config, format, embedding, used.containsKey(TensorNames.HEAD));
  }

  /**
   * About how many bytes outside the heap the model needs if its products are native: the matrices
   * of integers, and small vectors, without the padding of native code; 0 in other formats.
   */
  public long nativeBytes(WeightFormat format) {
    DType embedding = used.get(TensorNames.EMBEDDING).dtype();
    return MambaWeights.integerBytes(config, format, embedding, used.containsKey(TensorNames.HEAD));
  }

  /**
   * Whether packing in this format rounds weights. BF16 rounds those that are stored in a wider
   * format. The formats of integers round all matrices but dt_proj and the embedding.
   */
  public boolean rounds(WeightFormat format) {
    return switch (format) {
      case F32 -> false;
      case BF16 -> used.values().stream().anyMatch(tensor -> tensor.dtype() != DType.BF16);
      case INT8, INT8_OUT16, INT16 -> true;
    };
  }

  /** Whether this model can be packed in a format. */
  public boolean supports(WeightFormat format) {
    return refusal(format) == null;
  }

  /**
   * Refuses a format in which this model cannot be packed.
   *
   * @throws CheckpointException if a matrix has more columns than the format allows
   */
  public void check(WeightFormat format) {
    String refusal = refusal(format);
    if (refusal != null) {
      throw new CheckpointException(refusal);
    }
  }

  /** Returns why this model cannot be packed in a format; null if it can. */
  private String refusal(WeightFormat format) {
    for (Map.Entry<String, StoredTensor> tensor : used.entrySet()) {
      String name = tensor.getKey();
      int columns = TensorNames.columns(config, name);
      int most = (name.endsWith(".out_proj.weight") ? format.outProj() : format).maxColumns();
      if (columns > most) {
        return "Cannot pack tensor %s as %s: found %d columns, expected at most %d; choose f32 or bf16"
            .formatted(tensor.getValue().name(), format, columns, most);
      }
    }
    return null;
  }

  /**
   * Returns the SHA-256, in lower-case hexadecimal, of the hyper-parameters and of every tensor's
   * name, dtype, shape and row-major bytes, in the order of the names. It is the same whether these
   * tensors are stored in shards, in one file or in a {@code .bin}, and does not depend on strides.
   * It includes ignored tensors, but not a tied head, which equals the embedding. The first call
   * reads every weight once.
   *
   * @throws CheckpointException if a weight is not finite
   */
  public synchronized String fingerprint() {
    if (fingerprint == null) {
      fingerprint = computeFingerprint();
    }
    return fingerprint;
  }

  /**
   * Reads every weight again and compares its fingerprint with {@link #fingerprint}.
   *
   * @throws CheckpointException if the fingerprints differ
   */
  public void checkUnchanged() {
    String found = computeFingerprint();
    if (!found.equals(fingerprint())) {
      throw new CheckpointException(
          "Model %s has changed since it was opened: expected fingerprint %s, found %s; do not"
                  .formatted(
                      checkpoint.folder(), fingerprint().substring(0, 12), found.substring(0, 12))
              + " change a model while it is in use, and start again");
    }
  }

  private String computeFingerprint() {
    MessageDigest digest;
    try {
      digest = MessageDigest.getInstance("SHA-256");
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
    digest.update(config.canonical().getBytes(StandardCharsets.UTF_8));
    float[] floats = new float[CHUNK / 2];
    SortedMap<String, StoredTensor> all = new TreeMap<>(used);
    all.putAll(ignored);
    all.forEach((name, tensor) -> digest(digest, name, tensor, floats));
    return HexFormat.of().formatHex(digest.digest());
  }

  private void digest(MessageDigest digest, String name, StoredTensor tensor, float[] floats) {
    String header = "\n%s %s %s\n".formatted(name, tensor.dtype(), Arrays.toString(tensor.shape()));
    digest.update(header.getBytes(StandardCharsets.UTF_8));
    long[] position = {0};
    tensor.forEachChunk(
        CHUNK,
        bytes -> {
          ByteBuffer again = bytes.duplicate().order(bytes.order());
          digest.update(bytes);
          if (ignored.containsKey(name)) {
            return;
          }
          int count = again.remaining() / tensor.dtype().bytes();
          tensor.decode(again, position[0], floats, 0, count);
          MambaWeights.checkFinite(floats, 0, count, position[0], tensor.name(), tensor.source());
          position[0] += count;
        });
  }

  /** Packs the weights as F32. The model is independent of this checkpoint, which may be closed. */
  public MambaModel load() {
    return load(WeightFormat.F32);
  }

  /** Packs the weights. The model is independent of this checkpoint, which may be closed. */
  public MambaModel load(WeightFormat format) {
    MambaModel.Builder builder = new MambaModel.Builder(config, format);
    for (StoredTensor tensor : used.values()) {
      builder.add(tensor.name(), tensor.shape(), tensor.dtype(), tensor.source(), tensor.floats());
    }
    return builder.build();
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
