package io.mambaspark.engine.checkpoint;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32;

/** Writes zip archives as torch.save does, and valid or hostile pickles in them. */
public final class TorchWriter {
  private final ByteArrayOutputStream archive = new ByteArrayOutputStream();
  private final List<byte[]> directory = new ArrayList<>();
  private boolean zip64;

  /** Stores sizes and offsets in zip64 fields, as torch does in files above 4 GB. */
  public TorchWriter zip64() {
    zip64 = true;
    return this;
  }

  public TorchWriter entry(String name, byte[] bytes) {
    return entry(name, name, 0, bytes);
  }

  public TorchWriter entry(String name, String localName, int method, byte[] bytes) {
    CRC32 crc = new CRC32();
    crc.update(bytes);
    int local = archive.size();
    byte[] localNameBytes = localName.getBytes(StandardCharsets.UTF_8);
    // Three bytes of extra field, so that data begins at odd offsets, which torch avoids by
    // padding.
    archive.writeBytes(
        little(30)
            .putInt(0x04034b50)
            .putShort((short) 0)
            .putShort((short) 0x0808)
            .putShort((short) method)
            .position(26)
            .putShort((short) localNameBytes.length)
            .putShort((short) 3)
            .array());
    archive.writeBytes(localNameBytes);
    archive.writeBytes(new byte[3]);
    archive.writeBytes(bytes);
    byte[] nameBytes = name.getBytes(StandardCharsets.UTF_8);
    int extra = zip64 ? 28 : 0;
    ByteBuffer central =
        little(46 + nameBytes.length + extra)
            .putInt(0x02014b50)
            .putInt(0)
            .putShort((short) 0x0808)
            .putShort((short) method)
            .putInt(0)
            .putInt((int) crc.getValue())
            .putInt(zip64 ? -1 : bytes.length)
            .putInt(zip64 ? -1 : bytes.length)
            .putShort((short) nameBytes.length)
            .putShort((short) extra)
            .position(42)
            .putInt(zip64 ? -1 : local)
            .put(nameBytes);
    if (zip64) {
      central.putShort((short) 1).putShort((short) 24);
      central.putLong(bytes.length).putLong(bytes.length).putLong(local);
    }
    directory.add(central.array());
    return this;
  }

  public byte[] bytes() {
    int start = archive.size();
    directory.forEach(archive::writeBytes);
    int size = archive.size() - start;
    short entries = (short) directory.size();
    if (zip64) {
      int end = archive.size();
      archive.writeBytes(
          little(56)
              .putInt(0x06064b50)
              .putLong(44)
              .position(24)
              .putLong(entries)
              .putLong(entries)
              .putLong(size)
              .putLong(start)
              .array());
      archive.writeBytes(little(20).putInt(0x07064b50).putInt(0).putLong(end).putInt(1).array());
    }
    archive.writeBytes(
        little(22)
            .putInt(0x06054b50)
            .putInt(0)
            .putShort(zip64 ? -1 : entries)
            .putShort(zip64 ? -1 : entries)
            .putInt(zip64 ? -1 : size)
            .putInt(zip64 ? -1 : start)
            .array());
    return archive.toByteArray();
  }

  public void write(Path file) throws IOException {
    Files.write(file, bytes());
  }

  private static ByteBuffer little(int size) {
    return ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Writes the opcodes of a pickle. */
  public static final class Pickler {
    private final ByteArrayOutputStream out = new ByteArrayOutputStream();

    /** Starts a pickle of protocol 2 with its first opcode. */
    public static Pickler protocol2() {
      return new Pickler().op(0x80, 2);
    }

    public Pickler op(int... bytes) {
      for (int b : bytes) {
        out.write(b);
      }
      return this;
    }

    /** Writes BINUNICODE. */
    public Pickler text(String text) {
      byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
      op('X');
      out.writeBytes(little(4).putInt(utf8.length).array());
      out.writeBytes(utf8);
      return this;
    }

    /** Writes LONG1 of eight bytes. */
    public Pickler integer(long value) {
      op(0x8a, 8);
      out.writeBytes(little(8).putLong(value).array());
      return this;
    }

    public Pickler global(String module, String name) {
      out.writeBytes(("c" + module + "\n" + name + "\n").getBytes(StandardCharsets.UTF_8));
      return this;
    }

    public Pickler integers(long... values) {
      op('(');
      for (long value : values) {
        integer(value);
      }
      return op('t');
    }

    /** Loads a storage by its persistent id. */
    public Pickler storage(String type, String key, long elements) {
      op('(').text("storage").global("torch", type).text(key).text("cpu").integer(elements);
      return op('t', 'Q');
    }

    /** Pushes a tensor on the stack. */
    public Pickler tensor(
        String type, String key, long elements, long offset, long[] shape, long[] strides) {
      global("torch._utils", "_rebuild_tensor_v2").op('(').storage(type, key, elements);
      integer(offset).integers(shape).integers(strides).op(0x89);
      return global("collections", "OrderedDict").op(')', 'R', 't', 'R');
    }

    /** Returns the complete pickle of {name: the tensor of two floats in storage 0}. */
    public static byte[] small(String name) {
      return protocol2()
          .op('}')
          .text(name)
          .tensor("FloatStorage", "0", 2, 0, new long[] {2}, new long[] {1})
          .op('s')
          .end();
    }

    /** Writes STOP and returns all bytes. */
    public byte[] end() {
      return op('.').bytes();
    }

    /** Returns the bytes written so far. */
    public byte[] bytes() {
      return out.toByteArray();
    }
  }
}
