package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The input of a finished job.
 *
 * @param files those that were read, and those that were not; among the unread are files that could
 *     not be read to their end
 * @param notes what a user may not expect of the columns
 */
record InputRead(InputFiles files, List<String> notes) {

  static InputRead of(Input input) {
    return new InputRead(input.files(), input.notes());
  }

  /** The number of files that could not be read. */
  int unread() {
    return files.unread().size();
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>(files.json());
    json.put("input_notes", notes);
    return json;
  }
}
