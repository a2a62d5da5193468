package io.mambaspark.engine.examples;

import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Outputs;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Scores;
import io.mambaspark.engine.score.Sequence;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;

/** Prints the perplexity of two sequences of token ids. */
public final class ScoreTokens {
  private ScoreTokens() {}

  /** Scores with the checkpoint in the folder that is the argument. */
  public static void main(String[] args) {
    MambaModel model = MambaModel.load(Path.of(args[0]));
    List<Sequence<String>> sequences =
        List.of(
            new Sequence<>("first", new int[] {0, 42, 371, 1000, 14}),
            new Sequence<>("second", new int[] {0, 7, 3000}));
    // Only the perplexity: no values for each token, no top k, no last logits.
    Outputs outputs = new Outputs(true, false, false, 0, false);
    Iterator<Scores<String>> results = new Scorer(model).score(sequences.iterator(), outputs);
    while (results.hasNext()) {
      Scores<String> scores = results.next();
      System.out.println(
          scores.key() + ": " + scores.tokenCount() + " tokens, perplexity " + scores.perplexity());
    }
  }
}
