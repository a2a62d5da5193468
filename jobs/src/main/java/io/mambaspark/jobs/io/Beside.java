package io.mambaspark.jobs.io;

import java.util.Locale;
import java.util.Optional;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.Path;

/**
 * A folder beside an output, {@code OUTPUT_KIND-RUN}.
 *
 * @param runId the run that made the folder
 */
record Beside(Kind kind, String runId) {
  enum Kind {
    /** The output that the run has replaced. */
    OLD,
    /** The output of the run, until it replaces the old one. */
    NEW,
    /** The scores of a first pass, until the second pass has made the output from them. */
    SCORES
  }

  private static final Pattern SUFFIX =
      Pattern.compile("_(old|new|scores)-(\\d{8}-\\d{6}-[0-9a-f]{8})");

  /** The folder with this name; empty if the name is not that of a folder of this output. */
  static Optional<Beside> named(String name, Path output) {
    if (!name.startsWith(output.getName())) {
      return Optional.empty();
    }
    Matcher suffix = SUFFIX.matcher(name.substring(output.getName().length()));
    return suffix.matches()
        ? Optional.of(
            new Beside(Kind.valueOf(suffix.group(1).toUpperCase(Locale.ROOT)), suffix.group(2)))
        : Optional.empty();
  }

  Path path(Path output) {
    // Append to the whole path: Hadoop parses a lone name with a colon as one with a scheme.
    return new Path(output + "_" + kind.name().toLowerCase(Locale.ROOT) + "-" + runId);
  }
}
