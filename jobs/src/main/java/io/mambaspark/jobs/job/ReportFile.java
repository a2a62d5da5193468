package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.report.Report;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.Optional;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** The page of {@code --report}: a whole file, or none. */
final class ReportFile {
  /** Where in a page its generator is named. */
  private static final int HEAD = 1024;

  private final Path path;
  private final FileSystem files;

  private ReportFile(Path path, FileSystem files) {
    this.path = path;
    this.files = files;
  }

  /**
   * Refuses a place where no page can go, before any work is done: a folder, the output's, or a
   * file that is no report. Empty if no report is asked for.
   */
  static Optional<ReportFile> at(ScoreRequest request, Configuration configuration) {
    if (request.corpus().report() == null) {
      return Optional.empty();
    }
    String report = request.corpus().report();
    Path path = HadoopFiles.qualified(report, configuration);
    HadoopFiles.checkName(path, configuration);
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      if (files.exists(path) && files.getFileStatus(path).isDirectory()) {
        throw Refusal.because("Report %s is a folder; give the name of a file", report);
      }
      if (files.exists(path) && !isReport(path, files)) {
        throw Refusal.because(
            "Report %s exists and is none that mamba-spark has written; choose another", report);
      }
      Path above = path.getParent();
      while (above != null && !files.exists(above)) {
        above = above.getParent();
      }
      if (above != null && !files.getFileStatus(above).isDirectory()) {
        throw Refusal.because(
            "Cannot use report %s: %s is a file", report, Refusal.redacted(above.toString()));
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use report %s: %s", report, Failures.oneLine(e));
    }
    checkApart(HadoopFiles.canonical(path, configuration), request, configuration);
    return Optional.of(new ReportFile(path, files));
  }

  /** Refuses a page among data, or where the output's folder will be. */
  private static void checkApart(Path report, ScoreRequest request, Configuration configuration) {
    if (request.output().isPresent()) {
      Path output =
          HadoopFiles.canonical(
              HadoopFiles.qualified(request.output().get().path(), configuration), configuration);
      if (HadoopFiles.within(report, output)) {
        throw inData(request.corpus().report(), "output", request.output().get().path());
      }
      if (HadoopFiles.within(output, report)) {
        throw Refusal.because(
            "Output %s lies in report %s, which is to be a file; choose a place beside",
            request.output().get().path(), request.corpus().report());
      }
    }
    if (!request.input().hasFiles()) {
      return;
    }
    for (String input : request.input().paths()) {
      for (FileStatus found : HadoopFiles.matches(input, configuration)) {
        if (HadoopFiles.within(report, HadoopFiles.canonical(found.getPath(), configuration))) {
          throw inData(request.corpus().report(), "input", input);
        }
      }
    }
  }

  private static Refusal inData(String report, String what, String folder) {
    return Refusal.because(
        "Report %s lies in %s %s, where Spark would read it as data; choose a place beside",
        report, what, folder);
  }

  /** A report may be replaced by another, and nothing else by one. */
  private static boolean isReport(Path path, FileSystem files) throws IOException {
    try (InputStream in = files.open(path)) {
      return new String(in.readNBytes(HEAD), StandardCharsets.UTF_8).contains(Report.GENERATOR);
    }
  }

  /** Draws the page and puts it in its place. */
  void write(Summary summary, Timeline timeline, PrintWriter out) {
    String shown = Refusal.redacted(path.toString());
    Path part = HadoopFiles.child(path.getParent(), "." + path.getName() + ".part");
    try {
      byte[] page = Report.html(summary.reportData(timeline)).getBytes(StandardCharsets.UTF_8);
      try (OutputStream file = files.create(part, true)) {
        file.write(page);
      }
      files.delete(path, false);
      if (!files.rename(part, path)) {
        throw new IOException("the file system refused the rename");
      }
    } catch (IOException | RuntimeException e) {
      throw Refusal.because(
          e, "Cannot write report %s: %s; the scores are whole", shown, Failures.oneLine(e));
    }
    out.println("  report at " + shown);
  }
}
