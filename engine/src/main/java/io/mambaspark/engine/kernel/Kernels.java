package io.mambaspark.engine.kernel;

/**
 * The arithmetic of a Mamba forward pass over arrays in {@linkplain Panels column panels}.
 *
 * <p>There are two implementations: plain loops, which are the reference, and the Vector API. Their
 * results are equal bit for bit on every machine. Each element of a product is one chain of fused
 * multiply-adds in the order of k, or exact sums of integers, joined in a fixed order. A sum over
 * channels has sixteen partial sums, whatever the width of the hardware's vectors. exp, log and
 * log1p are this library's own polynomials ({@link ScalarMath}).
 *
 * <p>Kernels are stateless except for thread-local scratch memory. Many threads may use them, each
 * with its own arrays. Arrays must not overlap unless a method allows it.
 */
public interface Kernels {
  /**
   * The system property that says whether products of integers are native: {@code auto} (the
   * default: if their library is on the class path and works), {@code off}, or {@code require}.
   */
  String NATIVE = "mambaspark.native";

  /**
   * The system property of the folder in which the library of native products is unpacked; by
   * default that for temporary files.
   */
  String NATIVE_FOLDER = "mambaspark.native.folder";

  /**
   * Returns the best kernels that this JVM can run. They are chosen once, and one log line names
   * them. If the Vector API is missing or C2 does not compile it, they are the scalar kernels, and
   * the log line gives the reason and the remedy. Products of integers are native if their library
   * is on the class path.
   *
   * @throws IllegalStateException if native products are required, but cannot be used
   */
  static Kernels best() {
    return BestKernels.chosen();
  }

  /**
   * Whether products of integers may be native in this JVM: their library is on the class path, and
   * they are not switched off. {@link #best} finds out whether they work.
   */
  static boolean mayBeNative() {
    return NativeProducts.expected();
  }

  /** Whether products of integers are native. */
  default boolean hasNativeProducts() {
    return false;
  }

  /** Describes these kernels in one line, such as {@code Vector API kernels, 16 lanes}. */
  String describe();

  /**
   * Computes the matrix product {@code C = A·Wᵀ (+ bias)} for the panels [first, end) of W, which
   * is in F32 or BF16.
   *
   * @param a A, (k panels, stride, 16), rows 0 … rows-1
   * @param w W, (n, k)
   * @param bias the initial value of each sum, n floats padded to panels; null for zeros
   * @param first the first panel of W to compute
   * @param end the panel of W after the last one to compute
   * @param c result, (end - first, stride, 16); rows up to the stride may be overwritten
   */
  void product(
      float[] a, int rows, int stride, PackedMatrix w, float[] bias, int first, int end, float[] c);

  /**
   * Prepares a filled matrix for products with these kernels: native products move its integers out
   * of the heap. Afterwards only these kernels and the scalar ones can multiply it.
   */
  default void prepare(PackedMatrix w) {}

  /**
   * Rounds rows to integers, as {@link Quantization} defines.
   *
   * @param a (k panels, stride, 16); may contain anything beyond column k
   * @param format the format of the matrix that the rows will be multiplied with; one of integers
   */
  void quantize(
      float[] a, int k, int rows, int stride, WeightFormat format, QuantizedRows quantized);

  /**
   * Computes the panels [first, end) of a product of integers, as {@link Quantization} defines.
   *
   * @param a A, which {@link #quantize} rounded for the format of W
   * @param w W, (n, k), in a format of integers
   * @param bias what is added last, n floats padded to panels; null for none
   * @param c result, (end - first, stride of A, 16); rows up to the stride may be overwritten
   */
  void product(QuantizedRows a, PackedMatrix w, float[] bias, int first, int end, float[] c);

