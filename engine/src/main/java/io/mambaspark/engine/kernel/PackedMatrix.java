package io.mambaspark.engine.kernel;

/**
 * A weight matrix W of shape (n, k) in the layout that {@link Kernels#product} reads: panels of
 * sixteen rows of W, each stored as (k, 16), so that one step along k reads neighbouring floats.
 *
 * <p>The rows may be divided into sections, each of which begins a panel of its own; the rest of a
 * section's last panel is zero. It is filled once by {@link #rows} and must not change after that.
 */
public final class PackedMatrix {
  /** Floats in one array, at most: large enough to be rare, small enough for any heap region. */
  private static final int SEGMENT = 1 << 24;

  private final int k;
  private final int[] sections;
  private final int panels;
  private final int panelsPerSegment;
  private final float[][] segments;

  /** A matrix of zeros with {@code k} columns and sections of the given numbers of rows. */
  public PackedMatrix(int k, int... sections) {
    this(k, sections, SEGMENT);
  }

  /** With arrays of about {@code segment} floats. */
  PackedMatrix(int k, int[] sections, int segment) {
    this.k = k;
    this.sections = sections.clone();
    this.panels = panelsOf(sections);
    // An even number: the product takes two panels at a time, and they must lie in one array.
    int panelFloats = panelFloats();
    this.panelsPerSegment = Math.max(2, segment / panelFloats / 2 * 2);
    this.segments = new float[(panels + panelsPerSegment - 1) / panelsPerSegment][];
    for (int s = 0; s < segments.length; s++) {
      int held = Math.min(panelsPerSegment, panels - s * panelsPerSegment);
      segments[s] = new float[held * panelFloats];
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
  public static long bytes(int k, int... sections) {
    return (long) panelsOf(sections) * Panels.WIDTH * k * Float.BYTES;
  }

  /** The number of columns of W. */
  int k() {
    return k;
  }

  /** Floats from one panel to the next. */
  int panelFloats() {
    return k * Panels.WIDTH;
  }

  /** The number of panels over all sections. */
  public int panels() {
    return panels;
  }

  /** The array that holds panel {@code panel}, from {@link #offset} on; its neighbour follows. */
  float[] segment(int panel) {
    return segments[panel / panelsPerSegment];
  }

  /** Where panel {@code panel} begins in its {@link #segment}. */
  int offset(int panel) {
    return panel % panelsPerSegment * panelFloats();
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
      float[] segment = segment(panel);
      int to = offset(panel) + row % Panels.WIDTH;
      int from = (row - first) * k;
      for (int i = 0; i < k; i++) {
        for (int lane = 0; lane < lanes; lane++) {
          segment[to + i * Panels.WIDTH + lane] = values[from + lane * k + i];
        }
      }
      row += lanes;
    }
  }

  /**
   * Writes row {@code n} of the first section into row {@code row} of {@code to}, (k panels,
   * stride, 16), and zeros into the padding: a sequence that overflowed may have left NaN there.
   */
  public void copyRow(int n, float[] to, int row, int stride) {
    float[] segment = segment(n / Panels.WIDTH);
    int from = offset(n / Panels.WIDTH) + n % Panels.WIDTH;
    for (int i = 0; i < k; i++) {
      to[Panels.index(row, i, stride)] = segment[from + i * Panels.WIDTH];
    }
    for (int i = k; i % Panels.WIDTH != 0; i++) {
      to[Panels.index(row, i, stride)] = 0f;
    }
  }
}
