package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.stats.Totals;
import java.util.Optional;
import java.util.OptionalDouble;

/**
 * The summary of a finished scoring job. {@link SummaryText} prints the summary. {@link
 * SummaryJson} converts it to the JSON file in the output folder. {@link SummaryPage} converts it
 * to the page of {@code --report}.
 *
 * @param documents the number of rows of the input
 * @param filtered the number of rows that were excluded from the output by their perplexity
 */
record Summary(
    SummaryRequest request,
    InputRead input,
    long documents,
    long filtered,
    CorpusScores corpus,
    Execution execution,
    ScoredWith with) {

  /**
   * The id, the units and the duration of the job.
   *
   * @param run the id of the run; a resumed run keeps the id of its first start
   * @param units the number of units of work; 0 for a job without units
   * @param resumedUnits the number of units that earlier starts completed
   * @param seconds the time from the first task to the last written row
   */
  record Execution(String run, int units, int resumedUnits, double seconds) {}

  /**
   * The model and the tokenizer of the scores.
   *
   * @param tokenizer the tokenizer; empty if the input holds tokens
   */
  record ScoredWith(Model model, Optional<Artifact> tokenizer) {}

  /**
   * The model and the format of its weights in memory.
   *
   * @param rounded whether packing rounds weights, see {@link MambaCheckpoint#rounds}
   * @param parameters the number of parameters
   */
  record Model(Artifact artifact, WeightFormat weights, boolean rounded, long parameters) {
    static Model of(ModelSource source, WeightFormat weights) {
      MambaCheckpoint checkpoint = source.checkpoint();
      return new Model(
          Artifact.of(source), weights, checkpoint.rounds(weights), checkpoint.parameterCount());
    }
  }

  Totals totals() {
    return corpus.totals();
  }

  ShownPerplexities perplexities() {
    return ShownPerplexities.of(totals(), request);
  }

  /** Returns the speed; empty if it is unknown, or if an earlier start did a part of the work. */
  OptionalDouble tokensPerSecond() {
    return request.countsTokens() && execution.resumedUnits() == 0
        ? OptionalDouble.of(totals().tokens() / execution.seconds())
        : OptionalDouble.empty();
  }

  /** Returns the number of rows that could not be scored plus that of files that were not read. */
  long failures() {
    return totals().errorRows() + input.unread();
  }
}
