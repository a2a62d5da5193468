package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.fuzz.ZipArchive.Part;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/** Damages the zip archive around a pickle: its entries, and what its headers say of them. */
final class ZipMutations {
  /** A field of a header: where it begins there, and its bytes. */
  private record Field(String name, int at, int bytes) {}

  private static final List<Field> LOCAL =
      List.of(
          new Field("signature", 0, 4),
          new Field("flags", 6, 2),
          new Field("method", 8, 2),
          new Field("compressed size", 18, 4),
          new Field("size", 22, 4),
          new Field("length of the name", 26, 2),
          new Field("length of the extra field", 28, 2),
          new Field("name", 30, 1));

  private static final List<Field> CENTRAL =
      List.of(
          new Field("signature", 0, 4),
          new Field("version made by", 4, 2),
          new Field("version needed", 6, 2),
          new Field("flags", 8, 2),
          new Field("method", 10, 2),
          new Field("time", 12, 4),
          new Field("crc", 16, 4),
          new Field("compressed size", 20, 4),
          new Field("size", 24, 4),
          new Field("length of the name", 28, 2),
          new Field("length of the extra field", 30, 2),
          new Field("length of the comment", 32, 2),
          new Field("disk", 34, 2),
          new Field("attributes", 38, 4),
          new Field("place", 42, 4),
          new Field("name", 46, 1));

  private static final List<Field> END =
      List.of(
          new Field("signature", 0, 4),
          new Field("disk", 4, 2),
          new Field("disk of the directory", 6, 2),
          new Field("entries here", 8, 2),
          new Field("entries", 10, 2),
          new Field("size of the directory", 12, 4),
          new Field("place of the directory", 16, 4),
          new Field("length of the comment", 20, 2));

  private static final List<Field> END64 =
      List.of(
          new Field("signature", 0, 4),
          new Field("size", 4, 8),
          new Field("entries here", 24, 8),
          new Field("entries", 32, 8),
          new Field("size of the directory", 40, 8),
          new Field("place of the directory", 48, 8),
          new Field("signature of the locator", 56, 4),
          new Field("place of this record", 64, 8));

  /** Says nothing about where the bytes are and what they mean. */
  private static final Set<String> UNREAD =
      Set.of("version made by", "version needed", "time", "crc", "attributes");

  private final HostileFolder folder;
  private final SplittableRandom random;
  private final String file;
  private final byte[] bytes;
  private final ZipArchive archive;

