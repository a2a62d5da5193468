package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.function.Consumer;

/**
 * One named tensor as it is stored: dtype, shape, and its little-endian bytes in a mapped file. The
 * bytes are row-major or, in files of torch, strided. The methods return elements in row-major
 * order.
 *
 * <p>Safe for use by several threads, each with its own reader. Readable until its {@link
 * Checkpoint} is closed.
 */
public final class StoredTensor {
  /** The maximum number of dimensions. Tensors of language models have up to three. */
  static final int MAX_RANK = 16;

  private static final int READ_BYTES = 1 << 20;

  private final String name;
  private final DType dtype;
  private final int[] shape;
  private final long elementCount;
  private final MappedFile file;
  private final long begin;

  /** The strides in elements; null if the elements are row-major. */
  private final long[] strides;

  /**
   * A row-major tensor. The caller checks that its bytes, from {@code begin} on, are in the file.
   */
  StoredTensor(String name, DType dtype, int[] shape, MappedFile file, long begin) {
    this(name, dtype, shape, file, begin, null);
  }

  /**
   * A tensor with strides, null if it is row-major. The caller checks that all elements are in the
   * file.
   */
  StoredTensor(String name, DType dtype, int[] shape, MappedFile file, long begin, long[] strides) {
    this.name = name;
    this.dtype = dtype;
    this.shape = shape;
    this.elementCount = Arrays.stream(shape).asLongStream().reduce(1, Math::multiplyExact);
    this.file = file;
    this.begin = begin;
    this.strides = strides;
  }

  /**
   * The name as stored in the file. It is untrusted: pass it through {@link
   * CheckpointException#shown(String)} before using it in a message.
   */
  public String name() {
    return name;
  }

  /** The storage format of the elements; {@link #floats} converts it to floats. */
  public DType dtype() {
    return dtype;
  }

  /** The dimensions, outermost first, in a fresh array; empty for a scalar. */
  public int[] shape() {
    return shape.clone();
  }

  /** The number of elements, which may exceed an int. */
  public long elementCount() {
    return elementCount;
  }

  /** The size of all elements in bytes. */
  public long byteSize() {
    return elementCount * dtype.bytes();
  }

  /** The name of the file that holds the tensor, without its folder: for messages. */
  public String source() {
    return file.name();
  }

  /**
   * Passes the tensor's bytes to {@code sink}, row-major, in little-endian read-only buffers of
   * exactly {@code limit} bytes; the last buffer may be shorter. The buffers are views of the
   * mapped file, or copies if the tensor is strided.
   *
   * @param limit a positive multiple of 8, at most 2^30
   */
  public void forEachChunk(int limit, Consumer<ByteBuffer> sink) {
    if (limit <= 0 || limit % Long.BYTES != 0 || limit > MappedFile.MAX_SLICE) {
      throw new IllegalArgumentException(
          "Limit " + limit + " is not a positive multiple of 8 up to " + MappedFile.MAX_SLICE);
    }
    long size = byteSize();
    for (long done = 0; done < size; done += limit) {
      sink.accept(bytes(done, (int) Math.min(limit, size - done)));
    }
  }

  /**
   * Returns {@code length} of the row-major bytes, from {@code from} on. Both must be multiples of
   * the element size.
   */
  private ByteBuffer bytes(long from, int length) {
    if (strides == null) {
      return file.slice(begin + from, length);
    }
    int size = dtype.bytes();
    int last = shape.length - 1;
    int[] index = new int[shape.length];
    long place = 0;
    long rest = from / size;
    for (int i = last; i >= 0; i--) {
      index[i] = (int) (rest % shape[i]);
      rest /= shape[i];
      place += index[i] * strides[i];
    }
    byte[] gathered = new byte[length];
    for (int at = 0; at < length; ) {
      int run = strides[last] == 1 ? Math.min(shape[last] - index[last], (length - at) / size) : 1;
      file.copy(begin + place * size, run * size, gathered, at);
      at += run * size;
      index[last] += run;
      place += run * strides[last];
      for (int i = last; i > 0 && index[i] == shape[i]; i--) {
        place += strides[i - 1] - shape[i] * strides[i];
        index[i] = 0;
        index[i - 1]++;
      }
    }
    return ByteBuffer.wrap(gathered).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Decodes elements of a chunk like {@link DType#decode}.
   *
   * @param position the row-major index in the tensor of the first element decoded
   * @throws CheckpointException if a stored value is finite, but is not finite as a float
   */
  public void decode(ByteBuffer chunk, long position, float[] into, int offset, int count) {
    int start = chunk.position();
    dtype.decode(chunk, into, offset, count);
    if (dtype == DType.F64) {
      for (int i = 0; i < count; i++) {
        double stored = chunk.getDouble(start + i * Double.BYTES);
        if (!Float.isFinite(into[offset + i]) && Double.isFinite(stored)) {
          throw refused(
              name,
              source(),
              "element %d is %s, which is not finite in F32; weights must be finite"
                  .formatted(position + i, stored));
        }
      }
    }
  }

  /**
   * Returns the row-major index of the first element that differs, as a float, from that of {@code
   * other}, which has the same shape; -1 if all are equal. Returns -1 without reading if both
   * tensors refer to the same bytes.
   */
  public long mismatch(StoredTensor other) {
    if (file == other.file
        && begin == other.begin
        && dtype == other.dtype
        && Arrays.equals(strides, other.strides)) {
      return -1;
    }
    FloatReader own = floats();
    FloatReader others = other.floats();
    float[] a = new float[(int) Math.min(elementCount, 1 << 16)];
    float[] b = new float[a.length];
    for (long done = 0; done < elementCount; done += a.length) {
      int count = (int) Math.min(a.length, elementCount - done);
      own.read(a, 0, count);
      others.read(b, 0, count);
      int found = Arrays.mismatch(a, 0, count, b, 0, count);
      if (found >= 0) {
        return done + found;
      }
    }
    return -1;
  }

  /** Returns a reader over the elements, from the first, in row-major order. */
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
            "Cannot read %d values of tensor %s: only %d of %d are left"
                .formatted(count, CheckpointException.shown(name), left, elementCount));
      }
      for (int done = 0; done < count; ) {
        if (!buffer.hasRemaining()) {
          int length = (int) Math.min(READ_BYTES, byteSize() - fetched);
          buffer = bytes(fetched, length);
          fetched += length;
        }
        int n = Math.min(count - done, buffer.remaining() / dtype.bytes());
        long position = (fetched - buffer.remaining()) / dtype.bytes();
        decode(buffer, position, into, offset + done, n);
        done += n;
      }
    }
  }

  /**
   * Checks a shape that a file claims: every dimension must be in [0, 2^31), and the tensor's size
   * in bytes must fit in a long for every dtype.
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
          || elements * dimension > Long.MAX_VALUE / Long.BYTES) {
        throw refused(name, source, "shape " + claimed + " has too many elements");
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
