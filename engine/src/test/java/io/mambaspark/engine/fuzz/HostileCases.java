package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.fuzz.Original.Format;
import java.util.ArrayList;
import java.util.List;
import java.util.SplittableRandom;

/** The cases of a seed. Each case depends only on the seed and the case's number. */
final class HostileCases {
  /** Changes a folder and returns the required result of reading it. */
  @FunctionalInterface
  private interface Mutation {
    Expected mutate(HostileFolder folder, SplittableRandom random);
  }

  private final long seed;
  private final List<Original> originals;

  HostileCases(long seed, List<Original> originals) {
    this.seed = seed;
    this.originals = originals;
  }

  record Case(long number, HostileFolder folder, Expected expected) {
    @Override
    public String toString() {
      return number + ", expected " + expected + ": " + folder;
    }
  }

  /** Returns the undamaged checkpoint of a case. */
  Original original(long number) {
    return originals.get((int) (number % originals.size()));
  }

  Case make(long number, HostileFolder.Canaries canaries) {
    SplittableRandom random = new SplittableRandom(seed + number);
    Original original = original(number);
    HostileFolder folder = new HostileFolder(original, canaries);
    Expected expected = Expected.SAME;
    for (Mutation mutation : mutations(original, random)) {
      Expected now = mutation.mutate(folder, random);
      expected = expected == Expected.SAME ? now : expected.and(now);
    }
    return new Case(number, folder, expected);
  }

  /**
   * Returns mostly one mutation, so that the required result is known. If there are several, the
   * ones that write valid files precede the ones that damage files, because damaged files cannot be
   * parsed.
   */
  private static List<Mutation> mutations(Original original, SplittableRandom random) {
    List<Mutation> writing = writing(original, random);
    List<Mutation> damaging = damaging(original);
    int plan = random.nextInt(20);
    List<Mutation> chosen = new ArrayList<>();
    if ((plan < 7 || plan == 15 || plan == 16) && !writing.isEmpty()) {
      chosen.add(pick(random, writing));
    }
    if (plan < 18 && (plan >= 7 || chosen.isEmpty())) {
      chosen.add(pick(random, damaging));
    }
    if (plan == 17 || plan == 18) {
      chosen.add(BlindMutations::mutate);
    }
    if (plan == 19) {
      chosen.add(FolderMutations::mutate);
    }
    return chosen;
  }

  private static List<Mutation> writing(Original original, SplittableRandom random) {
    List<Mutation> mutations = new ArrayList<>();
    if (original.tensors() != null) {
      mutations.add(TensorMutations::mutate);
      if (original.shards()) {
        mutations.add(IndexMutations::mutate);
        mutations.add(IndexMutations::mutate);
      }
      if (original.format() == Format.PYTORCH) {
        mutations.add(TorchMutations::wrongTensor);
        mutations.add(TorchMutations::strided);
        // The result is large and slow to read, so create it rarely.
        boolean bomb = random.nextInt(4) == 0;
        mutations.add(bomb ? TorchMutations::bomb : TorchMutations::wrongTensor);
      }
    }
    return mutations;
  }

  private static List<Mutation> damaging(Original original) {
    List<Mutation> mutations = new ArrayList<>();
    mutations.add(ConfigMutations::mutate);
    if (original.shards()) {
      mutations.add(IndexMutations::text);
    }
    if (original.format() == Format.SAFETENSORS) {
      mutations.add(SafetensorsMutations::mutate);
      mutations.add(SafetensorsMutations::mutate);
    } else {
      mutations.add(PickleMutations::mutate);
      mutations.add(ZipMutations::mutate);
    }
    return mutations;
  }
}
