package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;
import static io.mambaspark.engine.fuzz.PickleOps.bytes;
import static io.mambaspark.engine.fuzz.PickleOps.encoded;
import static io.mambaspark.engine.fuzz.PickleOps.joined;
import static io.mambaspark.engine.fuzz.PickleOps.number;
import static io.mambaspark.engine.fuzz.PickleOps.ops;
import static io.mambaspark.engine.fuzz.PickleOps.repeated;
import static io.mambaspark.engine.fuzz.PickleOps.shown;
import static io.mambaspark.engine.fuzz.PickleOps.text;

import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.SplittableRandom;
import java.util.stream.IntStream;

/** Damages a pickle opcode by opcode, and writes it into a valid archive. */
final class PickleMutations {
  /** The maximum number of steps of a reader. A pickle with more steps is refused. */
  private static final int STEPS = 1_000_000;

  private static final String NUMBERS = "KMJ\u008a";
  private static final String TEXTS = "X\u008c\u008d";

  /** Complete pickles that do not map names to tensors, and one that is too long. */
  private static final List<String> OTHERS =
      List.of(
          "",
          ".",
          "\u0080\2N.",
          "\u0080\2].",
          "\u0080\2}.",
          "\u0080\2).",
          "\u0080\2K\1.",
          "\u0080\2}K\1Ns.",
          "\u0080\2}X\1\0\0\0xNs.",
          "\u0080\2}X\1\0\0\0x}s.",
          "\u0080\2}X\1\0\0\0x]s.",
          "\u0080\2}X\1\0\0\0xK\1s.",
          "\u0080\2}q\0X\1\0\0\0xh\0s.",
          "\u0080\2ctorch\nFloatStorage\n.",
          "\u0080\2ctorch._utils\n_rebuild_tensor_v2\n)R.",
          "\u0080\2ctorch._utils\n_rebuild_parameter\n(NNNtR.",
          "\u0080\2ctorch._utils\n_rebuild_parameter_with_state\n(NNNNtR.",
          "\u0080\2" + "N".repeat(16 << 20));

  private static final List<String> GLOBALS =
      List.of(
          "cos\nsystem\n",
          "cposix\nsystem\n",
          "c__builtin__\neval\n",
          "cbuiltins\nexec\n",
          "csubprocess\nPopen\n",
          "ctorch._utils\n_rebuild_tensor_v2\n",
          "ctorch._utils\n_rebuild_parameter\n",
          "ctorch._utils\n_rebuild_parameter_with_state\n",
          "ccollections\nOrderedDict\n",
          "ctorch\nFloatStorage\n",
          "ctorch\nHalfStorage\n",
          "ctorch\nDoubleStorage\n",
          "ctorch.\nFloatStorage\n",
          "c\n\n",
          "ctorch.storage\nUntypedStorage\n",
          "c" + "x".repeat(100_000) + "\ny\n",
          "c\u202e\n\ue000\n");

  private final List<byte[]> ops;
  private final HostileFolder folder;
  private final SplittableRandom random;

