package io.mambaspark.jobs.job;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputFiles;
import io.mambaspark.jobs.io.TableOutput;
import java.io.PrintWriter;
import java.util.Locale;

/** Prints the lines of the summaries of all commands. */
record SummaryLines(PrintWriter out) {

  void line(String name, String format, Object value) {
    line("  ", name, format, value);
  }

  void line(String indent, String name, String format, Object value) {
    out.println(
        String.format(Locale.ROOT, "%s%-26s", indent, name)
            + String.format(Locale.ROOT, format, value));
  }

  /** Prints the number of files that were read, the files that were not, and notes on columns. */
  void input(InputRead input) {
    if (input.files() != InputFiles.NONE) {
      line("files read", "%s", input.files().described());
    }
    unread(input.files());
    input.notes().forEach(note -> line("note", "%s", note));
  }

  void unread(InputFiles files) {
    files.unread().forEach((file, why) -> line("not read", "%s", file + ": " + why));
  }

  /** Prints that a table has the rows of this run, so that nothing is done. */
  void writtenBefore(String table, TableOutput.Commit commit) {
    line("written before", "%s", "%s has this run: %s".formatted(table, commit.shown()));
    if (commit.failures() > 0) {
      line("with errors", "%,d", commit.failures());
    }
    out.println("  nothing to do");
    out.flush();
  }

  void writtenTo(String place) {
    out.println("  written to " + Refusal.redacted(place));
  }
}
