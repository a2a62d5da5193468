package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.score.ScoreColumn;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.stats.Distributions;
import io.mambaspark.jobs.stats.Groups;
import io.mambaspark.jobs.stats.Totals;
import io.mambaspark.jobs.units.UnitRun;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;

/**
 * Builds the summary of a scoring job from the rows that the job wrote.
 *
 * @param hasPage whether the summary is also drawn as a page, which requires distributions and
 *     sample documents
 */
record Summarizer(
    SummaryRequest request,
    Input input,
    ScoringSchema schema,
    boolean hasPage,
    Summary.ScoredWith with) {

  Totals totals(Dataset<Row> scored) {
    return Totals.of(scored, request.emit(), schema.scores());
  }

  /**
   * Builds the summary of a job that scored units.
   *
   * @param run the id of the run
   * @param written all rows of the output
   */
  Summary ofUnits(
      String run,
      UnitRun units,
      UnitRun.Result result,
      Dataset<Row> written,
      Map<String, Double> thresholds,
      double seconds) {
    return new Summary(
        request,
        new InputRead(input.files().without(result.unreadable()), input.notes()),
        result.documents(),
        result.totals().count(Totals.Count.DROPPED),
        corpus(written, result.totals(), thresholds),
        new Summary.Execution(run, units.units(), units.units() - units.missing().size(), seconds),
        with);
  }

  /**
   * Builds the summary of a job that scored all rows in one Spark job.
   *
   * @param rows the rows of the input
   * @param scored the rows of the output
   */
  Summary ofRows(
      String run,
      Dataset<Row> rows,
      Dataset<Row> scored,
      Map<String, Double> thresholds,
      double seconds) {
    Totals totals = totals(scored);
    // A document without tokens has no row of logits, and a filtered document has no row at all. In
    // both cases, only the input has the number of documents.
    boolean countInput = request.emit().logits() || request.filters();
    long documents = countInput ? rows.count() : totals.rows();
    return new Summary(
        request,
        InputRead.of(input),
        documents,
        request.filters() ? documents - totals.rows() : 0,
        corpus(scored, totals, thresholds),
        new Summary.Execution(run, 0, 0, seconds),
        with);
  }

  private CorpusScores corpus(Dataset<Row> written, Totals totals, Map<String, Double> thresholds) {
    List<String> groupBy = request.groupBy();
    if (groupBy.isEmpty() && !hasPage) {
      return new CorpusScores(totals, Groups.none(), null, thresholds);
    }
    written
        .sparkSession()
        .sparkContext()
        .setJobDescription("Summing up %,d rows".formatted(totals.rows()));
    Groups<Totals> groups =
        groupBy.isEmpty()
            ? Groups.none()
            : Totals.byGroup(written, request.emit(), schema.scores(), groupBy);
    List<String> shown = hasPage ? schema.rows().showable() : List.of();
    List<String> signals =
        request.emit().signals().columns().stream().map(ScoreColumn::column).toList();
    return new CorpusScores(
        totals, groups, Distributions.of(written, groupBy, shown, signals), thresholds);
  }
}
