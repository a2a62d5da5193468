package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputOptions;
import io.mambaspark.jobs.report.Report;
import io.mambaspark.jobs.report.ReportData;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.PrintWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Optional;
import java.util.function.Supplier;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** The page of {@code --report}. An incomplete page never appears at its path. */
final class ReportFile {
  /** The number of bytes at the start of a page that contain the name of its generator. */
  private static final int HEAD_BYTES = 1024;

  private final Path path;
  private final FileSystem files;

  private ReportFile(Path path, FileSystem files) {
    this.path = path;
    this.files = files;
  }

  /**
   * Validates the path of a report, before the job starts.
   *
   * @param report the path of the report; null for no report
   * @param output the path of the output
   * @throws Refusal if the path is a folder or a file that is not a report, overlaps the input or
   *     the output, or cannot be accessed
   */
  static Optional<ReportFile> at(
      String report, Optional<String> output, InputOptions input, Configuration configuration) {
    if (report == null) {
      return Optional.empty();
    }
    Path path = HadoopFiles.qualified(report, configuration);
    HadoopFiles.checkName(path, configuration);
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      if (files.exists(path) && files.getFileStatus(path).isDirectory()) {
        throw Refusal.because("Report %s is a folder; give the path of a file", report);
      }
      if (files.exists(path) && !isReport(path, files)) {
        throw Refusal.because(
            "Report %s exists and is not a mamba-spark report; choose another path", report);
      }
      Path above = path.getParent();
      while (above != null && !files.exists(above)) {
        above = above.getParent();
      }
      if (above != null && !files.getFileStatus(above).isDirectory()) {
        throw Refusal.because(
            "Cannot use report %s: %s is a file, not a folder; choose another path",
            report, Refusal.redacted(above.toString()));
      }
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot use report %s: %s", report, Failures.oneLine(e));
    }
    Path page = HadoopFiles.canonical(path, configuration);
    output.ifPresent(folder -> checkOverlap(report, page, folder, configuration));
    if (input.hasFiles()) {
      checkNotInside(report, page, input.paths(), configuration);
    }
    return Optional.of(new ReportFile(path, files));
  }

  /** Refuses a page inside the output folder, or in place of one of its parent folders. */
  private static void checkOverlap(
      String report, Path page, String output, Configuration configuration) {
    Path folder =
        HadoopFiles.canonical(HadoopFiles.qualified(output, configuration), configuration);
    if (HadoopFiles.within(page, folder)) {
      throw inData(report, "output", output);
    }
    if (HadoopFiles.within(folder, page)) {
      throw Refusal.because(
          "Output %s is inside report %s, which must be a file; choose another path for the report",
          output, report);
    }
  }

  private static void checkNotInside(
      String report, Path page, List<String> inputs, Configuration configuration) {
    for (String input : inputs) {
      for (FileStatus found : HadoopFiles.matches(input, configuration)) {
        if (HadoopFiles.within(page, HadoopFiles.canonical(found.getPath(), configuration))) {
          throw inData(report, "input", input);
        }
      }
    }
  }

  private static Refusal inData(String report, String what, String folder) {
    return Refusal.because(
        "Report %s is inside %s %s, where Spark would read it as data; choose a path outside",
        report, what, folder);
  }

  /** Whether an existing file is a report, the only kind of file that a report may replace. */
  private static boolean isReport(Path path, FileSystem files) throws IOException {
    try (InputStream in = files.open(path)) {
      return new String(in.readNBytes(HEAD_BYTES), StandardCharsets.UTF_8)
          .contains(Report.GENERATOR);
    }
  }

  /**
   * Writes the page to a temporary file and renames it to its path.
   *
   * @param data returns the content of the page
   * @throws Refusal if the content cannot be computed or the page cannot be written
   */
  void write(Supplier<ReportData> data, PrintWriter out) {
    String shown = Refusal.redacted(path.toString());
    Path part = HadoopFiles.child(path.getParent(), "." + path.getName() + ".part");
    try {
      byte[] page = Report.html(data.get()).getBytes(StandardCharsets.UTF_8);
      try (OutputStream file = files.create(part, true)) {
        file.write(page);
      }
      files.delete(path, false);
      if (!files.rename(part, path)) {
        throw new IOException("the file system refused the rename");
      }
    } catch (IOException | RuntimeException e) {
      throw Refusal.because(
          e, "Cannot write report %s: %s; the scores are complete", shown, Failures.oneLine(e));
    }
    out.println("  report at " + shown);
  }
}
