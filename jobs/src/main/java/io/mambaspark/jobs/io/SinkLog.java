package io.mambaspark.jobs.io;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Failures;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.security.AccessControlException;

/**
 * The log that Spark's streaming file sink keeps in its output folder. It lists the files of
 * complete batches.
 *
 * @param folder the folder to which the stream writes
 * @param logged the paths of the files in the log, by file name
 */
public record SinkLog(Path folder, Map<String, List<String>> logged) {
  public static final String FOLDER = "_spark_metadata";

  /**
   * Reads the log of a stream that writes to a folder or to a parent of it; null if none exists.
   */
  static SinkLog of(Path path, Configuration configuration) {
    for (Path folder = path; folder != null; folder = folder.getParent()) {
      try {
        Path log = new Path(folder, FOLDER);
        return read(folder, log.getFileSystem(configuration).listStatus(log), configuration);
      } catch (FileNotFoundException | AccessControlException e) {
        // Try the folder above. A folder that the user cannot access is skipped.
        continue;
      } catch (IOException e) {
        throw Refusal.because(
            e, "Cannot read the log of the stream in %s: %s", folder, Failures.oneLine(e));
      }
    }
    return null;
  }

  private static SinkLog read(Path folder, FileStatus[] batches, Configuration configuration)
      throws IOException {
    TreeMap<Long, Path> files = new TreeMap<>();
    long compacted = 0;
    for (FileStatus file : batches) {
      String name = file.getPath().getName();
      if (name.matches("\\d+\\.compact")) {
        long batch = Long.parseLong(name.replace(".compact", ""));
        compacted = Math.max(compacted, batch);
        files.put(batch, file.getPath());
      } else if (name.matches("\\d+")) {
        files.putIfAbsent(Long.parseLong(name), file.getPath());
      }
    }
    Map<String, List<String>> logged = new HashMap<>();
    // A compacted batch includes all earlier ones.
    for (Path batch : files.tailMap(compacted).values()) {
      for (String line : lines(batch, configuration)) {
        JsonNode entry = new ObjectMapper().readTree(line);
        String path = URI.create(entry.path("path").asText()).getPath();
        List<String> same =
            logged.computeIfAbsent(
                path.substring(path.lastIndexOf('/') + 1), name -> new ArrayList<>());
        if (entry.path("action").asText().equals("delete")) {
          same.remove(path);
        } else {
          same.add(path);
        }
      }
    }
    return new SinkLog(folder, logged);
  }

  /** Reads the lines of a file without the first one, which is the version. */
  private static List<String> lines(Path file, Configuration configuration) throws IOException {
    try (InputStream in = file.getFileSystem(configuration).open(file)) {
      String text = new String(in.readAllBytes(), StandardCharsets.UTF_8);
      return text.lines().skip(1).toList();
    }
  }

  /**
   * Whether a file below the folder belongs to a complete batch. Compares paths relative to the
   * folder, because the folder may have been moved, or its path may contain a link.
   */
  boolean includes(Path file) {
    String path = file.toUri().getPath();
    String inFolder = path.substring(folder.toUri().getPath().length());
    return logged.getOrDefault(file.getName(), List.of()).stream()
        .anyMatch(loggedPath -> loggedPath.endsWith(inFolder));
  }
}
