package io.mambaspark.engine.score;

import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.model.TestModels;
import java.util.List;
import java.util.Random;

/**
 * Scores one document; the arguments are its number of tokens and whether the model is a Mamba-2.
 * Runs in a JVM with a small heap.
 */
final class LongDocument {
  private LongDocument() {}

  public static void main(String[] args) {
    boolean mamba2 = Boolean.parseBoolean(args[1]);
    MambaConfig config = mamba2 ? TestModels.mamba2(16, 2, 64) : MambaConfig.of(16, 2, 64);
    MambaModel model = RandomModel.of(config, 1);
    int[] tokens = new Random(2).ints(Integer.parseInt(args[0]), 0, 64).toArray();
    Scores<String> scores =
        new Scorer(model)
            .score(
                List.of(new Sequence<>("long", tokens)).iterator(),
                new Outputs(true, false, false, 0, false))
            .next();
    System.out.println(scores.tokenCount() + " " + (scores.firstNonFinite() == null));
  }
}
