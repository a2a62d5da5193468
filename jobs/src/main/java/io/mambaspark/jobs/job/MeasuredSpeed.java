package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.model.PackedModels;
import io.mambaspark.jobs.score.Emit;
import java.util.Iterator;
import java.util.Random;

/** Measures the speed of a model on one core of this machine, with random tokens. */
final class MeasuredSpeed {
  private static final double MEASURED_SECONDS = 1.5;

  /** Ends the measurement of a small model earlier. */
  private static final int MEASURED_TOKENS = 1 << 15;

  private static final int SEQUENCE = 512;

  private MeasuredSpeed() {}

  /**
   * Returns the tokens per second on one core, after a warm-up of the same length; 0 if the packed
   * model needs more than 70 % of the heap.
   */
  static double tokensPerSecond(MambaCheckpoint checkpoint, WeightFormat weights, Emit emit) {
    if (checkpoint.packedBytes(weights) > 0.7 * Runtime.getRuntime().maxMemory()) {
      return 0;
    }
    MambaModel model =
        PackedModels.model(
            PackedModels.identity(checkpoint.fingerprint(), weights),
            () -> checkpoint.load(weights));
    run(model, emit);
    return run(model, emit);
  }

  private static double run(MambaModel model, Emit emit) {
    long start = System.nanoTime();
    RandomSequences sequences =
        new RandomSequences(model.config().vocabSize(), start + (long) (MEASURED_SECONDS * 1e9));
    Scorer scorer = new Scorer(model);
    Iterator<?> scores =
        emit.logits() ? scorer.logits(sequences) : scorer.score(sequences, emit.outputs());
    while (scores.hasNext()) {
      scores.next();
    }
    return sequences.tokens / ((System.nanoTime() - start) / 1e9);
  }

  /** Random sequences until a point in time, at least one and at most as many as measured. */
  private static final class RandomSequences implements Iterator<Sequence<Object>> {
    private final Random random = new Random(1);
    private final int vocabSize;
    private final long end;
    private long tokens;

    RandomSequences(int vocabSize, long end) {
      this.vocabSize = vocabSize;
      this.end = end;
    }

    @Override
    public boolean hasNext() {
      return tokens == 0 || tokens < MEASURED_TOKENS && System.nanoTime() < end;
    }

    @Override
    public Sequence<Object> next() {
      tokens += SEQUENCE;
      return new Sequence<>(null, random.ints(SEQUENCE, 0, vocabSize).toArray());
    }
  }
}
