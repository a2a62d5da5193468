package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.stats.Totals;
import java.util.Locale;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The summary of a finished scoring job: {@link SummaryText} prints it, {@link SummaryJson} writes
 * it beside the data, {@link SummaryPage} puts it on the page of {@code --report}.
 *
 * @param documents rows of the input
 * @param filtered rows that were left out of the output for their perplexity
 */
record Summary(
    SummaryRequest request,
    InputRead input,
    long documents,
    long filtered,
    CorpusScores corpus,
    Course course,
    ScoredWith with) {

  /**
   * How the job went.
   *
   * @param run names the run; a resumed one has the name of its first start
   * @param units of work; 0 for a job without units
   * @param resumedUnits how many of them earlier starts had done
   * @param seconds from the first task to the last row written
   */
  record Course(String run, int units, int resumedUnits, double seconds) {}

  /**
   * What made the scores.
   *
   * @param tokenizer empty where the input held tokens
   */
  record ScoredWith(Model model, Optional<Artifact> tokenizer) {}

  /**
   * The model and how its weights were kept.
   *
   * @param weights the name of their format
   * @param rounded whether that format is narrower than the stored one
   */
  record Model(Artifact artifact, String weights, boolean rounded, long parameters) {
    static Model of(ModelSource source, WeightFormat weights) {
      MambaCheckpoint checkpoint = source.checkpoint();
      return new Model(
          Artifact.of(source),
          weights.name().toLowerCase(Locale.ROOT),
          checkpoint.rounds(weights),
          checkpoint.parameterCount());
    }
  }

  Totals totals() {
    return corpus.totals();
  }

  ShownPerplexities perplexities() {
    return ShownPerplexities.of(totals(), request);
  }

  /** Empty where it is not known, and where a part of the work was done at another time. */
  OptionalDouble tokensPerSecond() {
    return request.knowsTokens() && course.resumedUnits() == 0
        ? OptionalDouble.of(totals().tokens() / course.seconds())
        : OptionalDouble.empty();
  }

  /** The number of rows that could not be scored, and of files that could not be read. */
  long failures() {
    return totals().errorRows() + input.unread();
  }
}
