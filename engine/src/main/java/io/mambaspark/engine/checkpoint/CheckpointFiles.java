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
 * Which files of a folder are a checkpoint, told by the names in the folder alone: the folder may
 * lie on a file system that this library does not know. A folder that holds no checkpoint is
 * refused with what it holds instead.
 */
public final class CheckpointFiles {
  private static final Logger LOG = LoggerFactory.getLogger(CheckpointFiles.class);

  /** The file that holds the hyper-parameters. */
  static final String CONFIG = "config.json";

  /** What a file with the names of shards ends in. */
  static final String INDEX = ".index.json";

  static final String SAFETENSORS = "model.safetensors";
  static final String PYTORCH = "pytorch_model.bin";

  /**
   * The weights, or an index of the files that hold them; where several are there the first wins.
   */
  static final List<String> LAYOUTS =
      List.of(SAFETENSORS, SAFETENSORS + INDEX, PYTORCH, PYTORCH + INDEX);

  private static final Pattern TRAINER = Pattern.compile("checkpoint-(\\d{1,100})");
  private static final Pattern ADAPTER =
      Pattern.compile("adapter_config\\.json|adapter_model\\.(safetensors|bin)");

  /** What {@link #notAFolder} looks at. */
  public static final int FIRST_BYTES = 4;

  private static final String NO_GGUF =
      ", which is not read: give the folder of the Hugging Face or state-spaces checkpoint that it"
          + " was converted from";

  private CheckpointFiles() {}

  /** Opens the files of a folder. */
  public interface Opener {
    /** A new stream over the file of that name. */
    InputStream open(String name) throws IOException;
  }

  /**
   * The files of a folder that a {@link Checkpoint} opens, in the order in which it reads them: the
   * config, the weights or their index, and the shards that the index names. A shard that is not in
   * the folder is left out. If the index is damaged, all shards are left out. {@link
   * Checkpoint#open} reports both.
   *
   * @param folder its path, for messages
   * @param names the names in it, of files and folders
   * @param files opens the index, if there is one
   * @throws CheckpointException if the folder holds no checkpoint
   * @throws IOException if the index cannot be read from the folder
   */
  public static List<String> opened(String folder, Collection<String> names, Opener files)
      throws IOException {
    String weights = weights(folder, names);
    Set<String> opened = new LinkedHashSet<>(List.of(CONFIG, weights));
    if (isIndex(weights)) {
      try (InputStream index = files.open(weights)) {
        // No name with a slash is in a listing.
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

  /** Whether a file of weights is an index of shards. */
  static boolean isIndex(String weights) {
    return weights.endsWith(INDEX);
  }

  /**
   * The file of a folder that holds the weights or lists the files that do.
   *
   * @param folder its path, for messages
   * @param names the names in it, of files and folders
   * @throws CheckpointException if the folder holds no checkpoint
   */
  static String weights(String folder, Collection<String> names) {
    Optional<String> weights = LAYOUTS.stream().filter(names::contains).findFirst();
    if (weights.isEmpty() || !names.contains(CONFIG)) {
      throw new CheckpointException(
          "Cannot open model folder "
              + folder
              + ": "
              + instead(folder, names, weights.isPresent()));
    }
    return weights.get();
  }

  /** What the folder lacks, and what it is where that can be told. */
  private static String instead(String folder, Collection<String> names, boolean weights) {
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
   * The refusal of a file in the place of a folder.
   *
   * @param path of the file, for the message
   * @param first the file's first {@link #FIRST_BYTES} bytes, or all of a shorter one
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
