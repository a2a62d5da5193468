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
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * An open checkpoint folder whose config is one that this engine runs and whose tensors have the
 * names and shapes that the config asks for.
 */
public final class MambaCheckpoint implements AutoCloseable {
  /** Bytes that are looked at together while the fingerprint is taken. */
  private static final int CHUNK = 1 << 18;

  /** Tensors that a note names. */
  private static final int MOST_NAMED = 8;

  private final Checkpoint checkpoint;
  private final MambaConfig config;

  /** By name as in {@link TensorNames}, only those that the model uses. */
  private final SortedMap<String, StoredTensor> used = new TreeMap<>();

  /** Those of {@link TensorNames#ignored}, likewise by name. */
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
    // What every model has comes first: where layers are missing, their biases are not the point.
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
          "Cannot load tensor %s from %s: the checkpoint holds it under two names"
              .formatted(CheckpointException.shown(tensor.name()), tensor.source()));
    }
  }

  private void checkNotWrapped() {
    String wrapper = TensorNames.wrapper(used.values().stream().map(StoredTensor::name).toList());
    if (!wrapper.isEmpty()) {
      throw new CheckpointException(
          ("Cannot load the tensors of %s: the name of each begins with %s, which torch.compile and"
                  + " wrappers of training put before the model's own; save the model inside of the"
                  + " wrapper, or the state dict without this prefix")
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
      notes.add("F64 tensors are narrowed to F32: " + CheckpointException.shown(wide, MOST_NAMED));
    }
    if (!ignored.isEmpty()) {
      List<String> names = ignored.values().stream().map(StoredTensor::name).toList();
      notes.add(
          "tensors that are no part of the model are ignored: "
              + CheckpointException.shown(names, MOST_NAMED));
    }
  }

  /**
   * Opens a checkpoint and checks its config and the names and shapes of its tensors.
   *
   * @throws CheckpointException if it cannot be read or is not a model that this engine runs
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

  /** The tensors that the model uses, by their names in state-spaces without {@code backbone.}. */
  public SortedMap<String, StoredTensor> tensors() {
    return Collections.unmodifiableSortedMap(used);
  }

  /** The tensors of the checkpoint that are no part of the model, by their names. */
  public SortedMap<String, StoredTensor> ignoredTensors() {
    return Collections.unmodifiableSortedMap(ignored);
  }

  /**
   * What a user should know of how this checkpoint is read: tensors that are ignored or narrowed, a
   * flag of the config that is not followed, a list of which one value is used. Each is a line.
   */
  public List<String> notes() {
    return List.copyOf(notes);
  }

  /** Parameters of the model; a tied head counts once. */
  public long parameterCount() {
    return used.values().stream().mapToLong(StoredTensor::elementCount).sum();
  }

  /** Bytes that the model will take in memory when its weights are packed as F32. */
  public long packedBytes() {
    return packedBytes(WeightFormat.F32);
  }

  /** Bytes that the model will take in memory when its weights are packed. */
  public long packedBytes(WeightFormat format) {
    return MambaWeights.packedBytes(config, format, used.containsKey(TensorNames.HEAD));
  }

  /** Whether packing in this format rounds weights: it does not where all are stored as such. */
  public boolean rounds(WeightFormat format) {
    return format == WeightFormat.BF16
        && used.values().stream().anyMatch(tensor -> tensor.dtype() != DType.BF16);
  }

  /**
   * SHA-256, in lower-case hexadecimal, over the hyper-parameters and every tensor's name, dtype,
   * shape and row-major bytes in the order of the names: equal for shards, one file and a {@code
   * .bin} of the same tensors, whatever their strides. Ignored tensors are in it; a tied head,
   * which is the embedding, is not. The first call reads every weight once.
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
   * Reads every weight again.
   *
   * @throws CheckpointException if they are not those that the fingerprint was taken of
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

  /** Packs the weights as F32. The model does not need this checkpoint any more. */
  public MambaModel load() {
    return load(WeightFormat.F32);
  }

  /** Packs the weights. The model does not need this checkpoint any more. */
  public MambaModel load(WeightFormat format) {
    MambaModel.Builder builder = new MambaModel.Builder(config, format);
    for (StoredTensor tensor : used.values()) {
      builder.add(tensor.name(), tensor.shape(), tensor.source(), tensor.floats());
    }
    return builder.build();
  }

  @Override
  public void close() {
    checkpoint.close();
  }
}
