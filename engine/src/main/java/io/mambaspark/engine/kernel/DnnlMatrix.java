package io.mambaspark.engine.kernel;

import static io.mambaspark.engine.kernel.Panels.WIDTH;

import java.nio.ByteBuffer;

/**
 * The digits of a matrix in the layout that oneDNN chose. The memory is outside the heap. It is
 * free when this object is unreachable.
 *
 * <p>The matrix is divided into blocks of {@link #PANELS} panels of rows, and these into spans of
 * {@link Quantization#EXACT} steps along k: oneDNN converts its sums to floats, so they are exact
 * only below 2^24.
 *
 * <p>Within a span, the digits are in the order of {@link VectorDnnl}: 64 steps are a group, and
 * the byte 4 · lane + p of a group is step 16 · p + lane. The last group is padded with zeros.
 */
final class DnnlMatrix implements NativeDigits {
  /**
   * The number of panels in a block: that of the head, and few enough for the sums to stay in L2.
   */
  static final int PANELS = LogSoftmax.BLOCK;

  /** The steps along k of a group. */
  static final int GROUP = 64;

  private final Part[][] blocks;

  /** The weights of a span of a block, (k groups × 64, n). */
  record Part(Dnnl.Shape shape, ByteBuffer bytes, Dnnl.Memory memory) {}

  /** Copies the digits of a matrix. */
  DnnlMatrix(Dnnl dnnl, PackedMatrix w) {
    int spans = (w.k() + Quantization.EXACT - 1) / Quantization.EXACT;
    this.blocks = new Part[(w.panels() + PANELS - 1) / PANELS][spans];
    ByteBuffer rows = Dnnl.allocate((long) PANELS * WIDTH * Quantization.EXACT);
    for (int block = 0; block < blocks.length; block++) {
      int first = block * PANELS;
      int end = Math.min(first + PANELS, w.panels());
      for (int span = 0; span < spans; span++) {
        blocks[block][span] = part(dnnl, w, first, end, span * Quantization.EXACT, rows);
      }
    }
  }

  /** Copies the steps from {@code from} on of the panels [first, end). */
  private static Part part(
      Dnnl dnnl, PackedMatrix w, int first, int end, int from, ByteBuffer rows) {
    int steps = Math.min(w.k() - from, Quantization.EXACT);
    byte[] row = new byte[width(steps)];
    for (int n = 0; n < (end - first) * WIDTH; n++) {
      for (int i = 0; i < steps; i++) {
        row[position(i)] = (byte) w.weight(first + n / WIDTH, from + i, n % WIDTH);
      }
      rows.put(n * row.length, row);
    }
    Dnnl.Shape shape = dnnl.shape(row.length, (end - first) * WIDTH);
    // Products that are not exact must be refused now, while the digits are still in the heap.
    shape.primitive(1);
    shape.primitive(Dnnl.CHUNK);
    ByteBuffer bytes = Dnnl.allocate(shape.weightBytes());
    return new Part(shape, bytes, dnnl.reorder(shape, rows, bytes));
  }

  /** The number of bytes of so many digits, with padding. */
  static int width(int steps) {
    return (steps + GROUP - 1) / GROUP * GROUP;
  }

  /** The position of step i of a span in its row. */
  private static int position(int i) {
    return i / GROUP * GROUP + i % WIDTH * 4 + i % GROUP / WIDTH;
  }

  /** The spans of a block. */
  Part[] block(int block) {
    return blocks[block];
  }

  @Override
  public int digit(int panel, int i, int lane) {
    Part part = blocks[panel / PANELS][i / Quantization.EXACT];
    int position = position(i % Quantization.EXACT);
    return part.bytes.get(part.shape.offset(position, panel % PANELS * WIDTH + lane));
  }
}
