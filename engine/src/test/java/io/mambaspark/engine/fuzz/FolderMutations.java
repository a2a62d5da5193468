package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.SplittableRandom;

/** Damages the folder: removes files, replaces them by links, or adds another layout. */
final class FolderMutations {
  /** The layouts in the order of precedence. */
  private static final List<String> LAYOUTS =
      List.of(
          "model.safetensors",
          "model.safetensors.index.json",
          "pytorch_model.bin",
          "pytorch_model.bin.index.json");

  private FolderMutations() {}

  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    List<String> names = List.copyOf(folder.files.keySet());
    String name = pick(random, names);
    switch (random.nextInt(6)) {
      case 0 -> {
        folder.note("%s is missing", name);
        folder.files.remove(name);
        return Expected.REFUSED;
      }
      case 1 -> {
        String trap = pick(random, IndexMutations.TRAPS);
        folder.note("%s is a link to %s", name, trap);
        folder.link(name, trap);
        return Expected.REFUSED;
      }
      case 2 -> {
        String other = pick(random, names);
        folder.note("%s has the content of %s", name, other);
        folder.files.put(name, folder.files.get(other));
        return name.equals(other) ? Expected.SAME : Expected.REFUSED;
      }
      case 3 -> {
        folder.note("%s is empty", name);
        folder.files.put(name, new byte[0]);
        return Expected.REFUSED;
      }
      default -> {
        String own = folder.original().format().file();
        own = folder.original().shards() ? own + ".index.json" : own;
        String other = pick(random, LAYOUTS);
        if (other.equals(own)) {
          return Expected.SAME;
        }
        folder.note("%s is added", other);
        if (random.nextBoolean()) {
          folder.link(other, pick(random, IndexMutations.TRAPS));
        } else {
          folder.files.put(other, "x".repeat(100).getBytes(StandardCharsets.US_ASCII));
        }
        return LAYOUTS.indexOf(own) < LAYOUTS.indexOf(other) ? Expected.SAME : Expected.REFUSED;
      }
    }
  }
}
