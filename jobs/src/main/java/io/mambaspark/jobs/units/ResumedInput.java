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
 * @param output for messages
 * @param known the files of the earlier starts
 * @param now the files that can be read now
 * @param unread the reasons why other files, by name, cannot be read now
 */
record ResumedInput(
    Path output, List<InputVersion> known, List<InputVersion> now, Map<String, String> unread) {

  /** The files that no earlier start has seen; refuses files that have changed or are gone. */
  List<InputVersion> added(boolean allowNew) {
    Map<String, InputVersion> gone = new LinkedHashMap<>();
    known.forEach(file -> gone.put(file.path(), file));
    List<InputVersion> added = new ArrayList<>();
    for (InputVersion file : now) {
      InputVersion was = gone.remove(file.path());
      if (was == null) {
        added.add(file);
      } else if (!was.equals(file)) {
        throw Refusal.because(
            "Cannot resume output %s: input %s has changed since (%d bytes of %tFT%<tTZ, now %d of"
                + " %tFT%<tTZ); choose another output",
            output,
            file.path(),
            was.size(),
            utc(was.modified()),
            file.size(),
            utc(file.modified()));
      }
    }
    for (String path : gone.keySet()) {
      if (unread.containsKey(path)) {
        throw Refusal.because(
            "Cannot resume output %s: input %s could be read and cannot be any more: %s",
            output, path, unread.get(path));
      }
    }
    if (!gone.isEmpty()) {
      throw Refusal.because(
          "Cannot resume output %s: input %s%s is gone; choose another output",
          output, gone.keySet().iterator().next(), andMore(gone.size()));
    }
    if (!added.isEmpty() && !allowNew) {
      throw Refusal.because(
          "Cannot resume output %s: input %s%s is new; take new files in with --allow-new-input,"
              + " or choose another output",
          output, added.get(0).path(), andMore(added.size()));
    }
    return added;
  }

  /** The end of a message that names the first of several files. */
  static String andMore(int files) {
    return files == 1 ? "" : " (and %d more)".formatted(files - 1);
  }

  private static ZonedDateTime utc(long millis) {
    return Instant.ofEpochMilli(millis).atZone(ZoneOffset.UTC);
  }
}
