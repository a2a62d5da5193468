package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.junit.jupiter.params.provider.Arguments.arguments;

import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.List;
import java.util.function.Consumer;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.zip.ZipFile;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.Arguments;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

class PyTorchFileTest {
  private static final byte[] SIX_FLOATS =
      ByteBuffer.allocate(24)
          .order(ByteOrder.LITTLE_ENDIAN)
          .putFloat(1)
          .putFloat(2)
          .putFloat(3)
          .putFloat(4)
          .putFloat(5)
          .putFloat(6)
          .array();

  @TempDir Path folder;
  Path file;

  @BeforeEach
  void config() throws IOException {
    Files.writeString(folder.resolve("config.json"), "{}");
    file = folder.resolve("pytorch_model.bin");
  }

  @ParameterizedTest
  @ValueSource(booleans = {false, true})
  void viewsOfOneStorageAreRead(boolean zip64) throws IOException {
    Pickler pickler = Pickler.protocol2().global("collections", "OrderedDict").op(')', 'R', '(');
    pickler.text("whole").tensor("FloatStorage", "0", 6, 0, longs(2, 3), longs(3, 1));
    // torch may write any stride for a dimension of size 1.
    pickler.text("tail").tensor("FloatStorage", "0", 6, 4, longs(2, 1), longs(1, 77));
    pickler.text("halves").tensor("BFloat16Storage", "0", 12, 1, longs(1), longs(1));
    pickler.text("scalar").tensor("FloatStorage", "0", 6, 2, longs(), longs());
    pickler.text("none").tensor("FloatStorage", "0", 6, 6, longs(0), longs(1));
    pickler.text("parameter").global("torch._utils", "_rebuild_parameter").op('(');
    pickler.tensor("FloatStorage", "0", 6, 0, longs(1), longs(1)).op(0x88);
    pickler.global("collections", "OrderedDict").op(')', 'R', 't', 'R', 'u');
    pickler.op('}').text("_metadata").global("collections", "OrderedDict").op(')', 'R');
    pickler.text("").op('}').text("version").op('K', 1, 's', 's', 's', 'b');
    TorchWriter writer = zip64 ? new TorchWriter().zip64() : new TorchWriter();
    writer
        .entry("archive/data.pkl", pickler.end())
        .entry("archive/byteorder", "little".getBytes(StandardCharsets.UTF_8))
        .entry("archive/data/0", SIX_FLOATS)
        .entry("archive/version", new byte[] {'3', '\n'})
        .write(file);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().keySet())
          .containsExactly("halves", "none", "parameter", "scalar", "tail", "whole");
      assertThat(values(checkpoint, "whole")).containsExactly(1, 2, 3, 4, 5, 6);
      assertThat(checkpoint.tensors().get("whole").shape()).containsExactly(2, 3);
      assertThat(values(checkpoint, "tail")).containsExactly(5, 6);
      assertThat(values(checkpoint, "halves")).containsExactly(1);
      assertThat(values(checkpoint, "scalar")).containsExactly(3);
      assertThat(values(checkpoint, "none")).isEmpty();
      assertThat(values(checkpoint, "parameter")).containsExactly(1);
      assertThat(checkpoint.tensors().get("halves").dtype()).isEqualTo(DType.BF16);
    }
  }

  @Test
  void stridedTensorsAreRead() throws IOException {
    Pickler pickler = Pickler.protocol2().op('}', '(');
    pickler.text("transposed").tensor("FloatStorage", "0", 6, 0, longs(3, 2), longs(1, 3));
    pickler.text("column").tensor("FloatStorage", "0", 6, 1, longs(2), longs(3));
    pickler.text("expanded").tensor("FloatStorage", "0", 6, 4, longs(2, 2), longs(0, 1));
    pickler.text("overlapping").tensor("FloatStorage", "0", 6, 0, longs(2, 2), longs(1, 1));
    pickler.text("one").tensor("FloatStorage", "0", 6, 5, longs(1, 1), longs(-7, 1L << 62));
    pickler.text("none").tensor("FloatStorage", "0", 6, 6, longs(0, 2), longs(-7, 1L << 62));
    byte[] pickle = pickler.op('u').end();
    new TorchWriter().entry("m/data.pkl", pickle).entry("m/data/0", SIX_FLOATS).write(file);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(values(checkpoint, "transposed")).containsExactly(1, 4, 2, 5, 3, 6);
      assertThat(values(checkpoint, "column")).containsExactly(2, 5);
      assertThat(values(checkpoint, "expanded")).containsExactly(5, 6, 5, 6);
      assertThat(values(checkpoint, "overlapping")).containsExactly(1, 2, 2, 3);
      assertThat(values(checkpoint, "one")).containsExactly(6);
      assertThat(values(checkpoint, "none")).isEmpty();
    }
  }

  @Test
  void aParameterWithPythonAttributesIsReadAsItsTensor() throws IOException {
    Pickler pickler = Pickler.protocol2().op('}');
    for (String name : List.of("dict", "none", "slots")) {
      pickler.text(name).global("torch._utils", "_rebuild_parameter_with_state").op('(');
      small(pickler).op(0x88).global("collections", "OrderedDict").op(')', 'R');
      switch (name) {
        case "dict" -> pickler.op('}').text("_no_weight_decay").op(0x88, 's');
        case "none" -> pickler.op('N');
        default -> pickler.op('}', '}', 0x86);
      }
      pickler.op('t', 'R', 's');
    }
    byte[] pickle = pickler.end();
    new TorchWriter().entry("m/data.pkl", pickle).entry("m/data/0", SIX_FLOATS).write(file);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      assertThat(checkpoint.tensors().keySet()).containsExactly("dict", "none", "slots");
      assertThat(values(checkpoint, "dict")).containsExactly(1, 2);
    }
  }

  @Test
  void aPickleOfProtocol4IsRead() throws IOException {
    Pickler pickler = new Pickler().op(0x80, 4, 0x95, 0, 0, 0, 0, 0, 0, 0, 0, '}', 0x94);
    pickler.op(0x8c, 1, 't', 0x94).op(0x8c, 12).op(ascii("torch._utils"));
    pickler.op(0x8c, 18).op(ascii("_rebuild_tensor_v2")).op(0x93, '(');
    pickler.storage("HalfStorage", "0", 12).integer(1).integers(1).integers(1).op(0x89, 'N', 't');
    TorchWriter writer = new TorchWriter().entry("m/data.pkl", pickler.op('R', 's').end());
    writer.entry("m/data/0", SIX_FLOATS).write(file);

    try (Checkpoint checkpoint = Checkpoint.open(folder)) {
      // The upper half of 1f, read as a binary16.
      assertThat(values(checkpoint, "t")).containsExactly(1.875f);
    }
  }

  @Test
  void theArchivesOfTheseTestsAreZipArchives() throws IOException {
    for (TorchWriter writer : new TorchWriter[] {new TorchWriter(), new TorchWriter().zip64()}) {
      writer.entry("a/data.pkl", new byte[] {1, 2}).entry("a/data/0", SIX_FLOATS).write(file);
      try (ZipFile zip = new ZipFile(file.toFile())) {
        assertThat(zip.getInputStream(zip.getEntry("a/data/0")).readAllBytes())
            .isEqualTo(SIX_FLOATS);
      }
    }
  }

  static Stream<Arguments> pickles() {
    String p = "Cannot read data.pkl of pytorch_model.bin: ";
    String t = "Cannot load tensor t from pytorch_model.bin: ";
    byte[] small = Pickler.small("t");
    return Stream.of(
        arguments(
            "a call of os.system",
            pickle(x -> x.global("os", "system").op('(').text("touch /tmp/pwned").op('t', 'R')),
            p
                + "it refers to os.system; only plain float tensors are read, and nothing was executed"),
        arguments(
            "a call of os.system, protocol 4",
            pickle(x -> x.op(0x8c, 2, 'o', 's', 0x8c, 6).op(ascii("system")).op(0x93)),
            p + "it refers to os.system; only plain"),
        arguments(
            "a global whose name breaks the line",
            pickle(x -> x.op(0x8c, 3, 'o', '\n', 's', 0x8c, 1, 'x', 0x93)),
            p + "it refers to o\\u000as.x; only plain"),
        arguments(
            "a global whose name is a number",
            pickle(x -> x.op('K', 1, 'K', 2, 0x93)),
            p + "a global's name is not a string"),
        arguments(
            "an append to a dict", pickle(x -> x.op('}', 'N', 'a')), p + "it appends to a dict"),
        arguments(
            "items of a list",
            pickle(x -> x.op(']', 'N', 'N', 's')),
            p + "it sets items of a sequence"),
        arguments(
            "a shape that is not a tuple",
            pickle(
                x ->
                    x.global("torch._utils", "_rebuild_tensor_v2")
                        .op('(')
                        .storage("FloatStorage", "0", 6)
                        .integer(0)
                        .op('N', ')', 0x89, 'N', 't', 'R')),
            p + "expected a shape or stride, found None"),
        arguments(
            "a shape of other things than integers",
            pickle(
                x ->
                    x.global("torch._utils", "_rebuild_tensor_v2")
                        .op('(')
                        .storage("FloatStorage", "0", 6)
                        .integer(0)
                        .op('N', 0x85, ')', 0x89, 'N', 't', 'R')),
            p + "expected the integers of a shape or stride, found None"),
        arguments(
            "an untyped storage",
            pickle(x -> x.global("torch.storage", "UntypedStorage")),
            p + "it refers to torch.storage.UntypedStorage; only plain"),
        arguments(
            "an opcode that makes objects",
            pickle(x -> x.global("collections", "OrderedDict").op(')', 0x81)),
            p + "opcode 0x81 at byte 28 does not describe tensors; nothing was executed"),
        arguments(
            "an opcode that does not exist",
            pickle(x -> x.op(0xff)),
            p + "opcode 0xff at byte 2 does not"),
        arguments(
            "the old call opcode",
            pickle(x -> x.op('(', 'i').op(ascii("os\nsystem\n"))),
            p + "opcode 0x69 at byte 3 does not"),
        arguments(
            "a call of something that is not a function",
            pickle(x -> x.text("f").op(')', 'R')),
            p + "it calls the string f; nothing was executed"),
        arguments(
            "a call of a storage type",
            pickle(x -> x.global("torch", "FloatStorage").op(')', 'R')),
            p + "it calls a class or function; nothing was executed"),
        arguments(
            "an OrderedDict of arguments",
            pickle(x -> x.global("collections", "OrderedDict").op(']', 0x85, 'R')),
            p + "the arguments of ORDERED_DICT are not what torch writes"),
        arguments(
            "a tensor without arguments",
            pickle(x -> x.global("torch._utils", "_rebuild_tensor_v2").op(')', 'R')),
            p + "the arguments of REBUILD_TENSOR are not what torch writes"),
        arguments(
            "state of a tensor",
            pickle(x -> small(x).op('}').text("_metadata").op('N', 's', 'b')),
            p + "it sets attributes of a tensor other than _metadata"),
        arguments(
            "state of a dict",
            pickle(x -> x.op('}', '}').text("__class__").op('N', 's', 'b')),
            p + "it sets attributes of a dict other than _metadata"),
        arguments(
            "a persistent id of another kind",
            pickle(x -> x.text("storage").op('Q')),
            p + "a persistent id does not describe a storage"),
        arguments(
            "a memo index of four billion",
            pickle(x -> x.op('}', 'r', 0xff, 0xff, 0xff, 0xff)),
            p + "memo index 4294967295 is not below 1000000"),
        arguments(
            "a memo index that is not set",
            pickle(x -> x.op('h', 9)),
            p + "memo index 9 is not set"),
        arguments("an empty stack", pickle(x -> x.op('R')), p + "its stack is empty at byte 3"),
        arguments(
            "a value below the mark",
            pickle(x -> x.op('N', '(', 0x85)),
            p + "its stack is empty at"),
        arguments("no mark", pickle(x -> x.op('t')), p + "its stack has no mark at byte 3"),
        arguments("only its end", pickle(x -> x), p + "its stack is empty at byte 3"),
        arguments("two values", pickle(x -> x.op('}', '}')), p + "found data after its end"),
        arguments(
            "bytes after its end",
            Arrays.copyOf(small, small.length + 1),
            p + "found data after its end"),
        arguments(
            "a truncated pickle",
            Arrays.copyOf(small, small.length - 1),
            p
                + "it is truncated: expected 1 bytes at byte %d, found 0"
                    .formatted(small.length - 1)),
        arguments(
            "a string longer than the pickle",
            pickle(x -> x.op('X', 0xff, 0xff, 0xff, 0xff)),
            p + "it is truncated: expected 4294967295 bytes at byte 7, found 1"),
        arguments(
            "a string of 2^63 bytes",
            pickle(x -> x.op(0x8d, 0, 0, 0, 0, 0, 0, 0, 0x80)),
            p + "it is truncated: expected 9223372036854775808 bytes"),
        arguments(
            "a string that is not UTF-8",
            pickle(x -> x.op('X', 1, 0, 0, 0, 0xc3)),
            p + "the string before byte 8 is not UTF-8"),
        arguments(
            "a global without an end",
            pickle(x -> x.global("x".repeat(1000), "y")),
            p + "a global's name is longer than 200 bytes"),
        arguments(
            "a huge integer",
            pickle(x -> x.op(0x8a, 255)),
            p + "found an integer of 255 bytes, expected at most 8"),
        arguments(
            "an endless stack",
            pickle(x -> repeat(x, 10_001, 'N')),
            p + "its stack holds more than 10000 values"),
        arguments(
            "endless marks",
            pickle(x -> repeat(x, 10_001, '(')),
            p + "its stack holds more than 10000 values"),
        arguments(
            "endless opcodes",
            pickle(x -> repeat(x, 500_001, 'N', '0')),
            p + "it has more than 1000000 opcodes"),
        arguments(
            "a dict that contains itself",
            pickle(x -> x.op('}', 'q', 0).text("t").op('h', 0, 's')),
            p
                + "expected a tensor under t, found a dict; it is a training checkpoint: save only"
                + " its state dict"),
        arguments(
            "a dict as a key of itself",
            pickle(x -> x.op('}', 'q', 0, 'h', 0, 'N', 's')),
            p + "a dict has a dict as a key"),
        arguments(
            "nested tuples as a key",
            pickle(x -> repeat(x.op('}', ')'), 100_000, 0x85).op('N', 's')),
            p + "a dict has a sequence as a key"),
        arguments(
            "a duplicate name",
            pickle(x -> small(small(x.op('}', '(').text("t")).text("t")).op('u')),
            p + "a dict has the key the string t twice"),
        arguments(
            "another protocol",
            new byte[] {(byte) 0x80, 6, '.'},
            p + "found protocol 6, expected 2 to 5"),
        arguments(
            "a list instead of a dict",
            pickle(x -> x.op(']')),
            p + "expected a dict of tensors by name, found a seq"),
        arguments(
            "a number among the tensors",
            pickle(x -> x.op('}').text("epoch").op('K', 7, 's')),
            p + "expected a tensor under epoch, found the value 7"),
        arguments(
            "a number as a name",
            pickle(x -> small(x.op('}', 'K', 7)).op('s')),
            p + "expected the names of tensors, found the value 7"),
        arguments(
            "an expanded tensor larger than the file",
            one("FloatStorage", "0", 6, 0, longs(1000000, 2), longs(0, 1)),
            "Cannot read pytorch_model.bin: its tensors share storages and total 8000000 bytes"),
        arguments(
            "a missing stride",
            one("FloatStorage", "0", 6, 0, longs(3, 2), longs(1)),
            t + "found shape [3, 2] with strides [1], expected one stride per dimension"),
        arguments(
            "a negative stride",
            one("FloatStorage", "0", 6, 5, longs(3, 2), longs(-2, -1)),
            t + "shape [3, 2] with strides [-2, -1] from element 5 exceeds its storage of 6"),
        arguments(
            "a stride that is too large",
            one("FloatStorage", "0", 6, 0, longs(3, 2), longs(1, 4)),
            t
                + "shape [3, 2] with strides [1, 4] from element 0 exceeds its storage of 6 elements"),
        arguments(
            "a stride that overflows",
            one("FloatStorage", "0", 6, 0, longs(5, 2), longs(1L << 62, 1)),
            t + "shape [5, 2] with strides [4611686018427387904, 1] from element 0 exceeds"),
        arguments(
            "an element after the end of its storage",
            one("FloatStorage", "0", 6, 6, longs(1), longs(1)),
            t + "shape [1] with strides [1] from element 6 exceeds its storage"),
        arguments(
            "a state of a parameter that is not attributes",
            pickle(
                x ->
                    small(x.global("torch._utils", "_rebuild_parameter_with_state").op('('))
                        .op(0x88, '}', 'K', 1, 't', 'R')),
            p + "the arguments of REBUILD_PARAMETER_WITH_STATE are not what torch writes"),
        arguments(
            "a negative offset",
            one("FloatStorage", "0", 6, -1, longs(2), longs(1)),
            t + "shape [2] with strides [1] from element -1 exceeds its storage of 6"),
        arguments(
            "an offset that is too large",
            one("FloatStorage", "0", 6, 5, longs(2), longs(1)),
            t + "shape [2] with strides [1] from element 5 exceeds its storage of 6"),
        arguments(
            "a huge offset",
            one("FloatStorage", "0", 6, Long.MAX_VALUE, longs(2), longs(1)),
            t + "shape [2] with strides [1] from element 9223372036854775807 exceeds"),
        arguments(
            "a huge shape",
            one("FloatStorage", "0", 6, 0, longs(1L << 31), longs(1)),
            t + "found shape [2147483648], expected dimensions from 0 to 2147483647"),
        arguments(
            "a shape of too many dimensions",
            one("FloatStorage", "0", 6, 0, new long[17], new long[1]),
            p + "found a shape or stride of 17 numbers, expected at most 16"),
        arguments(
            "a storage of another size",
            one("FloatStorage", "0", 7, 0, longs(2), longs(1)),
            t + "expected 7 float32 elements in its storage, found 24 bytes"),
        arguments(
            "a storage whose size overflows",
            one("FloatStorage", "0", 6 + (1L << 62), 0, longs(2), longs(1)),
            t + "expected 4611686018427387910 float32 elements in its storage, found 24 bytes"),
        arguments(
            "a missing storage",
            one("FloatStorage", "1", 6, 0, longs(2), longs(1)),
            t + "its storage m/data/1 is missing"),
        arguments(
            "a path out of the archive",
            one("FloatStorage", "../../../../etc/passwd", 6, 0, longs(2), longs(1)),
            t + "its storage m/data/../../../../etc/passwd is missing"),
        arguments(
            "complex numbers",
            one("ComplexFloatStorage", "0", 3, 0, longs(2), longs(1)),
            t + "found dtype complex64, expected float32, float16, bfloat16 or float64"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("pickles")
  void aPickleOfMoreThanTensorsIsRefusedInOneLine(String what, byte[] pickle, String message)
      throws IOException {
    new TorchWriter().entry("m/data.pkl", pickle).entry("m/data/0", SIX_FLOATS).write(file);

    assertRefused(message);
  }

  @Test
  void twoTensorsMayShareAStorageButNotThree() throws IOException {
    int count = 1 << 12;
    for (int views = 2; views <= 3; views++) {
      Pickler pickler = Pickler.protocol2().op('}');
      for (int i = 0; i < views; i++) {
        pickler.text("t" + i);
        pickler.tensor("FloatStorage", "0", count, 0, longs(count), longs(1)).op('s');
      }
      TorchWriter writer = new TorchWriter().entry("m/data.pkl", pickler.end());
      byte[] bytes = writer.entry("m/data/0", new byte[4 * count]).bytes();
      Files.write(file, bytes);
      if (views == 2) {
        try (Checkpoint checkpoint = Checkpoint.open(folder)) {
          assertThat(checkpoint.tensors()).hasSize(2);
        }
      } else {
        assertRefused(
            "Cannot read pytorch_model.bin: its tensors share storages and total 49152 bytes,"
                + " expected at most twice the file's %d".formatted(bytes.length));
      }
    }
  }

  static Stream<Arguments> archives() {
    byte[] pickle = one("FloatStorage", "0", 6, 0, longs(2), longs(1));
    byte[] right =
        new TorchWriter().entry("m/data.pkl", pickle).entry("m/data/0", SIX_FLOATS).bytes();
    int end = right.length - 22;
    byte[] claimsMore =
        edited(right, b -> b.putShort(end + 8, (short) 3).putShort(end + 10, (short) 3));
    byte[] claimsFewer =
        edited(right, b -> b.putShort(end + 8, (short) 1).putShort(end + 10, (short) 1));
    byte[] farDirectory = edited(right, b -> b.putInt(end + 16, 0x7fffffff));
    // The second entry of the directory, after the entry m/data.pkl.
    int second = little(right).getInt(end + 16) + 46 + 10;
    byte[] wide =
        new TorchWriter().zip64().entry("m/data.pkl", pickle).entry("m/data/0", SIX_FLOATS).bytes();
    int end64 = wide.length - 22 - 20 - 56;
    String f = "Cannot read pytorch_model.bin: ";
    String e = "Cannot read entry m/data/0 of pytorch_model.bin: ";
    return Stream.of(
        arguments(
            "a file of torch before 1.6",
            new byte[] {(byte) 0x80, 2, (byte) 0x8a, 0x0a, 'l', (byte) 0xfc},
            f
                + "it is not a zip archive; if torch before 1.6 wrote it, load it with a newer"
                + " torch and save it again, or convert it to safetensors"),
        arguments("an empty file", new byte[0], f + "it is not a zip archive"),
        arguments(
            "a Git LFS pointer",
            "version https://git-lfs.github.com/spec/v1\n".getBytes(StandardCharsets.UTF_8),
            f + "it is a Git LFS pointer"),
        arguments(
            "a truncated archive",
            Arrays.copyOf(right, right.length - 1),
            f + "it is truncated: its zip directory is not at its end"),
        arguments(
            "a directory that claims more entries",
            claimsMore,
            f + "its zip directory is malformed at entry 3 of 3"),
        arguments(
            "a directory that claims fewer entries",
            claimsFewer,
            f + "its zip directory has 54 bytes after its last entry"),
        arguments(
            "one of several disks",
            edited(right, b -> b.putShort(end + 4, (short) 1)),
            f + "it is one part of a multi-part zip archive"),
        arguments(
            "an encrypted entry",
            edited(right, b -> b.putShort(second + 8, (short) 1)),
            e + "it is encrypted"),
        arguments(
            "an entry of two sizes",
            edited(right, b -> b.putInt(second + 20, 23)),
            e + "it is uncompressed, but has two sizes, 23 and 24"),
        arguments(
            "an entry beyond the end",
            edited(right, b -> b.putInt(second + 42, 0x7fffffff)),
            e + "its header is beyond the end of the file"),
        arguments(
            "an entry of a negative offset",
            edited(wide, b -> b.putLong(end64 - 8, -1)),
            e + "its size or offset is negative"),
        arguments(
            "an extra field that is too short",
            edited(wide, b -> b.putShort(end64 - 26, (short) 16)),
            e + "its zip64 field is too short"),
        arguments(
            "an extra field that is too long",
            edited(wide, b -> b.putShort(end64 - 26, (short) 25)),
            e + "its extra field is malformed"),
        arguments(
            "a zip64 directory beyond the end",
            edited(wide, b -> b.putLong(end64 + 56 + 8, Long.MAX_VALUE)),
            f + "its zip64 directory is outside the file"),
        arguments(
            "two directories that differ",
            edited(
                wide,
                b -> b.putShort(wide.length - 14, (short) 9).putShort(wide.length - 12, (short) 9)),
            f + "its two zip directories differ"),
        arguments(
            "a directory beyond the end",
            farDirectory,
            f + "its zip directory is outside the file"),
        arguments(
            "no pickle",
            new TorchWriter().entry("m/data/0", SIX_FLOATS).bytes(),
            f + "expected exactly one entry NAME/data.pkl, found 0"),
        arguments(
            "two pickles",
            new TorchWriter().entry("m/data.pkl", pickle).entry("n/data.pkl", pickle).bytes(),
            f + "expected exactly one entry NAME/data.pkl, found 2"),
        arguments(
            "a duplicate entry",
            new TorchWriter().entry("m/data.pkl", pickle).entry("m/data.pkl", pickle).bytes(),
            "Cannot read entry m/data.pkl of pytorch_model.bin: the archive contains it twice"),
        arguments(
            "a compressed storage",
            new TorchWriter()
                .entry("m/data.pkl", pickle)
                .entry("m/data/0", "m/data/0", 8, SIX_FLOATS)
                .bytes(),
            "Cannot read entry m/data/0 of pytorch_model.bin: it is compressed (method 8), expected"
                + " uncompressed, as torch.save writes it"),
        arguments(
            "a local header of another name",
            new TorchWriter()
                .entry("m/data.pkl", pickle)
                .entry("m/data/0", "m/data/1", 0, SIX_FLOATS)
                .bytes(),
            "Cannot read entry m/data/0 of pytorch_model.bin: its header differs from the archive's"),
        arguments(
            "big-endian floats",
            new TorchWriter()
                .entry("m/data.pkl", pickle)
                .entry("m/byteorder", "big".getBytes(StandardCharsets.UTF_8))
                .entry("m/data/0", SIX_FLOATS)
                .bytes(),
            f + "its byte order is big, expected little"),
        arguments(
            "a pickle that is too long",
            new TorchWriter().entry("m/data.pkl", new byte[(16 << 20) + 1]).bytes(),
            f + "its data.pkl has 16777217 bytes, expected at most 16777216"));
  }

  @ParameterizedTest(name = "{0}")
  @MethodSource("archives")
  void aBrokenArchiveIsRefusedInOneLine(String what, byte[] bytes, String message)
      throws IOException {
    Files.write(file, bytes);

    assertRefused(message);
  }

  private static byte[] edited(byte[] archive, Consumer<ByteBuffer> edit) {
    byte[] edited = archive.clone();
    edit.accept(little(edited));
    return edited;
  }

  private static ByteBuffer little(byte[] bytes) {
    return ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
  }

  private void assertRefused(String message) {
    assertThatThrownBy(() -> Checkpoint.open(folder))
        .isInstanceOf(CheckpointException.class)
        .message()
        .startsWith(message)
        .doesNotContain("\n")
        .hasSizeLessThan(500);
  }

  private static byte[] pickle(UnaryOperator<Pickler> body) {
    return body.apply(Pickler.protocol2()).end();
  }

  private static byte[] one(
      String type, String key, long elements, long offset, long[] shape, long[] strides) {
    return pickle(
        x -> x.op('}').text("t").tensor(type, key, elements, offset, shape, strides).op('s'));
  }

  private static Pickler small(Pickler pickler) {
    return pickler.tensor("FloatStorage", "0", 6, 0, longs(2), longs(1));
  }

  private static Pickler repeat(Pickler pickler, int times, int... opcodes) {
    for (int i = 0; i < times; i++) {
      pickler.op(opcodes);
    }
    return pickler;
  }

  private static int[] ascii(String text) {
    return text.chars().toArray();
  }

  private static long[] longs(long... values) {
    return values;
  }

  private static float[] values(Checkpoint checkpoint, String name) {
    StoredTensor tensor = checkpoint.tensors().get(name);
    float[] values = new float[(int) tensor.elementCount()];
    tensor.floats().read(values, 0, values.length);
    return values;
  }
}
