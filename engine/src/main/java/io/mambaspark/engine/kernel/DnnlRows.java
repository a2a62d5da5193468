package io.mambaspark.engine.kernel;

import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.Map;

/**
 * The native memory of one thread's products: the digits of A, the sums of a block of columns, and
 * what oneDNN needs itself. The buffers grow when a product needs more.
 */
final class DnnlRows {
  /**
   * The digits of A: for each span of {@link DnnlMatrix}, rows of its digits. Then one more tile of
   * rows, because products read complete tiles.
   */
  private final ByteBuffer[] digits = new ByteBuffer[2];

  private ByteBuffer sums = Dnnl.allocate(0);
  private ByteBuffer scratch = Dnnl.allocate(0);
  private final Map<Dnnl.Primitive, Dnnl.Call[]> calls = new HashMap<>();

  /** The sums of the second span and of later ones. */
  private int[] later = {};

  /** Copies the high digits (0) or the low ones (1), {@code ints} ints of four digits. */
  void put(int which, int[] packed, int ints) {
    long bytes = (long) ints * Integer.BYTES + Dnnl.ROWS * Quantization.EXACT;
    digits[which] = grown(digits[which], bytes);
    digits[which].asIntBuffer().put(packed, 0, ints);
  }

  /** Returns a buffer that is large enough. Calls hold the smaller one, so they are dropped. */
  private ByteBuffer grown(ByteBuffer buffer, long bytes) {
    if (buffer != null && buffer.capacity() >= bytes) {
      return buffer;
    }
    calls.clear();
    return Dnnl.allocate(bytes);
  }

  /** Computes the sums of a block of W, (rows, n), and copies them. */
  void multiply(int which, int rows, DnnlMatrix.Part[] block, int[] to) {
    int length = rows * block[0].shape().n;
    int offset = 0;
    for (int span = 0; span < block.length; span++) {
      call(which, block[span].shape().primitive(rows)).run(offset, block[span].memory());
      offset += rows * block[span].shape().k;
      if (span == 0) {
        sums.asIntBuffer().get(to, 0, length);
      } else {
        later = later.length < length ? new int[length] : later;
        sums.asIntBuffer().get(later, 0, length);
        add(later, length, to);
      }
    }
  }

  private static void add(int[] more, int length, int[] sums) {
    for (int i = 0; i < length; i++) {
      sums[i] += more[i];
    }
  }

  private Dnnl.Call call(int which, Dnnl.Primitive primitive) {
    sums = grown(sums, (long) primitive.m * primitive.shape.n * Integer.BYTES);
    scratch = grown(scratch, primitive.scratchBytes());
    Dnnl.Call[] both = calls.computeIfAbsent(primitive, key -> new Dnnl.Call[2]);
    if (both[which] == null) {
      both[which] = primitive.call(digits[which], sums, scratch);
    }
    return both[which];
  }
}
