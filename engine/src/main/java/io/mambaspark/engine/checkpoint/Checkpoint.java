package io.mambaspark.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model folder, opened: its config and its tensors, where they lie on disk.
 *
 * <p>The folder holds {@code config.json} and the weights in one of these layouts. Where several
 * are there, the first wins:
 *
 * <ol>
 *   <li>{@code model.safetensors}
 *   <li>{@code model.safetensors.index.json}, and the shards that it names
 *   <li>{@code pytorch_model.bin}, as torch 1.6 and later write it
 *   <li>{@code pytorch_model.bin.index.json}, and the shards that it names
 * </ol>
 *
 * <p>Files are mapped, not read, so opening is quick at any size; they may be symbolic links, as in
 * the cache of Hugging Face. They must not change while the checkpoint is open.
 */
public final class Checkpoint implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);

  private static final String CONFIG = "config.json";
  private static final String SAFETENSORS = "model.safetensors";
  private static final String PYTORCH = "pytorch_model.bin";
  private static final String INDEX = ".index.json";
  private static final List<String> LAYOUTS =
      List.of(SAFETENSORS, SAFETENSORS + INDEX, PYTORCH, PYTORCH + INDEX);

  private static final int MAX_FILE_NAME = 255;

  private final Path folder;
  private final JsonNode config;
  private final List<MappedFile> files = new ArrayList<>();
  private final SortedMap<String, StoredTensor> tensors = new TreeMap<>();

  private Checkpoint(Path folder, JsonNode config) {
    this.folder = folder;
    this.config = config;
  }

  /**
   * Opens a model folder.
   *
   * @throws CheckpointException if anything in it is missing or not as it should be
   */
  public static Checkpoint open(Path folder) {
    if (!Files.exists(folder)) {
      throw new CheckpointException("Cannot open model folder " + folder + ": it does not exist");
    }
    if (!Files.isDirectory(folder)) {
      throw new CheckpointException(
          "Cannot open model folder "
              + folder
              + ": it is a file, expected the folder that holds config.json and the weights");
    }
    if (!present(folder, CONFIG)) {
      throw new CheckpointException(
          "Cannot open model folder " + folder + ": it holds no config.json");
    }
    List<String> found = LAYOUTS.stream().filter(file -> present(folder, file)).toList();
    if (found.isEmpty()) {
      throw new CheckpointException(
          "Cannot open model folder %s: it holds no weights; looked for %s"
              .formatted(folder, String.join(", ", LAYOUTS)));
    }
    if (found.size() > 1) {
      LOG.info("{} holds {}; reading {}", folder, String.join(", ", found), found.get(0));
    }
    Checkpoint checkpoint =
        new Checkpoint(folder, Json.config(MappedFile.open(folder.resolve(CONFIG))));
    checkpoint.readWeights(found.get(0));
    return checkpoint;
  }

  /** Where it lies. */
  public Path folder() {
    return folder;
  }

  /** The object in {@code config.json}. */
  public JsonNode config() {
    return config;
  }

  /** The tensors by name, as stored; unmodifiable. */
  public SortedMap<String, StoredTensor> tensors() {
    return Collections.unmodifiableSortedMap(tensors);
  }

  /** Lets go of the files. The tensors cannot be read any more. */
  @Override
  public void close() {
    files.forEach(MappedFile::close);
  }

  private static boolean present(Path folder, String file) {
    // A broken link counts: it is reported, not passed over for another layout.
    return Files.exists(folder.resolve(file), LinkOption.NOFOLLOW_LINKS);
  }

  private void readWeights(String file) {
    Function<MappedFile, List<StoredTensor>> format =
        file.startsWith(SAFETENSORS) ? Safetensors::read : PyTorchFile::read;
    if (file.endsWith(INDEX)) {
      readShards(file, format);
    } else {
      read(folder.resolve(file), format).forEach(tensor -> tensors.put(tensor.name(), tensor));
    }
  }

  private List<StoredTensor> read(Path path, Function<MappedFile, List<StoredTensor>> format) {
    MappedFile file = MappedFile.open(path);
    files.add(file);
    return format.apply(file);
  }

  /**
   * Index and shards must agree: each tensor is in the shard that the index names, and no other.
   */
  private void readShards(String index, Function<MappedFile, List<StoredTensor>> format) {
    SortedMap<String, String> shardOf = Json.weightMap(MappedFile.open(folder.resolve(index)));
    Map<String, Path> shards = new TreeMap<>();
    for (String shard : new LinkedHashSet<>(shardOf.values())) {
      shards.put(shard, shard(shard, index));
    }
    shards.forEach(
        (shard, path) -> {
          for (StoredTensor tensor : read(path, format)) {
            String listed = shardOf.get(tensor.name());
            if (!shard.equals(listed)) {
              throw StoredTensor.refused(
                  tensor.name(),
                  CheckpointException.shown(shard),
                  listed == null
                      ? index + " does not list it"
                      : index + " places it in " + CheckpointException.shown(listed));
            }
            tensors.put(tensor.name(), tensor);
          }
        });
    shardOf.forEach(
        (name, shard) -> {
          if (!tensors.containsKey(name)) {
            throw StoredTensor.refused(
                name,
                CheckpointException.shown(shard),
                index + " places it there, but it is not in that file");
          }
        });
  }

  /** A shard's path: its name is one plain file name, so it cannot lead out of the folder. */
  private Path shard(String name, String index) {
    boolean plain =
        !name.isEmpty()
            && name.length() <= MAX_FILE_NAME
            && !name.equals(".")
            && !name.contains("..")
            && name.chars().noneMatch(c -> c == '/' || c == '\\' || Character.isISOControl(c));
    Path path = null;
    try {
      path = plain ? folder.resolve(name) : null;
    } catch (InvalidPathException e) {
      // Stays null: the file system has no such name.
    }
    if (path == null) {
      throw new CheckpointException(
          "Cannot read %s: found %s, expected the plain name of a file in the same folder"
              .formatted(
                  index, name.isEmpty() ? "an empty name" : CheckpointException.shown(name)));
    }
    if (!present(folder, name)) {
      throw new CheckpointException(
          "Cannot read %s: its shard %s is not in %s"
              .formatted(index, CheckpointException.shown(name), folder));
    }
    return path;
  }
}