  private PickleMutations(byte[] pickle, HostileFolder folder, SplittableRandom random) {
    this.ops = ops(pickle);
    this.folder = folder;
    this.random = random;
  }

  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    String file = pick(random, folder.weights());
    ZipArchive archive = new ZipArchive(folder.files.get(file));
    folder.note("pickle of %s", file);
    PickleMutations mutations = new PickleMutations(archive.pickle().bytes(), folder, random);
    Expected expected = mutations.mutate();
    byte[] pickle = joined(mutations.ops);
    switch (random.nextInt(20)) {
      case 0 -> {
        pickle = Arrays.copyOf(pickle, random.nextInt(pickle.length));
        folder.note("truncated at %d", pickle.length);
        expected = Expected.REFUSED;
      }
      case 1 -> {
        pickle = Arrays.copyOf(pickle, pickle.length + 1 + random.nextInt(1 << random.nextInt(12)));
        folder.note("with zeros after it up to %d", pickle.length);
        expected = Expected.REFUSED;
      }
      case 2, 3 -> {
        pickle = BlindMutations.edited("pickle", pickle, folder, random);
        expected = Expected.EITHER;
      }
      case 4 -> {
        pickle = bytes(pick(random, OTHERS));
        folder.note("another pickle: %s", shown(pickle));
        expected = Expected.REFUSED;
      }
      default -> {}
    }
    folder.files.put(file, archive.with(pickle, random.nextInt(8) == 0));
    return expected;
  }

  private Expected mutate() {
    int at = 1 + random.nextInt(ops.size() - 1);
    switch (random.nextInt(14)) {
      case 0 -> {
        folder.note("opcode %d, %s, is removed", at, shown(ops.remove(at)));
        return Expected.EITHER;
      }
      case 1 -> {
        folder.note("opcode %d, %s, twice", at, shown(ops.get(at)));
        ops.add(at, ops.get(at));
        return Expected.EITHER;
      }
      case 2 -> {
        int other = random.nextBoolean() ? at - 1 : random.nextInt(ops.size());
        folder.note("opcodes %d and %d are exchanged", at, other);
        Collections.swap(ops, at, other);
        return Expected.EITHER;
      }
      case 3, 4 -> {
        byte[] hostile = hostile();
        folder.note("%s before opcode %d", shown(hostile), at);
        ops.add(at, hostile);
        return Expected.REFUSED;
      }
      case 5 -> {
        byte[] odd = odd();
        folder.note("%s before opcode %d", shown(odd), at);
        ops.add(at, odd);
        return Expected.EITHER;
      }
      case 6, 7 -> {
        int number = pick(random, places(NUMBERS));
        long right = number(ops.get(number));
        long wrong = HostileValues.number(random, right);
        folder.note("number %d of opcode %d becomes %d", right, number, wrong);
        ops.set(number, encoded(wrong, random));
        return right == wrong ? Expected.SAME : Expected.EITHER;
      }
      case 8 -> {
        int text = pick(random, places(TEXTS));
        String by =
            random.nextBoolean()
                ? text(ops.get(pick(random, places(TEXTS))))
                : HostileValues.text(random);
        folder.note("text %s of opcode %d becomes %s", shown(ops.get(text)), text, by);
        ops.set(text, encoded(by, random));
        return Expected.EITHER;
      }
      case 9 -> {
        int text = pick(random, places(TEXTS));
        byte[] changed = ops.get(text).clone();
        long length = HostileValues.number(random, changed[1]);
        folder.note("text of opcode %d, %s, has length %d", text, shown(changed), length);
        if (changed[0] == 'X') {
          ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN).putInt(1, (int) length);
        } else {
          changed[1] = (byte) length;
        }
        ops.set(text, changed);
        return Expected.EITHER;
      }
      case 10 -> {
        int place = pick(random, places("c"));
        byte[] global = pick(random, GLOBALS).getBytes(StandardCharsets.UTF_8);
        folder.note("global of opcode %d becomes %s", place, shown(global));
        ops.set(place, global);
        return Expected.EITHER;
      }
      case 11 -> {
        folder.note("numbers and texts in other opcodes");
        places(NUMBERS).forEach(i -> ops.set(i, encoded(number(ops.get(i)), random)));
        places(TEXTS).forEach(i -> ops.set(i, encoded(text(ops.get(i)), random)));
        ops.set(0, bytes(0x80, 2 + random.nextInt(4)));
        return Expected.SAME;
      }
      case 12 -> {
        return padded(at);
      }
      default -> {
        return nested(at);
      }
    }
  }

  /** Returns opcodes that a valid pickle of tensors never contains. */
  private byte[] hostile() {
    String touch = "touch " + folder.canaries().above().resolve("executed");
    return switch (random.nextInt(12)) {
      case 0 -> new Pickler().global("os", "system").op('(').text(touch).op('t', 'R').bytes();
      case 1 -> new Pickler().text("os").text("system").op(0x93).text(touch).op(0x85, 'R').bytes();
      case 2 -> bytes("(S'" + touch + "'\nios\nsystem\n");
      case 3 -> {
        List<Integer> unknown =
            List.of(
                (int) 'i', (int) 'o', 0x81, 0x92, 0x82, 0x83, 0x84, (int) 'P', (int) 'I', (int) 'S',
                (int) 'V', (int) 'L', (int) 'F', (int) 'B', (int) 'C', 0x8b, 0x8e, 0x8f, 0x90, 0x91,
                0x96, 0x97, 0x98, 0, 0xff, (int) '1', (int) '2', (int) 'd', (int) 'l', (int) 'p');
        yield bytes(pick(random, unknown), 0xff, 0xff, 0xff, 0x7f);
      }
      case 4 -> bytes('X', 0xff, 0xff, 0xff, random.nextBoolean() ? 0xff : 0x7f);
      case 5 -> bytes(0x8d, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, random.nextInt(256));
      case 6 -> bytes(0x8a, 9 + random.nextInt(247), 0, 0, 0, 0);
      case 7 -> bytes(pick(random, List.of((int) 'r', (int) 'j')), 0xff, 0xff, 0xff, 0xff);
      case 8 -> repeated(10_001, pick(random, List.of("(", "N", "]", "}", ")", "K\0")));
      case 9 -> bytes('.');
      case 10 -> bytes('X', 2, 0, 0, 0, 0xc0, 0xaf);
      default -> bytes(0x80, 6 + random.nextInt(250));
    };
  }

  /** Returns opcodes that a pickle may contain, but rarely at this position. */
  private byte[] odd() {
    return pick(
        random,
        List.of(
            bytes("N"),
            bytes("0"),
            bytes("("),
            bytes("t"),
            bytes("R"),
            bytes("Q"),
            bytes("b"),
            bytes("s"),
            bytes("u"),
            bytes("a"),
            bytes("e"),
            bytes(0x85),
            bytes(0x87),
            bytes(0x93),
            bytes('h', random.nextInt(256)),
            bytes("j\0\0\0\0"),
            bytes("q\0"),
            // A list and a dict that contain themselves, and a dict that is its own key.
            bytes("]q\u00feh\u00fea0"),
            bytes("}q\u00feX\1\0\0\0xh\u00fes0"),
            bytes("}q\u00feh\u00feNs0"),
            bytes("}q\u00feh\u00feb0"),
            bytes("}X\u0009\0\0\0_metadataNsb"),
            bytes("}X\u0009\0\0\0__class__Nsb"),
            bytes("ccollections\nOrderedDict\n]\u0085R0"),
            bytes("ccollections\nOrderedDict\n)R0"),
            bytes("G\u007f\u00f8\0\0\0\0\0\0000")));
  }

  /** Adds steps that change nothing: at most as many as a reader accepts, or more. */
  private Expected padded(int at) {
    String step =
        pick(
            random,
            List.of(
                "N0",
                "]0",
                "}0",
                ")\u00850",
                "(NNt0",
                "K\0000",
                "X\0\0\0\0000",
                "}\u00940",
                "ccollections\nOrderedDict\n)R0",
                "\u008c\3abc0",
                "](NNNe0"));
    int opcodes = ops(bytes(step)).size();
    boolean tooMany = random.nextInt(8) == 0;
    int count =
        tooMany ? STEPS / opcodes + 1 : random.nextInt(1 << random.nextInt(17)) * 2 / opcodes;
    folder.note("%d times %s before opcode %d", count, shown(bytes(step)), at);
    ops.add(at, repeated(count, step));
    return tooMany ? Expected.REFUSED : Expected.SAME;
  }

  /** Adds nested values, deeper than any call stack. */
  private Expected nested(int at) {
    int depth = random.nextInt(1 << random.nextInt(17));
    String value = random.nextBoolean() ? ")" : "]";
    byte[] tuples = joined(List.of(bytes(value), repeated(depth, "\u0085")));
    List<String> uses =
        List.of("0", "", "q\u00fe0", "}h\0h\0s0", "R", "Q", "b", "]0", "\u00850", "a", "Ns");
    String use = pick(random, uses);
    folder.note("%d nested tuples, then %s before opcode %d", depth, use, at);
    ops.add(at, joined(List.of(tuples, bytes(use))));
    return use.equals("0") || use.equals("\u00850") ? Expected.SAME : Expected.EITHER;
  }

  private List<Integer> places(String opcodes) {
    return IntStream.range(0, ops.size())
        .filter(i -> opcodes.indexOf(ops.get(i)[0] & 0xff) >= 0)
        .boxed()
        .toList();
  }
}
