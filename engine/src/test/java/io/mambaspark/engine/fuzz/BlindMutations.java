package io.mambaspark.engine.fuzz;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;

/** Damages bytes without regard to their meaning. */
final class BlindMutations {
  private static final int MAX_EDITS = 4;

  private BlindMutations() {}

  /** Applies a few edits to one of the folder's files. */
  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    List<String> names = new ArrayList<>(folder.files.keySet());
    if (names.isEmpty()) {
      return Expected.EITHER;
    }
    String name = HostileValues.pick(random, names);
    byte[] bytes = folder.files.get(name);
    for (int n = 1 + random.nextInt(MAX_EDITS); n > 0 && bytes.length > 0; n--) {
      bytes = edited(name, bytes, folder, random);
    }
    folder.files.put(name, bytes);
    return Expected.EITHER;
  }

  /** Returns a copy of {@code bytes} with one edit, and notes the edit. */
  static byte[] edited(String name, byte[] bytes, HostileFolder folder, SplittableRandom random) {
    int at = place(bytes.length, random);
    int length = Math.min(1 + random.nextInt(1 << random.nextInt(10)), bytes.length - at);
    byte[] edited = bytes.clone();
    switch (random.nextInt(8)) {
      case 0, 1 -> {
        edited[at] ^= (byte) (1 << random.nextInt(8));
        folder.note("%s: one bit of byte %d is flipped", name, at);
      }
      case 2 -> {
        edited[at] = (byte) random.nextInt(256);
        folder.note("%s: byte %d becomes %d", name, at, edited[at]);
      }
      case 3 -> {
        byte fill = (byte) (random.nextBoolean() ? 0 : 0xff);
        Arrays.fill(edited, at, at + length, fill);
        folder.note("%s: %d bytes from %d become %d", name, length, at, fill);
      }
      case 4 -> {
        edited = splice(bytes, at, length, new byte[0]);
        folder.note("%s: %d bytes at %d are removed", name, length, at);
      }
      case 5 -> {
        int from = random.nextInt(bytes.length - length + 1);
        edited = splice(bytes, at, 0, Arrays.copyOfRange(bytes, from, from + length));
        folder.note("%s: %d bytes from %d are inserted at %d", name, length, from, at);
      }
      case 6 -> {
        int from = random.nextInt(bytes.length - length + 1);
        System.arraycopy(bytes, from, edited, at, length);
        folder.note("%s: %d bytes from %d overwrite those at %d", name, length, from, at);
      }
      default -> {
        edited = Arrays.copyOf(bytes, at);
        folder.note("%s: truncated at %d", name, at);
      }
    }
    return edited;
  }

  /** Replaces {@code length} bytes at {@code at} by {@code by}. */
  static byte[] splice(byte[] bytes, int at, int length, byte[] by) {
    byte[] spliced = Arrays.copyOf(bytes, bytes.length - length + by.length);
    System.arraycopy(by, 0, spliced, at, by.length);
    System.arraycopy(bytes, at + length, spliced, at + by.length, bytes.length - at - length);
    return spliced;
  }

  /** Chooses an offset, mostly near an end of the file, where its structure is. */
  private static int place(int length, SplittableRandom random) {
    int near = Math.min(length, 1 << 1 + random.nextInt(12));
    return switch (random.nextInt(5)) {
      case 0, 1 -> random.nextInt(near);
      case 2, 3 -> length - 1 - random.nextInt(near);
      default -> random.nextInt(length);
    };
  }
}
