package io.mambaspark.engine.kernel;

/**
 * The layout of every activation: column panels.
 *
 * <p>An array of {@code rows} rows (tokens) by {@code columns} channels is stored as {@code
 * (columns / 16, stride, 16)}: sixteen neighbouring channels of one token lie together, then the
 * next token follows, and the next panel of sixteen channels begins {@code stride} rows further.
 * The last panel is padded with zeros. What walks along time (convolution, scan) then walks through
 * memory in order, sixteen channels abreast, and a matrix product writes whole panels. The width is
 * the same on every machine, so that results do not depend on how many lanes its vectors have.
 *
 * <p>{@code stride} is at least the number of rows; the rows between are scratch: kernels may write
 * anything there.
 */
public final class Panels {
  /** Channels in a panel. */
  public static final int WIDTH = 16;

  /** Rows are computed in tiles of so many. */
  private static final int[] TILES = {12, 5};

  private Panels() {}

  /** Panels that hold {@code columns} channels. */
  public static int count(int columns) {
    return (columns + WIDTH - 1) / WIDTH;
  }

  /**
   * The stride, in rows, of an array with room for {@code rows} rows, the last tile whole: an odd
   * multiple of four, so that the panels' beginnings spread over the sets of a cache. With a higher
   * power of two in it they would all fall into a few.
   */
  public static int stride(int rows) {
    int whole = 0;
    for (int tile : TILES) {
      whole = Math.max(whole, (rows + tile - 1) / tile * tile);
    }
    return ((whole + 3) / 4 | 1) * 4;
  }

  /** Where channel {@code column} of row {@code row} lies. */
  public static int index(int row, int column, int stride) {
    return (column / WIDTH * stride + row) * WIDTH + column % WIDTH;
  }
}
