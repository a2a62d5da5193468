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
 * How every job begins: before Spark starts, the output is placed, the input is listed, and what
 * can be refused is refused.
 *
 * @param files how to reach file systems before there is a session
 * @param input which rows
 * @param listed the files of the input
 * @param output empty if nothing is written, or by a stream
 */
record Preparation(
    Configuration files, InputOptions input, InputFiles listed, Optional<Output> output) {

  /**
   * Prepares a job that ends.
   *
   * @param secondPass whether a second pass makes the output of the scores
   * @param repairs whether an output that is half replaced may be finished
   */
  static Preparation of(
      InputOptions input, Optional<OutputOptions> output, boolean secondPass, boolean repairs) {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    Optional<Output> placed = output.map(to -> Output.at(to, secondPass, repairs, files));
    InputFiles listed = Input.list(input, files);
    placed.ifPresent(to -> Input.checkApart("Output", to.path(), input, files));
    return new Preparation(files, input, listed, placed);
  }

  /** Prepares a stream, whose folder may be empty. */
  static Preparation ofStream(InputOptions input, Path output) {
    Versions.checkSpark();
    Configuration files = HadoopFiles.configuration();
    InputFiles listed = InputFiles.list(input.paths(), files);
    Input.checkApart("Output", output, input, files);
    return new Preparation(files, input, listed, Optional.empty());
  }

  /** Runs the job in a session. */
  <T> T during(String command, Function<SparkSession, T> work) {
    return Session.during(command, input.table() != null, ScoringMetrics.class, work);
  }

  /** Decides the columns of the input, once there is a session. */
  Input open(SparkSession spark, DocumentOptions documents) {
    Input opened = Input.open(spark, input, documents, listed);
    output.ifPresent(to -> opened.checkApart(to.path()));
    return opened;
  }
}
