package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * One named tensor as it is stored: dtype, shape, and its bytes in a mapped file, row-major and
 * little-endian.
 *
 * <p>Safe for several threads; each reads through a reader of its own. Readable until its {@link
 * Checkpoint} is closed.
 */
public final class StoredTensor {
  /** Tensors of language models have up to three dimensions. */
  static final int MAX_RANK = 16;

  private static final int READ_BYTES = 1 << 20;

  private final String name;
  private final DType dtype;
  private final int[] shape;
  private final long elementCount;
  private final MappedFile file;
  private final long begin;

  /** The caller has checked that the tensor's bytes, from {@code begin} on, lie within the file. */
  StoredTensor(String name, DType dtype, int[] shape, MappedFile file, long begin) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.elementCount = Arrays.stream(shape).asLongStream().reduce(1, Math::multiplyExact);
    this.file = file;
    this.begin = begin;
  }

  /** As it stands in the file, which may have been made by anyone: not for messages as it is. */
  public String name() {
    return name;
  }

  /** How the elements are stored; {@link #floats} widens them all to float. */
  public DType dtype() {
    return dtype;
  }

  /** The dimensions, outermost first, in a fresh array; empty for a scalar. */
  public int[] shape() {
    return shape.clone();
  }

  /** The product of the shape, which may exceed an int. */
  public long elementCount() {
    return elementCount;
  }

  /** The bytes that the elements take in the file. */
  public long byteSize() {
    return elementCount * dtype.bytes();
  }

  /** The name of the file that holds the tensor, without its folder: for messages. */
  public String source() {
    return file.name();
  }

  /**
   * Passes the tensor's bytes on, in order, in little-endian read-only buffers of exactly {@code
   * limit} bytes, the last one shorter. They are views of the mapped file: nothing is copied.
   *
   * @param limit a positive multiple of 4, at most 2^30
   */
  public void forEachChunk(int limit, Consumer<ByteBuffer> sink) {
    if (limit <= 0 || limit % 4 != 0 || limit > MappedFile.MAX_SLICE) {
      throw new IllegalArgumentException(
          "Limit " + limit + " is not a positive multiple of 4 up to " + MappedFile.MAX_SLICE);
    }
    long size = byteSize();
    for (long done = 0; done < size; done += limit) {
      sink.accept(file.slice(begin + done, (int) Math.min(limit, size - done)));
    }
  }

  /** A reader over the elements, from the first, in row-major order. */
  public FloatReader floats() {
    return new Elements();
  }

  @Override
  public String toString() {
    return CheckpointException.shown(name) + " " + dtype + Arrays.toString(shape);
  }

  private final class Elements implements FloatReader {
    private ByteBuffer buffer = ByteBuffer.allocate(0);
    private long fetched;

    @Override
    public void read(float[] into, int offset, int count) {
      Objects.checkFromIndexSize(offset, count, into.length);
      long left = (byteSize() - fetched + buffer.remaining()) / dtype.bytes();
      if (count > left) {
        throw new IllegalStateException(
            "%d values of tensor %s are wanted, %d of %d are left"
                .formatted(count, CheckpointException.shown(name), left, elementCount));
      }
      for (int done = 0; done < count; ) {
        if (!buffer.hasRemaining()) {
          int length = (int) Math.min(READ_BYTES, byteSize() - fetched);
          buffer = file.slice(begin + fetched, length);
          fetched += length;
        }
        int n = Math.min(count - done, buffer.remaining() / dtype.bytes());
        dtype.decode(buffer, into, offset + done, n);
        done += n;
      }
    }
  }

  /**
   * A shape as a file claims it, checked: no dimension is negative or above an int, and the
   * tensor's size in bytes fits a long whatever the dtype.
   */
  static int[] checkedShape(String name, List<Long> claimed, String source) {
    if (claimed.size() > MAX_RANK) {
      throw refused(
          name, source, "found " + claimed.size() + " dimensions, expected at most " + MAX_RANK);
    }
    int[] shape = new int[claimed.size()];
    long elements = 1;
    for (int i = 0; i < shape.length; i++) {
      long dimension = claimed.get(i);
      if (dimension < 0 || dimension > Integer.MAX_VALUE) {
        throw refused(
            name,
            source,
            "found shape " + claimed + ", expected dimensions from 0 to " + Integer.MAX_VALUE);
      }
      shape[i] = (int) dimension;
      if (Math.multiplyHigh(elements, dimension) != 0
          || elements * dimension < 0
          || elements * dimension > Long.MAX_VALUE / Float.BYTES) {
        throw refused(name, source, "shape " + claimed + " has more elements than can be stored");
      }
      elements *= dimension;
    }
    return shape;
  }

  static CheckpointException refused(String name, String source, String why) {
    return new CheckpointException(
        "Cannot load tensor %s from %s: %s"
            .formatted(CheckpointException.shown(name), source, why));
  }
}
