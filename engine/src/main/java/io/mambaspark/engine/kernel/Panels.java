package io.mambaspark.engine.kernel;

/**
 * The layout of every activation: column panels.
 *
 * <p>An array of {@code rows} rows (tokens) by {@code columns} channels is stored as {@code
 * (columns / 16, stride, 16)}. Sixteen consecutive channels of one token are adjacent, then the
 * next token follows. The next panel of sixteen channels begins {@code stride} rows later. The last
 * panel is padded with zeros. Convolution and scan, which run along time, then read memory in
 * order, sixteen channels at once, and a matrix product writes complete panels. The width is the
 * same on every machine, so that results do not depend on the number of lanes of its vectors.
 *
 * <p>{@code stride} is at least the number of rows. The rows beyond that number are scratch:
 * kernels may write anything there.
 */
public final class Panels {
  /** The number of channels in a panel. */
  public static final int WIDTH = 16;

  /** The numbers of rows in the tiles of {@code VectorProduct}. */
  private static final int[] TILES = {12, 5};

  private Panels() {}

  /** The number of panels for {@code columns} channels. */
  public static int count(int columns) {
    return (columns + WIDTH - 1) / WIDTH;
  }

  /**
   * Returns the stride, in rows, of an array for {@code rows} rows, rounded up to complete tiles.
   * The stride is an odd multiple of four, so that the starts of the panels are spread over the
   * sets of a cache. A multiple of a higher power of two would map them all to a few sets.
   */
  public static int stride(int rows) {
    int rounded = 0;
    for (int tile : TILES) {
      rounded = Math.max(rounded, (rows + tile - 1) / tile * tile);
    }
    return ((rounded + 3) / 4 | 1) * 4;
  }

  /** The index of channel {@code column} of row {@code row} in an array. */
  public static int index(int row, int column, int stride) {
    return (column / WIDTH * stride + row) * WIDTH + column % WIDTH;
  }
}
