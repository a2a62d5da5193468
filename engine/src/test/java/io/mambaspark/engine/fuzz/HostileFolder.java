package io.mambaspark.engine.fuzz;

import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** A model folder in memory that mutations damage, and a list of the mutations. */
final class HostileFolder {
  static final String CONFIG = "config.json";

  /** Folders with a copy of each of the original's shards, which would load if it were read. */
  record Canaries(Path above, String inside) {}

  private final Original original;
  private final Canaries canaries;
  private final List<String> notes = new ArrayList<>();

  /** Bytes by file name. Arrays are shared with the original: replace them, never modify them. */
  final Map<String, byte[]> files;

  /** Targets of symbolic links by file name. */
  final Map<String, String> links = new TreeMap<>();

  HostileFolder(Original original, Canaries canaries) {
    this.original = original;
    this.canaries = canaries;
    this.files = new TreeMap<>(original.files());
  }

  Original original() {
    return original;
  }

  Canaries canaries() {
    return canaries;
  }

  /** Returns the names of the files with weights. */
  List<String> weights() {
    return files.keySet().stream().filter(name -> !name.endsWith(".json")).toList();
  }

  String index() {
    return original.format().file() + ".index.json";
  }

  String text(String file) {
    return new String(files.get(file), StandardCharsets.UTF_8);
  }

  void text(String file, String text) {
    files.put(file, text.getBytes(StandardCharsets.UTF_8));
  }

  /** Replaces the weights and, if the original has one, the index. */
  void weights(Map<String, Tensor> tensors) {
    files.keySet().removeIf(name -> !name.equals(CONFIG));
    files.putAll(original.format().files(tensors, original.shards()));
  }

  /** Replaces a file by a symbolic link. */
  void link(String file, String target) {
    files.remove(file);
    links.put(file, target);
  }

  long bytes() {
    return files.values().stream().mapToLong(bytes -> bytes.length).sum();
  }

  /** Describes a mutation; a failing case prints it. */
  void note(String what, Object... arguments) {
    notes.add(what.formatted(arguments));
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(original.name());
    for (String note : notes) {
      // Escape the hostile names in the notes.
      text.append("; ");
      note.codePoints()
          .limit(300)
          .forEach(
              c ->
                  text.append(
                      c >= ' ' && c < 0x7f ? Character.toString(c) : "\\u%04x".formatted(c)));
    }
    return text.toString();
  }
}
