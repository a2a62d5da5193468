package io.mambaspark.engine.kernel;

/**
 * The rows of a product's input as integers, as {@link Quantization} defines them. {@link
 * Kernels#quantize} fills them. It belongs to one thread, which uses it for one input after
 * another. Its arrays grow when an input needs more.
 */
public final class QuantizedRows {
  /** The number of columns. */
  private int k;

  int rows;
  int stride;

  /** The number of digits, 1 or 2. */
  int digits;

  /** The scale of each row. */
  float[] scales = {};

  /** The only digits, or the high ones, (k panels, stride, 16); undefined beyond column k. */
  float[] high = {};

  /** The low digits, in the layout of {@link #high}; undefined with one digit. */
  float[] low = {};

  /** The rows in native memory, if products are native. */
  DnnlRows dnnl;

  /** Sets the shape, and makes the arrays large enough. */
  void resize(int k, int rows, int stride, int digits) {
    this.k = k;
    this.rows = rows;
    this.stride = stride;
    this.digits = digits;
    int length = Panels.count(k) * stride * Panels.WIDTH;
    if (scales.length < stride) {
      scales = new float[stride];
    }
    if (high.length < length) {
      high = new float[length];
    }
    if (digits > 1 && low.length < length) {
      low = new float[length];
    }
  }

  /** Refuses a matrix for whose columns and format these rows were not rounded. */
  void check(PackedMatrix w) {
    WeightFormat format = w.format();
    if (k != w.k() || digits != format.digits() || !format.isInteger()) {
      throw new IllegalArgumentException(
          ("Cannot multiply integers with a matrix in %s: found %d columns of %d digits, expected"
                  + " %d of %d")
              .formatted(format, k, digits, w.k(), format.digits()));
    }
  }
}
