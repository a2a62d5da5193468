package io.mambaspark.jobs.job;

import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputFiles;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The input of a finished job.
 *
 * @param files the files that were read, and the files that could not be read completely, with
 *     reasons
 * @param notes remarks on properties of the columns that a user may not expect
 */
record InputRead(InputFiles files, List<String> notes) {

  static InputRead of(Input input) {
    return new InputRead(input.files(), input.notes());
  }

  /** Returns the number of files that could not be read. */
  int unread() {
    return files.unread().size();
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>(files.json());
    json.put("input_notes", notes);
    return json;
  }
}
