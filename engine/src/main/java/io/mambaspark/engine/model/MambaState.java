package io.mambaspark.engine.model;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;

/**
 * The state of one sequence between chunks. It holds for each layer the last dConv - 1 inputs of
 * the convolution, (panels, dConv - 1, 16), and the state of the scan, (dInner panels, dState, 16).
 * The {@link MixerConfig} determines the panels of the convolution.
 */
public final class MambaState {
  final float[][] conv;
  final float[][] scan;

  /** Creates the state before the first token of a sequence. */
  public MambaState(MambaConfig config) {
    this.conv = new float[config.nLayer()][config.mixer().convFloats()];
    this.scan = new float[config.nLayer()][config.mixer().scanFloats()];
  }

  /** A kernel that processes the rows of one piece, from a state that it overwrites. */
  @FunctionalInterface
  interface PieceKernel {
    /** Processes rows {@code row} … {@code row + length - 1}. */
    void run(int row, int length);
  }

  /**
   * Runs a kernel over one piece after the other, each from the state of the piece's sequence.
   *
   * @param part selects the part of a state that the kernel continues
   * @param current contains that part during a run: the state before the piece, and then the state
   *     after it
   */
  static void continued(
      List<Piece> pieces, Function<MambaState, float[]> part, float[] current, PieceKernel kernel) {
    int row = 0;
    for (Piece piece : pieces) {
      if (piece.from() == null) {
        Arrays.fill(current, 0f);
      } else {
        System.arraycopy(part.apply(piece.from()), 0, current, 0, current.length);
      }
      kernel.run(row, piece.length());
      if (piece.to() != null) {
        System.arraycopy(current, 0, part.apply(piece.to()), 0, current.length);
      }
      row += piece.length();
    }
  }
}
