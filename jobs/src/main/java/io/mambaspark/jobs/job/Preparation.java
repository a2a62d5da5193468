package io.mambaspark.jobs.job;

import io.mambaspark.jobs.ScoringMetrics;
import io.mambaspark.jobs.io.DocumentOptions;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.io.Output;
import io.mambaspark.jobs.io.OutputOptions;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.spark.Session;
import io.mambaspark.jobs.spark.Versions;
import java.util.Optional;
import java.util.function.Function;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.SparkSession;

/**
 * The steps that every job takes before Spark starts: they check the output, list the input, and
 * refuse as many wrong requests as possible.
 *
 * @param files the Hadoop configuration before a session exists
 * @param input selects the input rows
 * @param listed the files of the input
 * @param output the output folder; empty if the job writes none, or is a stream
 * @param tables whether the job reads or writes a table
 */
record Preparation(
    Configuration files,
    InputOptions input,
    InputFiles listed,
    Optional<Output> output,
    boolean tables) {

  /**
   * Prepares a job that is not a stream.
   *
   * @param secondPass whether the output is written in a second pass over the scores
   * @param repairs whether an interrupted replacement of an earlier output may be completed
   * @param toTable whether the job writes a table
   */
  static Preparation of(
      InputOptions input,
      Optional<OutputOptions> output,
      boolean secondPass,
      boolean repairs,
      boolean toTable) {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    Optional<Output> placed = output.map(to -> Output.at(to, secondPass, repairs, files));
    InputFiles listed = Input.list(input, files);
    placed.ifPresent(to -> Input.checkOverlap("Output", to.path(), input, files));
    return new Preparation(files, input, listed, placed, toTable || input.table() != null);
  }

  /**
   * Prepares a stream, whose input folder may be empty.
   *
   * @param output the output folder; empty if the output is a table
   */
  static Preparation ofStream(InputOptions input, Optional<Path> output) {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    InputFiles listed =
        input.hasFiles()
            ? InputFiles.list(input.paths(), input.options().basePath(), files)
            : InputFiles.NONE;
    output.ifPresent(folder -> Input.checkOverlap("Output", folder, input, files));
    return new Preparation(
        files, input, listed, Optional.empty(), output.isEmpty() || input.table() != null);
  }

  /** Runs the job in a Spark session. */
  <T> T inSession(String command, Function<SparkSession, T> work) {
    return Session.run(command, tables, ScoringMetrics.class, work);
  }

  /** Opens the input and determines its columns, which requires a session. */
  Input open(SparkSession spark, DocumentOptions documents) {
    Input opened = Input.open(spark, input, documents, listed);
    output.ifPresent(to -> opened.checkOverlap(to.path()));
    return opened;
  }
}
