package io.mambaspark.engine.kernel;

/**
 * A weight matrix W of shape (n, k) in the layout that {@link Kernels#product} reads: panels of
 * sixteen rows of W, two of them side by side as (k, 32), so that one step along k reads
 * neighbouring floats. The last one of an odd number stands alone, (k, 16).
 *
 * <p>The rows may be divided into sections, each of which begins a panel of its own; the rest of a
 * section's last panel is zero. It is filled once by {@link #rows} and must not change after that.
 */
public final class PackedMatrix {
  /**
   * Elements in one array, at most: 64 MB of floats with the header. Large enough to be rare, small
   * enough to find a place in any heap.
   */
  private static final int SEGMENT = (1 << 24) - 32;

  /**
   * Elements before the first panel. G1 begins large arrays at the border of a region, and their
   * elements 16 bytes after it: so the panels begin at the border of a cache line, which is worth a
   * fifteenth of the product's speed. Where an array lies otherwise nothing is lost.
   */
  static final int LEAD = 12;

  private final int k;
  private final int[] sections;
  private final int panels;
  private final int panelsPerSegment;
  private final WeightFormat format;

  /** The panels in F32; empty in BF16. */
  private final float[][] segments;

  /** The panels in BF16; empty in F32. */
  private final short[][] halves;

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
    // An even number: a pair must lie in one array.
    int panelFloats = panelFloats();
    this.panelsPerSegment = Math.max(2, segment / panelFloats / 2 * 2);
    int count = (panels + panelsPerSegment - 1) / panelsPerSegment;
    this.segments = new float[format == WeightFormat.F32 ? count : 0][];
    this.halves = new short[format == WeightFormat.BF16 ? count : 0][];
    for (int s = 0; s < count; s++) {
      int held = Math.min(panelsPerSegment, panels - s * panelsPerSegment);
      if (format == WeightFormat.F32) {
        segments[s] = new float[LEAD + held * panelFloats];
      } else {
        halves[s] = new short[LEAD + held * panelFloats];
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
    return (long) panelsOf(sections) * Panels.WIDTH * k * format.bytes();
  }

  /** The number of columns of W. */
  int k() {
    return k;
  }

  /** Floats in a panel. */
  int panelFloats() {
    return k * Panels.WIDTH;
  }

  /** The number of panels over all sections. */
  public int panels() {
    return panels;
  }

  /** How the weights are kept. */
  WeightFormat format() {
    return format;
  }

  /** In F32 the array that holds panel {@code panel}, from {@link #offset} on. */
  float[] segment(int panel) {
    return segments[panel / panelsPerSegment];
  }

  /** In BF16 the array that holds panel {@code panel}, as {@link #segment}. */
  short[] halves(int panel) {
    return halves[panel / panelsPerSegment];
  }

  /** Writes panel {@code panel}, (k, 16), to the beginning of {@code to}, in either format. */
  void unpack(int panel, float[] to) {
    int step = step(panel);
    for (int i = 0; i < k; i++) {
      int from = offset(panel) + i * step;
      for (int lane = 0; lane < Panels.WIDTH; lane++) {
        to[i * Panels.WIDTH + lane] = value(panel, from + lane);
      }
    }
  }

  /** The element at {@code index} of the array that holds panel {@code panel}. */
  private float value(int panel, int index) {
    return format == WeightFormat.F32
        ? segment(panel)[index]
        : WeightFormat.fromBf16(halves(panel)[index]);
  }

  /** Where panel {@code panel} begins in its array. */
  int offset(int panel) {
    int inSegment = panel % panelsPerSegment;
    return LEAD + inSegment / 2 * 2 * panelFloats() + inSegment % 2 * Panels.WIDTH;
  }

  /** From one step along k to the next in panel {@code panel}: 32 in a pair, 16 alone. */
  int step(int panel) {
    return (panel | 1) < panels ? 2 * Panels.WIDTH : Panels.WIDTH;
  }

  /** The panel after the last one that lies in the same array as {@code panel}. */
  int segmentEnd(int panel) {
    return Math.min(panels, (panel / panelsPerSegment + 1) * panelsPerSegment);
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
      int to = offset(panel) + row % Panels.WIDTH;
      int from = (row - first) * k;
      if (format == WeightFormat.F32) {
        transpose(values, from, lanes, segment(panel), to, step(panel));
      } else {
        transpose(values, from, lanes, halves(panel), to, step(panel));
      }
      row += lanes;
    }
  }

  private void transpose(float[] values, int from, int lanes, float[] segment, int to, int step) {
    for (int i = 0; i < k; i++) {
      for (int lane = 0; lane < lanes; lane++) {
        segment[to + i * step + lane] = values[from + lane * k + i];
      }
    }
  }

  private void transpose(float[] values, int from, int lanes, short[] segment, int to, int step) {
    for (int i = 0; i < k; i++) {
      for (int lane = 0; lane < lanes; lane++) {
        segment[to + i * step + lane] = WeightFormat.toBf16(values[from + lane * k + i]);
      }
    }
  }

  /**
   * Writes row {@code n} of the first section into row {@code row} of {@code to}, (k panels,
   * stride, 16), and zeros into the padding: a sequence that overflowed may have left NaN there.
   */
  public void copyRow(int n, float[] to, int row, int stride) {
    int panel = n / Panels.WIDTH;
    int from = offset(panel) + n % Panels.WIDTH;
    int step = step(panel);
    for (int i = 0; i < k; i++) {
      to[Panels.index(row, i, stride)] = value(panel, from + i * step);
    }
    for (int i = k; i % Panels.WIDTH != 0; i++) {
      to[Panels.index(row, i, stride)] = 0f;
    }
  }
}
