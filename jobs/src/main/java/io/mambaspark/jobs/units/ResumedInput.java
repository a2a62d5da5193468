package io.mambaspark.jobs.units;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.InputVersion;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.ZonedDateTime;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.fs.Path;

/**
 * The input of a resumed run, compared with the input of its earlier starts.
 *
 * @param output the output's path, for messages
 * @param known the files that earlier starts recorded
 * @param now the files that can be read now
 * @param unread the files that cannot be read now, by name, with the reasons
 */
record ResumedInput(
    Path output, List<InputVersion> known, List<InputVersion> now, Map<String, String> unread) {

  /**
   * Returns the files that no earlier start has read. Refuses the input if an earlier file has
   * changed, is missing or cannot be read.
   */
  List<InputVersion> added(boolean allowNew) {
    Map<String, InputVersion> missing = new LinkedHashMap<>();
    known.forEach(file -> missing.put(file.path(), file));
    List<InputVersion> added = new ArrayList<>();
    for (InputVersion file : now) {
      InputVersion recorded = missing.remove(file.path());
      if (recorded == null) {
        added.add(file);
      } else if (!recorded.equals(file)) {
        throw Refusal.because(
            "Cannot resume output %s: input %s has changed (recorded: %d bytes, modified %tFT%<tTZ;"
                + " found: %d bytes, modified %tFT%<tTZ); choose another output",
            output,
            file.path(),
            recorded.size(),
            utc(recorded.modified()),
            file.size(),
            utc(file.modified()));
      }
    }
    for (String path : missing.keySet()) {
      if (unread.containsKey(path)) {
        throw Refusal.because(
            "Cannot resume output %s: input %s was read before and can no longer be read: %s;"
                + " choose another output",
            output, path, unread.get(path));
      }
    }
    if (!missing.isEmpty()) {
      throw Refusal.because(
          "Cannot resume output %s: input %s%s is missing; choose another output",
          output, missing.keySet().iterator().next(), andMore(missing.size()));
    }
    if (!added.isEmpty() && !allowNew) {
      throw Refusal.because(
          "Cannot resume output %s: input %s%s is new; include new files with --allow-new-input, or"
              + " choose another output",
          output, added.get(0).path(), andMore(added.size()));
    }
    return added;
  }

  /** Returns the suffix of a message that names only the first of several files. */
  static String andMore(int files) {
    return files == 1 ? "" : " (and %d more)".formatted(files - 1);
  }

  private static ZonedDateTime utc(long millis) {
    return Instant.ofEpochMilli(millis).atZone(ZoneOffset.UTC);
  }
}
