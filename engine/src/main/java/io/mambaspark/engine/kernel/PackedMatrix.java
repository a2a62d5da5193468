package io.mambaspark.engine.kernel;

/**
 * A weight matrix W of shape (n, k) in the layout that {@link Kernels#product} reads: panels of
 * sixteen rows of W, two of them side by side as (k, 32), so that one step along k reads
 * neighbouring floats. Beside the last one of an odd number stand zeros.
 *
 * <p>In BF16 a pair is (k, 16) ints, whose lower halves are the first panel and whose upper halves
 * the second: a shift makes floats of the ones, a mask of the others.
 *
 * <p>The rows may be divided into sections, each of which begins a panel of its own; the rest of a
 * section's last panel is zero. It is filled once by {@link #rows} and must not change after that.
 */
public final class PackedMatrix {
  /** Floats from one step of a pair of panels to the next. */
  static final int PAIR = 2 * Panels.WIDTH;

  /**
   * Elements in one array, at most: 64 MB of floats with the header. Large enough to be rare, small
   * enough to find a place in any heap.
   */
  private static final int SEGMENT = (1 << 24) - 32;

  /**
   * Elements before the first pair. G1 begins large arrays at the border of a region, and their
   * elements 16 bytes after it: so the panels begin at the border of a cache line, which is worth a
   * fifteenth of the product's speed. Where an array lies otherwise nothing is lost.
   */
  static final int LEAD = 12;

  private final int k;
  private final int[] sections;
  private final int panels;
  private final int pairsPerSegment;
  private final WeightFormat format;

  /** The pairs in F32; empty in BF16. */
  private final float[][] floats;

  /** The pairs in BF16; empty in F32. */
  private final int[][] halves;

  /** A matrix of zeros with {@code k} columns and sections of the given numbers of rows. */
  public PackedMatrix(WeightFormat format, int k, int... sections) {
    this(format, k, sections, SEGMENT);
  }

  /** With arrays of about {@code segment} elements. */
  PackedMatrix(WeightFormat format, int k, int[] sections, int segment) {
    this.format = format;
    this.k = k;
    this.sections = sections.clone();
    this.panels = panelsOf(sections);
    int pairs = (panels + 1) / 2;
    int elements = elementsOfPair();
    this.pairsPerSegment = Math.max(1, segment / elements);
    int count = (pairs + pairsPerSegment - 1) / pairsPerSegment;
    this.floats = new float[format == WeightFormat.F32 ? count : 0][];
    this.halves = new int[format == WeightFormat.BF16 ? count : 0][];
    for (int s = 0; s < count; s++) {
      int held = Math.min(pairsPerSegment, pairs - s * pairsPerSegment);
      if (format == WeightFormat.F32) {
        floats[s] = new float[LEAD + held * elements];
      } else {
        halves[s] = new int[LEAD + held * elements];
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

  /** Bytes of memory that a matrix of this shape takes. */
  public static long bytes(WeightFormat format, int k, int... sections) {
    return (panelsOf(sections) + 1L) / 2 * PAIR * k * format.bytes();
  }

  /** The number of columns of W. */
  int k() {
    return k;
  }

  private int elementsOfPair() {
    return format == WeightFormat.F32 ? k * PAIR : k * Panels.WIDTH;
  }

  /** The number of panels over all sections. */
  public int panels() {
    return panels;
  }

  /** How the weights are kept. */
  WeightFormat format() {
    return format;
  }

  /** In F32 the array that holds panel {@code panel}, whose pair begins at {@link #offset}. */
  float[] floats(int panel) {
    return floats[panel / 2 / pairsPerSegment];
  }

  /** In BF16 the array that holds panel {@code panel}, whose pair begins at {@link #offset}. */
  int[] halves(int panel) {
    return halves[panel / 2 / pairsPerSegment];
  }

  /** Where the pair of panel {@code panel} begins in its array. */
  int offset(int panel) {
    return LEAD + panel / 2 % pairsPerSegment * elementsOfPair();
  }

  /** The weight at step {@code i} and lane {@code lane} of panel {@code panel}. */
  float weight(int panel, int i, int lane) {
    if (format == WeightFormat.F32) {
      return floats(panel)[offset(panel) + i * PAIR + panel % 2 * Panels.WIDTH + lane];
    }
    int both = halves(panel)[offset(panel) + i * Panels.WIDTH + lane];
    return WeightFormat.fromBf16((short) (panel % 2 == 0 ? both : both >>> 16));
  }

  /** The panel after the last one that lies in the same array as {@code panel}. */
  int segmentEnd(int panel) {
    return Math.min(panels, (panel / 2 / pairsPerSegment + 1) * pairsPerSegment * 2);
  }

  /**
   * Sets rows {@code first} … {@code first + count - 1} of one section.
   *
   * @param values {@code count} rows of {@code k} floats, row-major
   */
  public void rows(int section, int first, int count, float[] values) {
    int before = 0;
    for (int s = 0; s < section; s++) {
      before += Panels.count(sections[s]);
    }
    for (int row = first; row < first + count; ) {
      // Panel by panel and column by column: memory is written in order.
      int lanes = Math.min(Panels.WIDTH - row % Panels.WIDTH, first + count - row);
      int panel = before + row / Panels.WIDTH;
      int lane = row % Panels.WIDTH;
      int from = (row - first) * k;
      if (format == WeightFormat.F32) {
        transpose(values, from, lanes, panel, lane, floats(panel));
      } else {
        transpose(values, from, lanes, panel, lane, halves(panel));
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

  /**
   * One element of {@link Kernels#product}, to the bit: row {@code row} of {@code a}, (k panels,
   * stride, 16), by row {@code n} of the first section.
   */
  public float dot(float[] a, int row, int stride, int n) {
    float sum = 0f;
    for (int i = 0; i < k; i++) {
      float weight = weight(n / Panels.WIDTH, i, n % Panels.WIDTH);
      sum = Math.fma(a[Panels.index(row, i, stride)], weight, sum);
    }
    return sum;
  }

  /**
   * Writes row {@code n} of the first section into row {@code row} of {@code to}, (k panels,
   * stride, 16), and zeros into the padding: a sequence that overflowed may have left NaN there.
   */
  public void copyRow(int n, float[] to, int row, int stride) {
    for (int i = 0; i < k; i++) {
      to[Panels.index(row, i, stride)] = weight(n / Panels.WIDTH, i, n % Panels.WIDTH);
    }
    for (int i = k; i % Panels.WIDTH != 0; i++) {
      to[Panels.index(row, i, stride)] = 0f;
    }
  }
}
