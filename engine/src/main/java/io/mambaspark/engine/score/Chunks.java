package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.MambaState;
import io.mambaspark.engine.model.Piece;
import io.mambaspark.engine.model.Workspace;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.function.IntConsumer;
import java.util.function.ToIntFunction;

/** Lays sequences end to end into chunks, without padding, and runs the model over them. */
final class Chunks<T> {
  private final MambaModel model;
  private final Workspace workspace;
  private final Iterator<Sequence<T>> sequences;
  private final ToIntFunction<Sequence<T>> lengths;
  private final int mostParts;
  private final IntConsumer chunkDone;
  private final int[] tokens;

  /** The state of the sequence that the last chunk cut, if it cut one. */
  private final MambaState carried;

  private Sequence<T> sequence;
  private int done;
  private int length;

  /**
   * Part of one sequence in a chunk: its tokens from {@code start} on, at rows from {@code row} on.
   * Every sequence has one part that starts at 0, be it empty.
   */
  record Part<T>(Sequence<T> sequence, int start, int row, int length) {}

  /**
   * Prepares chunks as large as the workspace.
   *
   * @param lengths how many of a sequence's tokens have to go through the model
   * @param mostParts how many parts a chunk may have, however short they are
   * @param chunkDone told after each chunk how many tokens it had
   */
  Chunks(
      MambaModel model,
      Workspace workspace,
      Iterator<Sequence<T>> sequences,
      ToIntFunction<Sequence<T>> lengths,
      int mostParts,
      IntConsumer chunkDone) {
    this.model = model;
    this.workspace = workspace;
    this.sequences = sequences;
    this.lengths = lengths;
    this.mostParts = mostParts;
    this.chunkDone = chunkDone;
    this.tokens = new int[workspace.tokens()];
    this.carried = new MambaState(model.config());
  }

  /** Runs the next chunk and tells what it held; empty when all sequences are done. */
  List<Part<T>> next() {
    List<Part<T>> parts = new ArrayList<>();
    List<Piece> pieces = new ArrayList<>();
    int rows = 0;
    while (rows < tokens.length && parts.size() < mostParts) {
      if (done == length) {
        if (!sequences.hasNext()) {
          break;
        }
        sequence = sequences.next();
        checkIds(sequence.tokens());
        length = lengths.applyAsInt(sequence);
        done = 0;
      }
      int taken = Math.min(length - done, tokens.length - rows);
      parts.add(new Part<>(sequence, done, rows, taken));
      if (taken > 0) {
        MambaState from = done > 0 ? carried : null;
        MambaState to = done + taken < length ? carried : null;
        pieces.add(new Piece(taken, from, to));
        System.arraycopy(sequence.tokens(), done, tokens, rows, taken);
      }
      rows += taken;
      done += taken;
    }
    if (rows > 0) {
      model.forward(workspace, tokens, pieces);
      chunkDone.accept(rows);
    }
    return parts;
  }

  /** The last id too, which is scored but need not go through the model. */
  private void checkIds(int[] ids) {
    int vocabSize = model.config().vocabSize();
    for (int i = 0; i < ids.length; i++) {
      if (ids[i] < 0 || ids[i] >= vocabSize) {
        throw new IllegalArgumentException(
            "Token id %d at position %d is outside [0, %d)".formatted(ids[i], i, vocabSize));
      }
    }
  }
}
