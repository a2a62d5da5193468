package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.fuzz.ZipArchive.Part;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.SplittableRandom;
import java.util.stream.IntStream;
import java.util.zip.Deflater;
import java.util.zip.DeflaterOutputStream;

/** Damages the zip archive around a pickle: its entries and their headers. */
final class ZipMutations {
  private final HostileFolder folder;
  private final SplittableRandom random;
  private final String file;
  private final byte[] bytes;
  private final ZipArchive archive;

  private ZipMutations(HostileFolder folder, SplittableRandom random) {
    this.folder = folder;
    this.random = random;
    this.file = pick(random, folder.weights());
    byte[] original = folder.files.get(file).clone();
    ZipArchive valid = new ZipArchive(original);
    this.bytes = random.nextInt(4) == 0 ? valid.with(valid.pickle().bytes(), true) : original;
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
        int length = random.nextInt(bytes.length);
        folder.note("truncated at %d", length);
        return put(Arrays.copyOf(bytes, length), Expected.REFUSED);
      }
      case 11 -> {
        byte[] before = new byte[1 + random.nextInt(1 << random.nextInt(12))];
        boolean zip = random.nextBoolean() && before.length >= 4;
        System.arraycopy(bytes, 0, before, 0, zip ? 4 : 0);
        folder.note("%d bytes before it", before.length);
        return put(BlindMutations.splice(bytes, 0, 0, before), Expected.REFUSED);
      }
      default -> {
        return withExtraEntries();
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
    List<ZipField> fields =
        pick(
            random,
            archive.isZip64()
                ? List.of(ZipField.LOCAL, ZipField.CENTRAL, ZipField.END, ZipField.END64)
                : List.of(ZipField.LOCAL, ZipField.CENTRAL, ZipField.END));
    int header =
        fields == ZipField.LOCAL
            ? part.local()
            : fields == ZipField.CENTRAL
                ? part.central()
                : fields == ZipField.END ? archive.end() : archive.end64();
    ZipField field = pick(random, fields);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    int at = header + field.at();
    long right =
        switch (field.bytes()) {
          case 1 -> buffer.get(at) & 0xff;
          case 2 -> buffer.getShort(at) & 0xffff;
          case 4 -> buffer.getInt(at) & 0xffffffffL;
          default -> buffer.getLong(at);
        };
    long wrong =
        random.nextInt(4) == 0 ? random.nextInt(bytes.length) : HostileValues.number(random, right);
    write(buffer, at, field.bytes(), wrong);
    if (field.name().equals("entries")) {
      // The record has this number twice; both must be equal.
      write(buffer, at - field.bytes(), field.bytes(), wrong);
    }
    folder.note("%s of header at %d is %d, not %d", field.name(), header, wrong, right);
    return put(bytes, ZipField.UNREAD.contains(field.name()) ? Expected.SAME : Expected.EITHER);
  }

  private static void write(ByteBuffer buffer, int at, int bytes, long value) {
    switch (bytes) {
      case 1 -> buffer.put(at, (byte) value);
      case 2 -> buffer.putShort(at, (short) value);
      case 4 -> buffer.putInt(at, (int) value);
      default -> buffer.putLong(at, value);
    }
  }

  /** Compresses an entry, or only marks it as compressed; both sizes are the stored length. */
  private Expected deflated() {
    Part chosen = random.nextBoolean() ? archive.pickle() : pick(random, archive.parts());
    int method = pick(random, List.of(8, 8, 8, 9, 12, 14, 93, 99, 0xffff));
    // A megabyte of zeros becomes a thousand bytes.
    byte[] content =
        switch (random.nextInt(3)) {
          case 0 -> chosen.bytes();
          case 1 -> deflate(chosen.bytes());
          default -> deflate(new byte[1 << 20]);
        };
    TorchWriter writer = new TorchWriter();
    for (Part part : archive.parts()) {
      if (part == chosen) {
        writer.entry(part.name(), part.name(), method, content);
      } else {
        writer.entry(part.name(), part.bytes());
      }
    }
    folder.note("%s is compressed by method %d", chosen.name(), method);
    byte[] changed = writer.bytes();
    boolean read = chosen.name().contains("/data") || chosen.name().endsWith("/byteorder");
    if (random.nextBoolean()) {
      // Mark the entry as stored, with the size that the content would have after inflating.
      Part marked = new ZipArchive(changed).part(chosen.name());
      ByteBuffer buffer = ByteBuffer.wrap(changed).order(ByteOrder.LITTLE_ENDIAN);
      buffer.putShort(marked.local() + 8, (short) 0);
      buffer.putShort(marked.central() + 10, (short) 0);
      buffer.putInt(marked.central() + 24, marked.bytes().length + 1 + random.nextInt(1 << 30));
      folder.note("and marked as stored");
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
                root + "/.data/x"));
    switch (random.nextInt(5)) {
      case 0, 1 -> {
        folder.note("entry %s", name);
        parts.add(at, new Part(name, new byte[9], 0, 0));
        return put(write(parts).bytes(), Expected.SAME);
      }
      case 2 -> {
        String pickle =
            pick(random, List.of("/data.pkl", "x/data.pkl", root + "/data.pkl/data.pkl"));
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
        // The name in the directory differs from the name at the entry, with the same length.
        Part chosen = random.nextBoolean() ? archive.pickle() : archive.storage();
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

  /** Makes entries share bytes; in some zip bombs all entries share the same bytes. */
  private Expected overlapping() {
    List<Part> parts = archive.parts();
    Part victim = archive.storage();
    Part other = pick(random, parts);
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    if (archive.isWide()) {
      return Expected.SAME;
    }
    if (random.nextBoolean()) {
      folder.note("%s has the offset of %s", victim.name(), other.name());
      buffer.putInt(victim.central() + 42, other.local());
      return put(bytes, victim == other ? Expected.SAME : Expected.REFUSED);
    }
    int size = victim.bytes().length + 1 + random.nextInt(bytes.length - victim.local());
    folder.note("%s overlaps the entries after it, %d bytes", victim.name(), size);
    buffer.putInt(victim.central() + 20, size).putInt(victim.central() + 24, size);
    buffer.putInt(victim.local() + 18, size).putInt(victim.local() + 22, size);
    return put(bytes, Expected.REFUSED);
  }

  /** Adds a comment, which may contain an invalid end record or one for another directory. */
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
      folder.note("the end record again %d bytes after the end", length);
      boolean lost = archive.isWide();
      return put(
          Arrays.copyOf(buffer.array(), buffer.position()),
          lost ? Expected.REFUSED : Expected.SAME);
    }
    ZipField field = pick(random, ZipField.END);
    folder.note("another end record %d bytes after the end, without its %s", length, field.name());
    Arrays.fill(buffer.array(), last + field.at(), last + field.at() + field.bytes(), (byte) 0x55);
    return put(Arrays.copyOf(buffer.array(), buffer.position()), Expected.EITHER);
  }

  private Expected withExtraEntries() {
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
    folder.note("and a copy of the archive in an entry");
    return put(write(parts).bytes(), Expected.SAME);
  }
}
