package io.mambaspark.engine.kernel;

/**
 * The arithmetic of a Mamba forward pass over arrays in {@linkplain Panels column panels}.
 *
 * <p>There are two forms, a scalar one, which is the plain reference, and one on the Vector API.
 * Their results are equal bit for bit, on every machine: each element of a product is one chain of
 * fused multiply-adds in the order of k; a sum over channels has sixteen partial sums whatever the
 * hardware's vectors hold; exp, log and log1p are polynomials of our own ({@link ScalarMath}).
 *
 * <p>Kernels keep nothing between calls but scratch of the calling thread's, and may be used by
 * many threads, each with arrays of its own. Unless said otherwise arrays do not overlap.
 */
public interface Kernels {

  /**
   * The best kernels that this JVM can run, chosen once; one log line names them. Scalar ones where
   * the Vector API is missing or C2 does not compile it; the line then says why, and the remedy.
   */
  static Kernels best() {
    return BestKernels.CHOSEN;
  }

  /** What these kernels are, in a line: {@code Vector API kernels, 16 lanes}. */
  String describe();

  /**
   * The matrix product {@code C = A·Wᵀ (+ bias)} for some of the panels of W.
   *
   * @param a A, (k panels, stride, 16), rows 0 … rows-1
   * @param w W, (n, k)
   * @param bias added first, n floats padded to panels, or null
   * @param first the first panel of W to compute
   * @param end the panel of W after the last one to compute
   * @param c result, (end - first, stride, 16); rows up to the stride may be overwritten
   */
  void product(
      float[] a, int rows, int stride, PackedMatrix w, float[] bias, int first, int end, float[] c);

  /**
   * Root mean square norm: {@code to = x · rsqrt(mean(x²) + eps) · weight}.
   *
   * @param x (columns panels, stride, 16), from float {@code xOffset} on
   * @param weight columns floats padded with zeros to panels, or null for ones
   * @param to like x, from float {@code xOffset} on; may be x
   * @param sums scratch of stride × 16 floats
   */
  void rmsNorm(
      float[] x,
      int xOffset,
      int columns,
      int rows,
      int stride,
      float[] weight,
      float eps,
      float[] to,
      float[] sums);

  /** {@code x += y}, both (panels, stride, 16). */
  void add(float[] x, float[] y, int panels, int rows, int stride);

  /**
   * Causal depthwise convolution and SiLU in place, over one piece of a sequence.
   *
   * @param x (panels, stride, 16), rows {@code row} … {@code row + length - 1}
   * @param weight (panels, dConv, 16)
   * @param bias (panels, 16)
   * @param context (panels, dConv - 1, 16): the inputs before the piece, overwritten with the last
   *     ones of it
   * @param window scratch of (dConv - 1 + length) × 16 floats
   */
  void convolution(
      float[] x,
      int panels,
      int stride,
      int row,
      int length,
      float[] weight,
      float[] bias,
      int dConv,
      float[] context,
      float[] window);

  /**
   * Selective scan over one piece of a sequence, gated: {@code dt = softplus(dt + dtBias); s =
   * exp(dt·A)·s + dt·B·x; y = (C·s + D·x) · silu(z)} (arXiv:2312.00752, Algorithm 2).
   *
   * @param xz (2 × panels, stride, 16): x, which is overwritten with dt·x, then z
   * @param dt (panels, stride, 16), before its bias and softplus; overwritten with dt after them
   * @param bc holds B from float {@code bOffset} and C from float {@code cOffset} on, each (dState
   *     panels, stride, 16), zero in the padding
   * @param a A · log2(e), (panels, dState, 16), zero in the padding of the last panel and below
   *     zero, or -0, elsewhere: dt·A of +0, NaN and more than 0 decays as -126 does
   * @param d D, (panels, 16)
   * @param dtBias (panels, 16)
   * @param state s, laid out like a; carried: overwritten with the state after the piece
   * @param y (panels, stride, 16)
   */
  void selectiveScan(
      float[] xz,
      float[] dt,
      float[] bc,
      int bOffset,
      int cOffset,
      int panels,
      int stride,
      int row,
      int length,
      float[] a,
      int dState,
      float[] d,
      float[] dtBias,
      float[] state,
      float[] y);

  /**
   * Folds a block of logits into each row's running maximum, sum of exponentials and arg max. Each
   * row has sixteen of each, one a lane; {@link LogSoftmax} joins them.
   *
   * @param logits (panels, stride, 16)
   * @param firstPanel what to call the first panel of the block in {@code argMax}
   * @param max (rows, 16): the largest logit of the lane so far
   * @param sum (rows, 16): Σ exp(logit - max) of the lane so far
   * @param argMax (rows, 16): the panel where the lane's maximum first stood
   */
  void foldLogits(
      float[] logits,
      int panels,
      int firstPanel,
      int rows,
      int stride,
      float[] max,
      float[] sum,
      float[] argMax);
}
