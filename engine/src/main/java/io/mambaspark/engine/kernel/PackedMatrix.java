package io.mambaspark.engine.kernel;

import java.util.Arrays;

/**
 * A weight matrix W of shape (n, k) in the layout that {@link Kernels#product} reads: panels of
 * sixteen rows of W. Two panels form a pair (k, 32), so that one step along k reads consecutive
 * floats. If the number of panels is odd, the second half of the last pair is zero.
 *
 * <p>In BF16 a pair is (k, 16) ints, whose lower halves are the first panel and whose upper halves
 * are the second. A shift converts the lower halves to floats, and a mask converts the upper
 * halves.
 *
 * <p>In INT8 a pair is (k / 2 rounded up, 16) ints of two steps along k. The bytes of an int, from
 * the lowest, are the first panel and the second at the first step, then both at the second step.
 * Each row also has a unit, as {@link Quantization} defines. In INT16 the high digits have this
 * layout, and the low digits are a matrix of their own.
 *
 * <p>The rows may be divided into sections. Each section begins in a new panel, and the rest of its
 * last panel is zero. {@link #rows} fills the matrix once; afterwards it must not change.
 */
public final class PackedMatrix {
  /** The number of floats of one step along k in a pair of panels. */
  static final int PAIR = 2 * Panels.WIDTH;

  /**
   * The maximum number of elements in one array: 64 MB of floats, including the array's header. It
   * is large enough that few arrays are needed, and small enough that an array fits in any heap.
   */
  private static final int SEGMENT = (1 << 24) - 32;

  /**
   * The number of unused elements before the first pair. G1 places a large array at the start of a
   * region, and its elements 16 bytes later. This offset then aligns the panels to cache lines,
   * which is worth a fifteenth of the product's speed. At other addresses it does no harm.
   */
  static final int LEAD = 12;

  private final int k;

  /** The first panel of each section. */
  private final int[] firstPanels;

  private final int panels;
  private final int pairsPerSegment;
  private final WeightFormat format;

  /** The pairs in F32; empty in other formats. */
  private final float[][] floats;

  /** The pairs in BF16, and those of integers or of their high digits; empty in F32. */
  private final int[][] ints;

  /** The unit of each row of integers, (panels, 16); empty in other formats. */
  private final float[] units;

  /** The low digits of integers of two digits, as the integers of a matrix in INT8; or null. */
  private final PackedMatrix low;

  /** The digits in native memory, which replaces {@link #ints}; or null. */
  private NativeDigits nativeDigits;

  /** Creates a matrix of zeros with {@code k} columns and sections of these numbers of rows. */
  public PackedMatrix(WeightFormat format, int k, int... sections) {
    this(format, k, sections, SEGMENT);
  }

  /** Creates a matrix of zeros whose arrays have about {@code segment} elements. */
  PackedMatrix(WeightFormat format, int k, int[] sections, int segment) {
    if (format.isInteger() && k > Quantization.maxK(format)) {
      throw new IllegalArgumentException(
          "Cannot pack a matrix of %d columns as %s: expected at most %d"
              .formatted(k, format, Quantization.maxK(format)));
    }
    this.format = format;
    this.k = k;
    this.panels = panelsOf(sections);
    this.firstPanels = new int[sections.length];
    for (int s = 1; s < sections.length; s++) {
      firstPanels[s] = firstPanels[s - 1] + Panels.count(sections[s - 1]);
    }
    int pairs = (panels + 1) / 2;
    int elements = elementsOfPair();
    this.pairsPerSegment = Math.max(1, segment / elements);
    int count = (pairs + pairsPerSegment - 1) / pairsPerSegment;
    this.floats = new float[format == WeightFormat.F32 ? count : 0][];
    this.ints = new int[format == WeightFormat.F32 ? 0 : count][];
    this.units = new float[format.isInteger() ? panels * Panels.WIDTH : 0];
    this.low =
        format.digits() == 2 ? new PackedMatrix(WeightFormat.INT8, k, sections, segment) : null;
    for (int s = 0; s < count; s++) {
      int held = Math.min(pairsPerSegment, pairs - s * pairsPerSegment);
      if (format == WeightFormat.F32) {
        floats[s] = new float[LEAD + held * elements];
      } else {
        ints[s] = new int[LEAD + held * elements];
      }
    }
  }

