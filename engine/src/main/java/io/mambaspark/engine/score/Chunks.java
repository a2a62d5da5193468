package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.MambaState;
import io.mambaspark.engine.model.Piece;
import io.mambaspark.engine.model.Workspace;
import io.mambaspark.engine.score.Runs.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** Packs runs of tokens end to end into chunks, without padding, and runs the model over them. */
final class Chunks<T> {
  private final MambaModel model;
  private final Workspace workspace;
  private final Runs<T> runs;
  private final int maxParts;
  private final IntConsumer chunkDone;
  private final int[] tokens;

  /** The state of the run that the last chunk split, if it split one. */
  private final MambaState carried;

  private Run<T> run;

  /** The index, in the sequence, of the next token of the run. */
  private int at;

  /**
   * The part of one run in a chunk. Its tokens begin at {@code start} in the sequence, and at
   * {@code row} in the chunk. Every run, even an empty one, has a part that begins at the run's
   * start.
   */
  record Part<T>(Run<T> run, int start, int row, int length) {
    /** Whether this is the first part of the run. */
    boolean begins() {
      return start == run.start();
    }

    /** Whether this is the last part of the run. */
    boolean ends() {
      return start + length == run.end();
    }
  }

  /**
   * Prepares chunks of up to {@code workspace.tokens()} tokens.
   *
   * @param maxParts the maximum number of parts in a chunk, however short they are
   * @param chunkDone called after each chunk with its number of tokens
   */
  Chunks(MambaModel model, Workspace workspace, Runs<T> runs, int maxParts, IntConsumer chunkDone) {
    this.model = model;
    this.workspace = workspace;
    this.runs = runs;
    this.maxParts = maxParts;
    this.chunkDone = chunkDone;
    this.tokens = new int[workspace.tokens()];
    this.carried = new MambaState(model.config());
  }

  /** Runs the next chunk and returns its parts; returns an empty list when all runs are done. */
  List<Part<T>> next() {
    List<Part<T>> parts = new ArrayList<>();
    List<Piece> pieces = new ArrayList<>();
    int rows = 0;
    while (rows < tokens.length && parts.size() < maxParts) {
      if (run == null || at == run.end()) {
        if (!runs.hasNext()) {
          break;
        }
        run = runs.next();
        at = run.start();
      }
      int taken = Math.min(run.end() - at, tokens.length - rows);
      Part<T> part = new Part<>(run, at, rows, taken);
      parts.add(part);
      if (taken > 0) {
        MambaState from = part.begins() ? run.from() : carried;
        MambaState to = part.ends() ? run.to() : carried;
        pieces.add(new Piece(taken, from, to));
        System.arraycopy(run.sequence().tokens(), at, tokens, rows, taken);
        if (part.begins() && run.firstToken() != Windows.AS_IT_IS) {
          tokens[rows] = run.firstToken();
        }
      }
      rows += taken;
      at += taken;
    }
    if (rows > 0) {
      model.forward(workspace, tokens, pieces);
      chunkDone.accept(rows);
    }
    return parts;
  }
}
