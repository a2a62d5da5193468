package io.mambaspark.engine.checkpoint;

import java.io.IOException;
import java.io.InputStream;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collection;
import java.util.Comparator;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides which files of a folder belong to a checkpoint. Uses only the names in the folder,
 * because the folder may be on a file system that this library cannot access. A folder without a
 * checkpoint is refused with a message that says what it holds instead.
 */
public final class CheckpointFiles {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointFiles.class);

  /** The file that holds the hyper-parameters. */
  static final String CONFIG = "config.json";

  /** The suffix of a file that lists shards. */
  static final String INDEX = ".index.json";

  static final String SAFETENSORS = "model.safetensors";
  static final String PYTORCH = "pytorch_model.bin";

  /**
   * The files of weights, or indexes of their shards. If a folder holds several, the first is read.
   */
  static final List<String> LAYOUTS =
      List.of(SAFETENSORS, SAFETENSORS + INDEX, PYTORCH, PYTORCH + INDEX);

  private static final Pattern TRAINER = Pattern.compile("checkpoint-(\\d{1,100})");
  private static final Pattern ADAPTER =
      Pattern.compile("adapter_config\\.json|adapter_model\\.(safetensors|bin)");

  /** The number of bytes that {@link #notAFolder} inspects. */
  public static final int FIRST_BYTES = 4;

  private static final String NO_GGUF =
      ", which is not supported: give the folder of the Hugging Face or state-spaces checkpoint"
          + " that it was converted from";

  private CheckpointFiles() {}

  /** Opens the files of a folder. */
  public interface Opener {
    /** Opens a new stream over the file of that name. The caller closes it. */
    InputStream open(String name) throws IOException;
  }

  /**
   * Lists the files of a folder that a {@link Checkpoint} opens, in the order in which it reads
   * them: the config, the weights or their index, and the shards that the index names. The list
   * omits a shard that is not in the folder. If the index is damaged, the list omits all shards.
   * {@link Checkpoint#open} reports both errors.
   *
   * @param folder the folder's path, for messages
   * @param names the names of the files and folders in it
   * @param files opens the index, if the folder has one
   * @throws CheckpointException if the folder holds no checkpoint
   * @throws IOException if the index cannot be read from the folder
   */
  public static List<String> opened(String folder, Collection<String> names, Opener files)
      throws IOException {
    String weights = weights(folder, names);
    Set<String> opened = new LinkedHashSet<>(List.of(CONFIG, weights));
    if (isIndex(weights)) {
      try (InputStream index = files.open(weights)) {
        // Listed names contain no slash, so this also excludes paths to other folders.
        shards(weights, index).stream().filter(names::contains).sorted().forEach(opened::add);
      }
    }
    return List.copyOf(opened);
  }

  private static Set<String> shards(String name, InputStream index) throws IOException {
    byte[] bytes = index.readNBytes(ShardIndex.MAX_BYTES + 1);
    if (bytes.length > ShardIndex.MAX_BYTES) {
      return Set.of();
    }
    try {
      return ShardIndex.read(name, ByteBuffer.wrap(bytes)).shards();
    } catch (CheckpointException e) {
      LOG.debug("Damaged index", e);
      return Set.of();
    }
  }

  /** Whether a file, one of {@link #LAYOUTS}, is an index of shards. */
  static boolean isIndex(String weights) {
    return weights.endsWith(INDEX);
  }

  /**
   * Returns the name of the file that holds the weights or lists their shards.
   *
   * @param folder the folder's path, for messages
   * @param names the names of the files and folders in it
   * @throws CheckpointException if the folder holds no checkpoint
   */
  static String weights(String folder, Collection<String> names) {
    Optional<String> weights = LAYOUTS.stream().filter(names::contains).findFirst();
    if (weights.isEmpty() || !names.contains(CONFIG)) {
      throw new CheckpointException(
          "Cannot open model folder " + folder + ": " + reason(folder, names, weights.isPresent()));
    }
    return weights.get();
  }

  /** Says what the folder lacks, and what kind of folder it is if its names show that. */
  private static String reason(String folder, Collection<String> names, boolean weights) {
    String lacks =
        !names.contains(CONFIG)
            ? "it holds no config.json"
            : "it holds no weights; looked for " + String.join(", ", LAYOUTS);
    Optional<String> newest =
        names.stream()
            .filter(name -> TRAINER.matcher(name).matches())
            .max(Comparator.comparing(CheckpointFiles::step).thenComparing(name -> name));
    if (newest.isPresent()) {
      return lacks
          + "; it is the output folder of a Trainer: give its newest checkpoint, "
          + (folder.endsWith("/") ? folder : folder + "/")
          + newest.get();
    }
    Optional<String> adapter =
        names.stream().filter(name -> ADAPTER.matcher(name).matches()).sorted().findFirst();
    if (adapter.isPresent() && !weights) {
      return lacks
          + "; it holds an adapter ("
          + adapter.get()
          + ") without its model: merge the adapter into its base model (merge_and_unload and"
          + " save_pretrained in Python), and give that folder";
    }
    Optional<String> gguf =
        names.stream()
            .filter(name -> name.toLowerCase(Locale.ROOT).endsWith(".gguf"))
            .sorted()
            .findFirst();
    if (gguf.isPresent() && !weights) {
      return lacks + "; it holds a GGUF file, " + CheckpointException.shown(gguf.get()) + NO_GGUF;
    }
    return lacks;
  }

  private static BigInteger step(String name) {
    return new BigInteger(name.substring(name.indexOf('-') + 1));
  }

  /**
   * Returns the exception for a path to a file where a folder is required.
   *
   * @param path the file's path, for the message
   * @param first the file's first {@link #FIRST_BYTES} bytes, or all bytes of a shorter file
   */
  public static CheckpointException notAFolder(String path, byte[] first) {
    boolean gguf = new String(first, StandardCharsets.ISO_8859_1).equals("GGUF");
    return new CheckpointException(
        "Cannot open model folder "
            + path
            + (gguf || path.toLowerCase(Locale.ROOT).endsWith(".gguf")
                ? ": it is a GGUF file" + NO_GGUF
                : ": it is a file, expected the folder that holds config.json and the weights"));
  }
}
