package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.MambaState;
import io.mambaspark.engine.model.Piece;
import io.mambaspark.engine.model.Workspace;
import io.mambaspark.engine.score.Runs.Run;
import java.util.ArrayList;
import java.util.List;
import java.util.function.IntConsumer;

/** Lays runs of tokens end to end into chunks, without padding, and runs the model over them. */
final class Chunks<T> {
  private final MambaModel model;
  private final Workspace workspace;
  private final Runs<T> runs;
  private final int mostParts;
  private final IntConsumer chunkDone;
  private final int[] tokens;

  /** The state of the run that the last chunk cut, if it cut one. */
  private final MambaState carried;

  private Run<T> run;

  /** How far the run has come: the token of its sequence that is next. */
  private int at;

  /**
   * Part of one run in a chunk: tokens of its sequence from {@code start} on, at rows from {@code
   * row} on. Every run has one part that starts where it starts, be it empty.
   */
  record Part<T>(Run<T> run, int start, int row, int length) {
    /** Whether the run begins with it. */
    boolean begins() {
      return start == run.start();
    }

    /** Whether the run ends with it. */
    boolean ends() {
      return start + length == run.end();
    }
  }

  /**
   * Prepares chunks as large as the workspace.
   *
   * @param mostParts how many parts a chunk may have, however short they are
   * @param chunkDone told after each chunk how many tokens it had
   */
  Chunks(
      MambaModel model, Workspace workspace, Runs<T> runs, int mostParts, IntConsumer chunkDone) {
    this.model = model;
    this.workspace = workspace;
    this.runs = runs;
    this.mostParts = mostParts;
    this.chunkDone = chunkDone;
    this.tokens = new int[workspace.tokens()];
    this.carried = new MambaState(model.config());
  }

  /** Runs the next chunk and tells what it held; empty when all runs are done. */
  List<Part<T>> next() {
    List<Part<T>> parts = new ArrayList<>();
    List<Piece> pieces = new ArrayList<>();
    int rows = 0;
    while (rows < tokens.length && parts.size() < mostParts) {
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
