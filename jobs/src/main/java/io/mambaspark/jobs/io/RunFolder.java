package io.mambaspark.jobs.io;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.Path;

/**
 * A folder of a run next to its output, named {@code OUTPUT_KIND-RUN}.
 *
 * @param runId the run that created the folder
 */
record RunFolder(Kind kind, String runId) {
  enum Kind {
    /** The previous output, which the run has replaced. */
    OLD,
    /** The new output of the run, until it replaces the previous one. */
    NEW,
    /** The scores of the first pass, until the second pass has written the output. */
    SCORES
  }

  private static final Pattern SUFFIX =
      Pattern.compile("_(old|new|scores)-(\\d{8}-\\d{6}-[0-9a-f]{8})");

  /** Parses the name of a folder; empty if it is not the name of such a folder of the output. */
  static Optional<RunFolder> named(String name, Path output) {
    if (!name.startsWith(output.getName())) {
      return Optional.empty();
    }
    Matcher suffix = SUFFIX.matcher(name.substring(output.getName().length()));
    return suffix.matches()
        ? Optional.of(
            new RunFolder(Kind.valueOf(suffix.group(1).toUpperCase(Locale.ROOT)), suffix.group(2)))
        : Optional.empty();
  }

  Path path(Path output) {
    // The suffix extends the complete path: in a name without a folder, Hadoop would parse the
    // text before a colon as a scheme.
    return new Path(output + "_" + kind.name().toLowerCase(Locale.ROOT) + "-" + runId);
  }
}
