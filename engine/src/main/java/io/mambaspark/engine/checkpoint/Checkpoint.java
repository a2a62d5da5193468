package io.mambaspark.engine.checkpoint;

import com.fasterxml.jackson.databind.JsonNode;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.InvalidPathException;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.function.Function;
import java.util.stream.Stream;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * An open model folder: its config, and its tensors as views of the files on disk.
 *
 * <p>The folder holds {@code config.json} and the weights in one of these layouts. If it holds
 * several, the first in this list is read:
 *
 * <ol>
 *   <li>{@code model.safetensors}
 *   <li>{@code model.safetensors.index.json} and the shards that it names
 *   <li>{@code pytorch_model.bin}, as torch 1.6 and later write it
 *   <li>{@code pytorch_model.bin.index.json} and the shards that it names
 * </ol>
 *
 * <p>Files are mapped, not read, so opening is fast at any size. They may be symbolic links, as in
 * the Hugging Face cache. They must not change while the checkpoint is open.
 */
public final class Checkpoint implements AutoCloseable {
  private static final Logger LOG = LoggerFactory.getLogger(Checkpoint.class);

  private static final int MAX_FILE_NAME = 255;

  /** The maximum number of names in a message. */
  private static final int MAX_LISTED = 5;

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
   * @throws CheckpointException if a file in it is missing, malformed or inconsistent
   */
  public static Checkpoint open(Path folder) {
    if (!Files.exists(folder)) {
      throw new CheckpointException("Cannot open model folder " + folder + ": it does not exist");
    }
    if (!Files.isDirectory(folder)) {
      throw CheckpointFiles.notAFolder(folder.toString(), firstBytes(folder));
    }
    List<String> found =
        CheckpointFiles.LAYOUTS.stream().filter(file -> present(folder, file)).toList();
    String weights =
        present(folder, CheckpointFiles.CONFIG) && !found.isEmpty()
            ? found.get(0)
            : CheckpointFiles.weights(folder.toString(), names(folder));
    if (found.size() > 1) {
      LOG.info("{} holds {}; reading {}", folder, String.join(", ", found), weights);
    }
    Checkpoint checkpoint =
        new Checkpoint(
            folder, Json.config(MappedFile.open(folder.resolve(CheckpointFiles.CONFIG))));
    checkpoint.readWeights(weights);
    return checkpoint;
  }

  /** The path of the folder, as it was passed to {@link #open}. */
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

  /** Releases the mapped files. Afterwards the tensors cannot be read. */
  @Override
  public void close() {
    files.forEach(MappedFile::close);
  }

  private static boolean present(Path folder, String file) {
    // A broken link counts as present: opening it reports the error instead of trying another
    // layout.
    return Files.exists(folder.resolve(file), LinkOption.NOFOLLOW_LINKS);
  }

  /** The names in a folder; empty if the folder cannot be listed. */
  private static List<String> names(Path folder) {
    try (Stream<Path> files = Files.list(folder)) {
      return files.map(file -> file.getFileName().toString()).toList();
    } catch (IOException | UncheckedIOException e) {
      LOG.debug("Cannot list {}", folder, e);
      return List.of();
    }
  }

  /** The first bytes of a file; empty if it cannot be read, or is a pipe or a device. */
  private static byte[] firstBytes(Path path) {
    if (!Files.isRegularFile(path)) {
      return new byte[0];
    }
    try (InputStream in = Files.newInputStream(path)) {
      return in.readNBytes(CheckpointFiles.FIRST_BYTES);
    } catch (IOException e) {
      LOG.debug("Cannot read {}", path, e);
      return new byte[0];
    }
  }

  private void readWeights(String file) {
    Function<MappedFile, List<StoredTensor>> format =
        file.startsWith(CheckpointFiles.SAFETENSORS) ? Safetensors::read : PyTorchFile::read;
    if (CheckpointFiles.isIndex(file)) {
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
   * Reads all shards. Refuses them unless each tensor is in the shard that the index names for it,
   * and in no other.
   */
  private void readShards(String index, Function<MappedFile, List<StoredTensor>> format) {
    ShardIndex contents = ShardIndex.read(MappedFile.open(folder.resolve(index)));
    SortedMap<String, String> shardOf = contents.shardOf();
    Map<String, Path> shards = new TreeMap<>();
    for (String shard : contents.shards()) {
      shards.put(shard, shard(shard, index));
    }
    checkPresent(shards.keySet(), index);
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

  /** The path of a shard. Its name must be a plain file name, so the path is inside the folder. */
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
      // The path stays null: the name is not valid on this file system.
    }
    if (path == null) {
      throw new CheckpointException(
          "Cannot read %s: found %s, expected the plain name of a file in the same folder"
              .formatted(
                  index, name.isEmpty() ? "an empty name" : CheckpointException.shown(name)));
    }
    return path;
  }

  private void checkPresent(Set<String> shards, String index) {
    List<String> missing = shards.stream().filter(shard -> !present(folder, shard)).toList();
    if (!missing.isEmpty()) {
      throw new CheckpointException(
          "Cannot read %s: %d of its %d shards are not in %s: %s; copy or download them to it"
              .formatted(
                  index,
                  missing.size(),
                  shards.size(),
                  folder,
                  CheckpointException.shown(missing, MAX_LISTED)));
    }
  }
}