  private ZipMutations(HostileFolder folder, SplittableRandom random) {
    this.folder = folder;
    this.random = random;
    this.file = pick(random, folder.weights());
    this.bytes = folder.files.get(file).clone();
    this.archive = new ZipArchive(bytes);
  }

  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    folder.note("zip");
    return new ZipMutations(folder, random).mutate();
  }

  private Expected mutate() {
    switch (random.nextInt(13)) {
      case 0, 1, 2, 3, 4 -> {
        return wrongField();
      }
      case 5 -> {
        List<Part> parts = new ArrayList<>(archive.parts());
        Collections.shuffle(parts, new Random(random.nextLong()));
        folder.note("entries in another order");
        return put(write(parts).bytes(), Expected.SAME);
      }
      case 6 -> {
        return deflated();
      }
      case 7 -> {
        return anotherEntry();
      }
      case 8 -> {
        return overlapping();
      }
      case 9 -> {
        return commented();
      }
      case 10 -> {
        int cut = random.nextInt(bytes.length);
        folder.note("cut off at %d", cut);
        return put(Arrays.copyOf(bytes, cut), Expected.REFUSED);
      }
      case 11 -> {
        byte[] before = new byte[1 + random.nextInt(1 << random.nextInt(12))];
        boolean zip = random.nextBoolean() && before.length >= 4;
        System.arraycopy(bytes, 0, before, 0, zip ? 4 : 0);
        folder.note("%d bytes before it", before.length);
        return put(BlindMutations.splice(bytes, 0, 0, before), Expected.REFUSED);
      }
      default -> {
        return crowded();
      }
    }
  }

  private Expected put(byte[] changed, Expected expected) {
    folder.files.put(file, changed);
    return expected;
  }

  private static TorchWriter write(List<Part> parts) {
    TorchWriter writer = new TorchWriter();
    parts.forEach(part -> writer.entry(part.name(), part.bytes()));
    return writer;
  }

  private Expected wrongField() {
    Part part = pick(random, archive.parts());
    List<Field> fields = pick(random, archive.isZip64() ? List.of(LOCAL, CENTRAL, END, END64) : List.of(LOCAL, CENTRAL, END));
    int header =
        fields == LOCAL
            ? part.local()
            : fields == CENTRAL ? part.central() : fields == END ? archive.end() : archive.end64();
    Field field = pick(random, fields);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int at = header + field.at;
    long right =
        switch (field.bytes) {
          case 1 -> buffer.get(at) & 0xff;
          case 2 -> buffer.getShort(at) & 0xffff;
          case 4 -> buffer.getInt(at) & 0xffffffffL;
          default -> buffer.getLong(at);
        };
    long wrong =
        random.nextInt(4) == 0 ? random.nextInt(bytes.length) : HostileValues.number(random, right);
    switch (field.bytes) {
      case 1 -> buffer.put(at, (byte) wrong);
      case 2 -> buffer.putShort(at, (short) wrong);
      case 4 -> buffer.putInt(at, (int) wrong);
      default -> buffer.putLong(at, wrong);
    }
    folder.note("%s of header at %d is %d, not %d", field.name, header, wrong, right);
    return put(bytes, UNREAD.contains(field.name) ? Expected.SAME : Expected.EITHER);
  }

  /** Really compressed, or only said to be; then both sizes are those of what is there. */
  private Expected deflated() {
    Part chosen = random.nextBoolean() ? archive.pickle() : pick(random, archive.parts());
    int method = pick(random, List.of(8, 8, 8, 9, 12, 14, 93, 99, 0xffff));
    TorchWriter writer = new TorchWriter();
    for (Part part : archive.parts()) {
      byte[] zeros = new byte[random.nextInt(4) == 0 ? 1 << 20 : part.bytes().length];
      byte[] content = random.nextBoolean() ? part.bytes() : deflate(zeros);
      if (part == chosen) {
        writer.entry(part.name(), part.name(), method, content);
      } else {
        writer.entry(part.name(), part.bytes());
      }
    }
    folder.note("%s is compressed by method %d", chosen.name(), method);
    byte[] changed = writer.bytes();
    boolean read =
        chosen.name().contains("/data") || chosen.name().endsWith("/byteorder");
    if (random.nextBoolean()) {
      // Back to stored, with the size that it claims to have once it is inflated.
      Part liar = new ZipArchive(changed).part(chosen.name());
      ByteBuffer buffer = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
      buffer.putShort(liar.local() + 8, (short) 0);
      buffer.putShort(liar.central() + 10, (short) 0);
      buffer.putInt(liar.central() + 24, liar.bytes().length + 1 + random.nextInt(1 << 30));
      folder.note("and said to be stored");
    }
    return put(changed, read ? Expected.REFUSED : Expected.SAME);
  }

  private static byte[] deflate(byte[] content) {
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (DeflaterOutputStream out =
        new DeflaterOutputStream(bytes, new Deflater(Deflater.BEST_SPEED, true))) {
      out.write(content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return bytes.toByteArray();
  }

  private Expected anotherEntry() {
    String root = archive.root();
    List<Part> parts = new ArrayList<>(archive.parts());
    int at = random.nextInt(parts.size() + 1);
    String name =
        pick(
            random,
            List.of(
                "../../../x",
                "../" + file,
                "/etc/passwd",
                "C:\\x",
                root + "/../data.pk",
                root + "/data/../data/0",
                root + "/data/0/",
                root + "/data/",
                root + "//data.pk",
                "",
                "a\u0000b",
                "a\nb",
                "\ue000",
                root + "/data.pkl\u0000",
                root + "/.data/serialization_id"));
    switch (random.nextInt(5)) {
      case 0, 1 -> {
        folder.note("entry %s", name);
        parts.add(at, new Part(name, new byte[9], 0, 0));
        return put(write(parts).bytes(), Expected.SAME);
      }
      case 2 -> {
        String pickle = pick(random, List.of("/data.pkl", "x/data.pkl", root + "/data.pkl/data.pkl"));
        folder.note("a second pickle, %s", pickle);
        parts.add(at, new Part(pickle, archive.pickle().bytes(), 0, 0));
        return put(write(parts).bytes(), Expected.REFUSED);
      }
      case 3 -> {
        Part twice = pick(random, archive.parts());
        folder.note("%s twice", twice.name());
        parts.add(at, twice);
        return put(write(parts).bytes(), Expected.REFUSED);
      }
      default -> {
        // In the directory one name, at the entry itself another one of the same length.
        Part chosen = random.nextBoolean() ? archive.pickle() : archive.part("/data/0");
        TorchWriter writer = new TorchWriter();
        for (Part part : parts) {
          String local = part == chosen ? "x" + part.name().substring(1) : part.name();
          writer.entry(part.name(), local, 0, part.bytes());
        }
        folder.note("%s has two names", chosen.name());
        return put(writer.bytes(), Expected.REFUSED);
      }
    }
  }

  /** Entries that share bytes: in some zip bombs all hold the same ones. */
  private Expected overlapping() {
    List<Part> parts = archive.parts();
    Part victim = archive.part("/data/0");
    Part other = pick(random, parts);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (archive.isZip64()) {
      return Expected.SAME;
    }
    if (random.nextBoolean()) {
      folder.note("%s lies where %s does", victim.name(), other.name());
      buffer.putInt(victim.central() + 42, other.local());
      return put(bytes, victim == other ? Expected.SAME : Expected.REFUSED);
    }
    int size = victim.bytes().length + 1 + random.nextInt(bytes.length - victim.local());
    folder.note("%s reaches over those behind it, %d bytes", victim.name(), size);
    buffer.putInt(victim.central() + 20, size).putInt(victim.central() + 24, size);
    buffer.putInt(victim.local() + 18, size).putInt(victim.local() + 22, size);
    return put(bytes, Expected.REFUSED);
  }

  /** A comment, in which an end may stand that is none, or that leads to another directory. */
  private Expected commented() {
    int end = archive.end();
    byte[] comment = new byte[random.nextInt(1 << random.nextInt(16))];
    ByteBuffer buffer =
        ByteBuffer.allocate(bytes.length + comment.length + ZipArchive.END_BYTES)
            .order(ByteOrder.LITTLE_ENDIAN);
    if (random.nextBoolean()) {
      folder.note("comment of %d bytes", comment.length);
      buffer.put(bytes).put(comment).putShort(end + 20, (short) comment.length);
      byte[] changed = Arrays.copyOf(buffer.array(), buffer.position());
      return put(changed, Expected.SAME);
    }
    int length = Math.min(comment.length, 60_000);
    buffer.put(bytes).put(comment, 0, length).put(bytes, end, ZipArchive.END_BYTES);
    buffer.putShort(end + 20, (short) (length + ZipArchive.END_BYTES));
    int last = buffer.position() - ZipArchive.END_BYTES;
    if (random.nextBoolean()) {
      folder.note("the end again %d bytes behind the end", length);
      boolean lost = archive.isZip64();
      return put(
          Arrays.copyOf(buffer.array(), buffer.position()),
          lost ? Expected.REFUSED : Expected.SAME);
    }
    Field field = pick(random, END);
    folder.note("another end %d bytes behind the end, without its %s", length, field.name);
    Arrays.fill(buffer.array(), last + field.at, last + field.at + field.bytes, (byte) 0x55);
    return put(Arrays.copyOf(buffer.array(), buffer.position()), Expected.EITHER);
  }

  private Expected crowded() {
    List<Part> parts = new ArrayList<>(archive.parts());
    boolean longNames = random.nextInt(3) == 0;
    int count = longNames ? random.nextInt(1, 5) : random.nextInt(1 << random.nextInt(13));
    String name = longNames ? "n".repeat(60_000) : archive.root() + "/data/x";
    IntStream.range(0, count).forEach(i -> parts.add(new Part(name + i, new byte[0], 0, 0)));
    folder.note("%d more entries%s", count, longNames ? " with long names" : "");
    if (longNames) {
      return put(write(parts).bytes(), Expected.EITHER);
    }
    if (random.nextInt(3) != 0) {
      return put(write(parts).bytes(), Expected.SAME);
    }
    byte[] nested = write(parts).bytes();
    parts.add(new Part("inner.zip", nested, 0, 0));
    folder.note("and all of it again in one");
    return put(write(parts).bytes(), Expected.SAME);
  }

  static byte[] ascii(String text) {
    return text.getBytes(StandardCharsets.US_ASCII);
  }
}
