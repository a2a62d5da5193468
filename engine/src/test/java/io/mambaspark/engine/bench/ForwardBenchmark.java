package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.Piece;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.model.Workspace;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.TimeUnit;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Two layers of the 130m shape with the complete head. Run it with the gc profiler and read {@code
 * gc.alloc.rate.norm}: a forward step must not allocate, and the allocation for a scored document
 * must depend on its number of chunks, not on its number of tokens.
 */
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MILLISECONDS)
@Warmup(iterations = 5, time = 2)
@Measurement(iterations = 5, time = 2)
@Fork(1)
@State(Scope.Thread)
public class ForwardBenchmark {
  private final Shape shape = Shape.mamba1("two layers", 768, 2);
  private final MambaConfig config = shape.config();
  private final MambaModel model = RandomModel.of(config, 1);
  private final Workspace workspace = new Workspace(config, Scorer.CHUNK);
  private final List<Piece> pieces = List.of(new Piece(Scorer.CHUNK, null, null));
  private final int[] tokens = random(Scorer.CHUNK);
  private final Scorer scorer = new Scorer(model);

  private int[] random(int length) {
    return new SplittableRandom(1).ints(length, 0, config.vocabSize()).toArray();
  }

  /** A document of a given length. */
  @State(Scope.Thread)
  public static class Document {
    /** The document's length in chunks. */
    @Param({"1", "9"})
    public int chunks;

    private Sequence<Integer> sequence;

    private Sequence<Integer> sequence(ForwardBenchmark of) {
      if (sequence == null) {
        sequence = new Sequence<>(0, of.random(chunks * Scorer.CHUNK + 1));
      }
      return sequence;
    }
  }

  /** Runs one chunk through the layers. */
  @Benchmark
  public float[] forward() {
    model.forward(workspace, tokens, pieces);
    return workspace.hidden();
  }

  /** Computes the perplexity of a document. */
  @Benchmark
  public Scores<Integer> score(Document document) {
    Outputs perplexity = new Outputs(true, false, false, 0, false);
    return scorer.score(List.of(document.sequence(this)).iterator(), perplexity).next();
  }
}
