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
 * @param output the output; empty if the job writes none, or is a stream
 */
record Preparation(
    Configuration files, InputOptions input, InputFiles listed, Optional<Output> output) {

  /**
   * Prepares a job that is not a stream.
   *
   * @param secondPass whether the output is written in a second pass over the scores
   * @param repairs whether an interrupted replacement of an earlier output may be completed
   */
  static Preparation of(
      InputOptions input, Optional<OutputOptions> output, boolean secondPass, boolean repairs) {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    Optional<Output> placed = output.map(to -> Output.at(to, secondPass, repairs, files));
    InputFiles listed = Input.list(input, files);
    placed.ifPresent(to -> Input.checkOverlap("Output", to.path(), input, files));
    return new Preparation(files, input, listed, placed);
  }

  /** Prepares a stream, whose input folder may be empty. */
  static Preparation ofStream(InputOptions input, Path output) {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    InputFiles listed = InputFiles.list(input.paths(), input.options().basePath(), files);
    Input.checkOverlap("Output", output, input, files);
    return new Preparation(files, input, listed, Optional.empty());
  }

  /** Runs the job in a Spark session. */
  <T> T inSession(String command, Function<SparkSession, T> work) {
    return Session.run(command, input.table() != null, ScoringMetrics.class, work);
  }

  /** Opens the input and determines its columns, which requires a session. */
  Input open(SparkSession spark, DocumentOptions documents) {
    Input opened = Input.open(spark, input, documents, listed);
    output.ifPresent(to -> opened.checkOverlap(to.path()));
    return opened;
  }
}
