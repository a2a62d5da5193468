package io.mambaspark.engine.fuzz;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;
import java.nio.file.attribute.BasicFileAttributes;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;

/**
 * A folder on disk that contains one hostile folder after another. It also contains traps, which
 * are not regular files. Outside the folder are valid copies of the shards, which would load if the
 * reader followed a name that points to them.
 */
final class HostileDisk {
  private static final String INSIDE = "directory";

  private final Path above;
  private final Path folder;

  /** The current files: bytes or the target of a link, by file name. */
  private final Map<String, Object> current = new HashMap<>();

  private final SortedMap<String, String> initialSurroundings;

  HostileDisk(Path above, Original original) throws IOException, InterruptedException {
    this.above = above;
    this.folder = Files.createDirectories(above.resolve("model"));
    for (Path canary : List.of(above, Files.createDirectory(folder.resolve(INSIDE)))) {
      for (Map.Entry<String, byte[]> file : original.files().entrySet()) {
        if (!file.getKey().endsWith(".json")) {
          Files.write(canary.resolve(file.getKey()), file.getValue());
        }
      }
    }
    for (Path pipe : List.of(folder.resolve("pipe"), above.resolve("pipe"))) {
      Process mkfifo = new ProcessBuilder("mkfifo", pipe.toString()).inheritIO().start();
      if (!mkfifo.waitFor(10, TimeUnit.SECONDS) || mkfifo.exitValue() != 0) {
        throw new IOException("Cannot create a pipe at " + pipe);
      }
    }
    Files.createSymbolicLink(folder.resolve("link-to-pipe"), Path.of("../pipe"));
    Files.createSymbolicLink(folder.resolve("loop"), Path.of("loop"));
    Files.createSymbolicLink(folder.resolve("broken"), Path.of("../nowhere"));
    Files.createSymbolicLink(folder.resolve("zero"), Path.of("/dev/zero"));
    Files.createSymbolicLink(folder.resolve("up"), Path.of(".."));
    this.initialSurroundings = surroundings();
  }

  Path folder() {
    return folder;
  }

  HostileFolder.Canaries canaries() {
    return new HostileFolder.Canaries(above, INSIDE);
  }

  /** Writes the files that have changed, and deletes those that are no longer in the folder. */
  void write(HostileFolder hostile) throws IOException {
    Map<String, Object> required = new HashMap<>(hostile.files);
    required.putAll(hostile.links);
    for (String name : List.copyOf(current.keySet())) {
      boolean unchanged = required.get(name) == current.get(name);
      boolean rewritten =
          required.get(name) instanceof byte[] && current.get(name) instanceof byte[];
      if (!unchanged && !rewritten) {
        Files.delete(folder.resolve(name));
        current.remove(name);
      }
    }
    for (Map.Entry<String, Object> entry : required.entrySet()) {
      if (current.put(entry.getKey(), entry.getValue()) != entry.getValue()) {
        Path path = folder.resolve(entry.getKey());
        if (entry.getValue() instanceof byte[] bytes) {
          overwrite(path, bytes);
        } else {
          Files.createSymbolicLink(path, Path.of((String) entry.getValue()));
        }
      }
    }
  }

  /** Overwrites a file in place: twenty times as fast as a new file while the old one is mapped. */
  private static void overwrite(Path path, byte[] bytes) throws IOException {
    try (FileChannel channel =
        FileChannel.open(path, StandardOpenOption.WRITE, StandardOpenOption.CREATE)) {
      for (ByteBuffer buffer = ByteBuffer.wrap(bytes); buffer.hasRemaining(); ) {
        channel.write(buffer);
      }
      channel.truncate(bytes.length);
    }
  }

  SortedMap<String, String> initialSurroundings() {
    return initialSurroundings;
  }

  /** Returns all files here except the model's own, with their sizes and times. */
  SortedMap<String, String> surroundings() throws IOException {
    SortedMap<String, String> found = new TreeMap<>();
    try (Stream<Path> paths = Files.walk(above)) {
      for (Path path : paths.toList()) {
        boolean own =
            path.getParent().equals(folder) && current.containsKey(path.getFileName().toString());
        if (!own && !path.equals(folder)) {
          BasicFileAttributes attributes =
              Files.readAttributes(path, BasicFileAttributes.class, LinkOption.NOFOLLOW_LINKS);
          found.put(path.toString(), attributes.size() + " " + attributes.lastModifiedTime());
        }
      }
    }
    return found;
  }
}
