package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.Input;
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
 * Sums up the rows that a scoring job has written.
 *
 * @param hasPage whether the sums are for a page, too, which shows distributions and documents
 */
record SummingUp(
    SummaryRequest request,
    Input input,
    ScoringSchema schema,
    boolean hasPage,
    Summary.ScoredWith with) {

  Totals totals(Dataset<Row> scored) {
    return Totals.of(scored, request.emit(), schema.scores());
  }

  /**
   * The summary of a job that was done unit by unit.
   *
   * @param run names the run
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
        new Summary.Course(run, units.units(), units.units() - units.missing().size(), seconds),
        with);
  }

  /**
   * The summary of a job that was done in one Spark job.
   *
   * @param rows of the input
   * @param scored the rows that came of them
   */
  Summary ofRows(
      String run,
      Dataset<Row> rows,
      Dataset<Row> scored,
      Map<String, Double> thresholds,
      double seconds) {
    Totals totals = totals(scored);
    // A row without tokens leaves no row of logits, and one that is filtered none at all, so only
    // the input has the number of documents.
    boolean counted = request.emit().logits() || request.filters();
    long documents = counted ? rows.count() : totals.rows();
    return new Summary(
        request,
        InputRead.of(input),
        documents,
        request.filters() ? documents - totals.rows() : 0,
        corpus(scored, totals, thresholds),
        new Summary.Course(run, 0, 0, seconds),
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
    return new CorpusScores(totals, groups, Distributions.of(written, groupBy, shown), thresholds);
  }
}