  private static int panelsOf(int... sections) {
    int panels = 0;
    for (int rows : sections) {
      panels += Panels.count(rows);
    }
    return panels;
  }

  /** The size in memory, in bytes, of a matrix of this shape. */
  public static long bytes(WeightFormat format, int k, int... sections) {
    int panels = panelsOf(sections);
    long pairs = (panels + 1L) / 2;
    if (format.isInteger()) {
      long digits =
          pairs * intsOfPair(k) * Integer.BYTES + (long) panels * Panels.WIDTH * Float.BYTES;
      return format.digits() * digits;
    }
    return pairs * PAIR * k * (format == WeightFormat.F32 ? Float.BYTES : Short.BYTES);
  }

  /** The number of columns of W. */
  public int k() {
    return k;
  }

  private int elementsOfPair() {
    return switch (format) {
      case F32 -> k * PAIR;
      case BF16 -> k * Panels.WIDTH;
      case INT8, INT8_OUT16, INT16 -> intsOfPair(k);
    };
  }

  /** The number of ints of a pair of one digit. */
  private static int intsOfPair(int k) {
    return (k + 1) / 2 * Panels.WIDTH;
  }

  /** The number of panels in all sections. */
  public int panels() {
    return panels;
  }

  /** The format of the weights in memory. */
  public WeightFormat format() {
    return format;
  }

  /** Refuses a matrix of integers, whose weights without their units would be wrong numbers. */
  void checkFloats() {
    if (format.isInteger()) {
      throw new IllegalArgumentException(
          "Cannot read floats from a matrix in %s: expected f32 or bf16".formatted(format));
    }
  }

  /** The array of F32 weights that contains a panel; the panel's pair begins at {@link #offset}. */
  float[] floats(int panel) {
    return floats[panel / 2 / pairsPerSegment];
  }

  /**
   * The array of weights in BF16, or of integers or of their high digits, that contains a panel;
   * the panel's pair begins at {@link #offset}.
   */
  int[] ints(int panel) {
    return ints[panel / 2 / pairsPerSegment];
  }

  /** The units of the rows of integers, (panels, 16), zero for padding. Not a copy. */
  float[] units() {
    return units;
  }

  /** The low digits of integers of two digits, as the integers of a matrix in INT8. */
  PackedMatrix low() {
    return low;
  }

  /** Replaces the digits in the heap with the same digits in native memory. */
  void moveTo(NativeDigits digits) {
    nativeDigits = digits;
    Arrays.fill(ints, null);
  }

  /** The digits in native memory; null if they are in the heap. */
  NativeDigits nativeDigits() {
    return nativeDigits;
  }

  /** The index at which the pair of panel {@code panel} begins in its array. */
  int offset(int panel) {
    return LEAD + panel / 2 % pairsPerSegment * elementsOfPair();
  }

  /**
   * The weight at step {@code i} and lane {@code lane} of panel {@code panel}. Of an integer it is
   * the only digit or the high one, without the unit.
   */
  float weight(int panel, int i, int lane) {
    if (format == WeightFormat.F32) {
      return floats(panel)[offset(panel) + i * PAIR + panel % 2 * Panels.WIDTH + lane];
    }
    if (nativeDigits != null) {
      return nativeDigits.digit(panel, i, lane);
    }
    if (format.isInteger()) {
      int four = ints(panel)[offset(panel) + i / 2 * Panels.WIDTH + lane];
      return (byte) (four >> shift(panel, i));
    }
    int both = ints(panel)[offset(panel) + i * Panels.WIDTH + lane];
    return WeightFormat.fromBf16((short) (panel % 2 == 0 ? both : both >>> 16));
  }

  /** The number of bits below the digits of panel {@code panel} at step {@code i}. */
  private static int shift(int panel, int i) {
    return (i % 2 * 2 + panel % 2) * Byte.SIZE;
  }

  /** The panel after the last one in the same array as {@code panel}. */
  int segmentEnd(int panel) {
    return Math.min(panels, (panel / 2 / pairsPerSegment + 1) * pairsPerSegment * 2);
  }