  /**
   * Computes the root mean square norm: {@code to = x · rsqrt(mean(x²) + eps) · weight}.
   *
   * @param x (columns panels, stride, 16), from float {@code xOffset} on
   * @param weight one float per column, padded with zeros to panels; null for ones
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
   * Runs a causal depthwise convolution, followed by SiLU, in place over one piece of a sequence.
   *
   * @param x (panels, stride, 16), rows {@code row} … {@code row + length - 1}
   * @param weight (panels, dConv, 16)
   * @param bias (panels, 16)
   * @param context (panels, dConv - 1, 16): the inputs before the piece; overwritten with the
   *     inputs before the next piece
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
   * Runs the gated selective scan over one piece of a sequence: {@code dt = softplus(dt + dtBias);
   * s = exp(dt·A)·s + dt·B·x; y = (C·s + D·x) · silu(z)} (arXiv:2312.00752, Algorithm 2).
   *
   * @param xz (2 × panels, stride, 16): x, which is overwritten with dt·x, then z
   * @param dt (panels, stride, 16), before its bias and softplus; overwritten with dt after them
   * @param bc holds B from float {@code bOffset} and C from float {@code cOffset} on, each (dState
   *     panels, stride, 16), zero in the padding
   * @param a A · log2(e), (panels, dState, 16): negative or -0, except for zeros in the padding of
   *     the last panel. Exponents dt·A that are +0, positive or NaN are replaced by -126
   * @param d D, (panels, 16)
   * @param dtBias (panels, 16)
   * @param state s, in the layout of {@code a}: the state before the piece; overwritten with the
   *     state after it
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
   * Runs Mamba-2's scan over one piece of a sequence. For each head, {@code dt =
   * min(max(softplus(dt + dtBias), low), high)}. For each of its channels, {@code s = exp(dt·A)·s +
   * (dt·x)·B; y = C·s + D·x} (arXiv:2405.21060, section 3.2, with a scalar A per head). The terms
   * of {@code y} are added in the order D·x, then n = 0 … dState-1. A decay exp(dt·A) below 2^-64
   * is replaced by zero.
   *
   * <p>All arrays of channels have the padding of {@link Heads}. In the padding, x and D must be
   * zero; dt and the decay count as zero there, so y and s are zero, unless B is not finite.
   *
   * @param x (panels, stride, 16); the rows of the piece are overwritten with dt·x
   * @param dt (head panels, stride, 16), before its bias and softplus; the rows of the piece are
   *     overwritten with dt after the clamp. A NaN remains NaN
   * @param bc holds B from float {@code bOffset} and C from float {@code cOffset} on, each (groups
   *     × state panels, stride, 16). May be the array of x, if B and C are behind the panels of x;
   *     B and C are not overwritten
   * @param a A · log2(e), one float per head, padded to panels: negative or -0. If dt is zero, the
   *     state is kept. If dt·A is positive or NaN, the decay is zero
   * @param d D of each channel, (panels, 16)
   * @param dtBias one float per head, padded to panels
   * @param low the smallest dt
   * @param high the largest dt; may be infinite. If it is less than {@code low}, all dt are {@code
   *     high}
   * @param state s, (panels, dState, 16): the state before the piece; overwritten with the state
   *     after it
   * @param y (panels, stride, 16)
   * @param steps scratch of {@link Heads#scratchFloats} floats
   */
  void headScan(
      float[] x,
      float[] dt,
      float[] bc,
      int bOffset,
      int cOffset,
      Heads heads,
      int stride,
      int row,
      int length,
      float[] a,
      float[] d,
      float[] dtBias,
      float low,
      float high,
      float[] state,
      float[] y,
      float[] steps);

  /**
   * Applies the gate and the grouped norm between Mamba-2's scan and out_proj, in place: {@code y =
   * rmsNorm(y·silu(z))·weight}, or with {@code normBeforeGate} {@code y =
   * rmsNorm(y)·weight·silu(z)}. The mean square is that of each group's channels of a row.
   *
   * @param y (groups × panels of a group, stride, 16), with zeros in the padding of each group
   * @param z in the layout of {@code y}, from float {@code zOffset} on
   * @param channelsPerGroup the number of channels of a group, without padding
   * @param weight (groups × panels of a group, 16); null for no norm: {@code y = y·silu(z)}
   * @param sums scratch of stride × 16 floats
   */
  void gatedNorm(
      float[] y,
      float[] z,
      int zOffset,
      int groups,
      int channelsPerGroup,
      int rows,
      int stride,
      float[] weight,
      boolean normBeforeGate,
      float eps,
      float[] sums);

  /**
   * Folds a block of logits into each row's running maximum, sum of exponentials and arg max, and
   * on request the sums that give the moments of ln p. Each row has sixteen of each, one per lane;
   * {@link LogSoftmax} combines them.
   *
   * @param logits (panels, stride, 16)
   * @param firstPanel the number of the block's first panel, for {@code argMax}
   * @param max (rows, 16): the largest logit of the lane so far
   * @param sum (rows, 16): Σ e of the lane so far, e = 2^t, t = (logit - max)·log2(e), at least
   *     -126. With moments, (rows, 3, 16): Σ e, Σ w·t and Σ w·t², w = e - 2^-126
   * @param argMax (rows, 16): the number of the first panel that contains the lane's maximum
   * @param moments whether to compute all three sums; Σ e is the same bits with and without
   */
  void foldLogits(
      float[] logits,
      int panels,
      int firstPanel,
      int rows,
      int stride,
      float[] max,
      float[] sum,
      float[] argMax,
      boolean moments);
}
