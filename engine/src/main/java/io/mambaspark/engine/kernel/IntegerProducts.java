package io.mambaspark.engine.kernel;

/**
 * The products of integers that {@link VectorKernels} uses: those on vectors of floats, or native
 * ones. All have the results that {@link Quantization} defines.
 */
interface IntegerProducts {

  /** Describes these products for the log line of the kernels; empty if there is nothing to say. */
  String describe();

  /** Implements {@link Kernels#prepare}. */
  void prepare(PackedMatrix w);

  /** Implements {@link Kernels#quantize}, with this number of digits. */
  void quantize(float[] a, int k, int rows, int stride, int digits, QuantizedRows to);

  /** Implements the product of {@link Kernels} for integers. */
  void product(QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c);
}
