package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.function.Function;

/** Damages the index of shards: the file names, and the tensors listed for them. */
final class IndexMutations {
  /** The names of the traps in each folder, see {@link HostileDisk}. */
  static final List<String> TRAPS =
      List.of("pipe", "loop", "broken", "zero", "directory", "link-to-pipe", "up");

  private final HostileFolder folder;
  private final SplittableRandom random;
  private final Map<String, Tensor> tensors;
  private final Map<String, String> shardOf = new LinkedHashMap<>();
  private final String suffix;

  private IndexMutations(HostileFolder folder, SplittableRandom random) {
    this.folder = folder;
    this.random = random;
    this.tensors = folder.original().tensors();
    this.suffix = folder.original().format().suffix();
    for (String tensor : tensors.keySet()) {
      shardOf.put(tensor, Original.SHARDS.get(shardOf.size() % Original.SHARDS.size()) + suffix);
    }
  }

  /** Damages the text of the index. */
  static Expected text(HostileFolder folder, SplittableRandom random) {
    JsonMutations.Mutated mutated =
        JsonMutations.mutate(folder.text(folder.index()), folder, random);
    folder.text(folder.index(), mutated.json());
    return mutated.expected();
  }

  /** Writes a valid index with other file names, or other shards. */
  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    IndexMutations mutations = new IndexMutations(folder, random);
    Expected expected = mutations.mutate();
    folder.files.put(folder.index(), Original.index(mutations.shardOf));
    return expected;
  }

  private Expected mutate() {
    String shard = pick(random, Original.SHARDS) + suffix;
    String tensor = pick(random, List.copyOf(shardOf.keySet()));
    switch (random.nextInt(10)) {
      case 0, 1, 2 -> {
        String name = pick(random, pathNames(shard));
        folder.note("the index maps %s to %s", shard, name);
        shardOf.replaceAll((t, s) -> s.equals(shard) ? name : s);
        return Expected.REFUSED;
      }
      case 3 -> {
        String name = pick(random, TRAPS);
        folder.note("the index maps %s to %s", random.nextBoolean() ? shard : tensor, name);
        shardOf.replaceAll((t, s) -> s.equals(shard) ? name : s);
        return Expected.REFUSED;
      }
      case 4 -> {
        // As in the cache of Hugging Face: a link may point out of the folder, a name must not.
        folder.note("%s is a link out of the folder", shard);
        folder.link(shard, "../" + shard);
        return Expected.SAME;
      }
      case 5 -> {
        String name =
            pick(
                random,
                List.of(
                    "a b" + suffix,
                    "-rf",
                    "%2e%2e%2f" + suffix,
                    "$(x)",
                    "x".repeat(255),
                    "~",
                    ".hidden",
                    "a:b",
                    "index.json.json",
                    "one.two",
                    "*",
                    "&#46;&#46;&#47;x"));
        folder.note("%s is renamed to %s", shard, name);
        folder.files.put(name, folder.files.remove(shard));
        shardOf.replaceAll((t, s) -> s.equals(shard) ? name : s);
        return Expected.SAME;
      }
      case 6 -> {
        folder.note("%s is in both shards", tensor);
        return written(
            t -> t.equals(tensor) ? Original.SHARDS : List.of(shard(t)), Expected.REFUSED);
      }
      case 7 -> {
        folder.note("tensors distributed to random shards");
        List<String> names =
            new ArrayList<>(List.of("a", "b", "c", "d", "e")).subList(0, 1 + random.nextInt(5));
        shardOf.replaceAll((t, s) -> pick(random, names) + suffix);
        return written(t -> List.of(shard(t)), Expected.SAME);
      }
      case 8 -> {
        String wrong = shardOf.get(tensor).equals(shard) ? "" : shard;
        folder.note("%s is listed in %s", tensor, wrong.isEmpty() ? "no shard" : wrong);
        if (wrong.isEmpty()) {
          shardOf.remove(tensor);
        } else {
          shardOf.put(tensor, wrong);
        }
        return Expected.REFUSED;
      }
      default -> {
        return withExtraEntries(shard);
      }
    }
  }

  private String shard(String tensor) {
    String name = shardOf.get(tensor);
    return name.substring(0, name.length() - suffix.length());
  }

  private Expected written(Function<String, List<String>> shardsOf, Expected expected) {
    Original.SHARDS.forEach(shard -> folder.files.remove(shard + suffix));
    Map<String, Map<String, Tensor>> parts = new LinkedHashMap<>();
    tensors.forEach(
        (name, tensor) ->
            shardsOf
                .apply(name)
                .forEach(
                    s -> parts.computeIfAbsent(s, x -> new LinkedHashMap<>()).put(name, tensor)));
    parts.forEach(
        (name, part) -> folder.files.put(name + suffix, folder.original().format().bytes(part)));
    return expected;
  }

  /** Lists more tensors or shards than the folder has. */
  private Expected withExtraEntries(String shard) {
    int count = 1 + random.nextInt(1 << random.nextInt(14));
    boolean shards = random.nextBoolean();
    folder.note("%d more %s listed", count, shards ? "shards" : "tensors");
    for (int i = 0; i < count; i++) {
      shardOf.put("t" + i, shards ? "x" + i : shard);
    }
    return Expected.REFUSED;
  }

  /**
   * Returns names that are not plain file names. Many of them point to a valid copy of the shard.
   */
  private List<String> pathNames(String shard) {
    HostileFolder.Canaries canaries = folder.canaries();
    String above = canaries.above().toString();
    String inside = canaries.inside();
    return List.of(
        "../" + shard,
        "..//" + shard,
        "./../" + shard,
        inside + "/../../" + shard,
        "../" + canaries.above().getFileName() + "/" + shard,
        "../../" + canaries.above().getFileName() + "/" + shard,
        above + "/" + shard,
        "/" + above + "/" + shard,
        "file:" + above + "/" + shard,
        "file://" + above + "/" + shard,
        "up/" + shard,
        "./" + shard,
        inside + "/" + shard,
        inside + "/../" + shard,
        inside + "\\" + shard,
        "..\\" + shard,
        ".\\" + shard,
        "C:\\" + shard,
        "\\\\host\\share\\" + shard,
        shard + "/",
        shard + "/.",
        shard + "\u0000",
        shard + "\u0000.x",
        "\u0000../" + shard,
        shard + "\n",
        shard + " ",
        " " + shard,
        "..\u2215" + shard,
        "\u2025\u2215" + shard,
        "\uff0e\uff0e\uff0f" + shard,
        "%2e%2e%2f" + shard,
        "..%2f" + shard,
        "~/" + shard,
        "/dev/zero",
        "/dev/stdin",
        "/proc/self/mem",
        "/etc/passwd",
        "../pipe",
        ".",
        "..",
        "...",
        "",
        "/",
        "missing" + shard,
        "x".repeat(256),
        "\u00fc".repeat(255),
        "\ue000".repeat(200),
        "\ud800",
        HostileValues.text(random));
  }
}