  /**
   * Sets rows {@code first} … {@code first + count - 1} of one section.
   *
   * @param values {@code count} rows of {@code k} floats, row-major
   */
  public void rows(int section, int first, int count, float[] values) {
    for (int row = first; row < first + count; ) {
      // Panel by panel and column by column, to write memory in order.
      int lanes = Math.min(Panels.WIDTH - row % Panels.WIDTH, first + count - row);
      int panel = firstPanels[section] + row / Panels.WIDTH;
      int lane = row % Panels.WIDTH;
      int from = (row - first) * k;
      switch (format) {
        case F32 -> transpose(values, from, lanes, panel, lane, floats(panel));
        case BF16 -> transpose(values, from, lanes, panel, lane, ints(panel));
        case INT8, INT8_OUT16, INT16 -> quantize(values, from, lanes, panel, lane);
      }
      row += lanes;
    }
  }

  private void transpose(float[] values, int from, int lanes, int panel, int lane, float[] pairs) {
    int to = offset(panel) + panel % 2 * Panels.WIDTH + lane;
    for (int i = 0; i < k; i++) {
      for (int row = 0; row < lanes; row++) {
        pairs[to + i * PAIR + row] = values[from + row * k + i];
      }
    }
  }

  private void transpose(float[] values, int from, int lanes, int panel, int lane, int[] pairs) {
    int to = offset(panel) + lane;
    int shift = panel % 2 * 16;
    for (int i = 0; i < k; i++) {
      for (int row = 0; row < lanes; row++) {
        int half = WeightFormat.toBf16(values[from + row * k + i]) & 0xffff;
        pairs[to + i * Panels.WIDTH + row] |= half << shift;
      }
    }
  }

  private void quantize(float[] values, int from, int lanes, int panel, int lane) {
    int digits = format.digits();
    for (int row = 0; row < lanes; row++) {
      int at = from + row * k;
      float largest = 0f;
      for (int i = 0; i < k; i++) {
        largest = Math.max(largest, Math.abs(values[at + i]));
      }
      float scale = Quantization.scale(largest, digits);
      units[panel * Panels.WIDTH + lane + row] = Quantization.unit(scale, digits);
      for (int i = 0; i < k; i++) {
        int q = Quantization.quantized(values[at + i], scale);
        setDigit(panel, i, lane + row, digits == 1 ? q : Quantization.high(q));
        if (digits == 2) {
          low.setDigit(panel, i, lane + row, Quantization.low(q));
        }
      }
    }
  }

  private void setDigit(int panel, int i, int lane, int digit) {
    int at = offset(panel) + i / 2 * Panels.WIDTH + lane;
    ints(panel)[at] |= (digit & 0xff) << shift(panel, i);
  }

  /**
   * Computes one element of {@link Kernels#product(QuantizedRows, PackedMatrix, float[], int, int,
   * float[])}, equal bit for bit: row {@code row} of A and row {@code n} of the first section,
   * without a bias.
   */
  public float dot(QuantizedRows a, int row, int n) {
    a.check(this);
    int panel = n / Panels.WIDTH;
    int lane = n % Panels.WIDTH;
    int high = 0;
    int rest = 0;
    for (int i = 0; i < k; i++) {
      int at = Panels.index(row, i, a.stride);
      int weight = (int) weight(panel, i, lane);
      high += (int) a.high[at] * weight;
      if (low != null) {
        rest += (int) a.low[at] * weight + (int) a.high[at] * (int) low.weight(panel, i, lane);
      }
    }
    return Quantization.result(high, rest, a.digits, a.scales[row], units[n]);
  }

  /**
   * Computes one element of {@link Kernels#product}, equal bit for bit: the dot product of row
   * {@code row} of {@code a}, (k panels, stride, 16), and row {@code n} of the first section.
   */
  public float dot(float[] a, int row, int stride, int n) {
    checkFloats();
    float sum = 0f;
    for (int i = 0; i < k; i++) {
      float weight = weight(n / Panels.WIDTH, i, n % Panels.WIDTH);
      sum = Math.fma(a[Panels.index(row, i, stride)], weight, sum);
    }
    return sum;
  }

  /**
   * Writes row {@code n} of the first section into row {@code row} of {@code to}, (k panels,
   * stride, 16), and zeros into the padding. The padding may contain NaN from an earlier sequence
   * that overflowed.
   */
  public void copyRow(int n, float[] to, int row, int stride) {
    checkFloats();
    for (int i = 0; i < k; i++) {
      to[Panels.index(row, i, stride)] = weight(n / Panels.WIDTH, i, n % Panels.WIDTH);
    }
    for (int i = k; i % Panels.WIDTH != 0; i++) {
      to[Panels.index(row, i, stride)] = 0f;
    }
  }
}
