package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The format of the record of a run, which every later version must be able to read. */
class RunRecordTest {
  @TempDir Path folder;

  @Test
  void a_run_is_recorded_as_json() throws IOException {
    RunRecord run =
        new RunRecord(
            "r",
            Map.of(RunRecord.STREAM, "file:/in"),
            List.of(List.of(new InputVersion("file:/in/a", 1, 2))));
    RunRecords records =
        new RunRecords(new org.apache.hadoop.fs.Path("file:" + folder), new Configuration());
    records.add(run);
    assertThat(Files.readString(folder.resolve("_mamba/run-00000.json")))
        .isEqualTo(
            """
            {
              "run" : "r",
              "settings" : {
                "--stream from" : "file:/in"
              },
              "arrivals" : [ [ {
                "path" : "file:/in/a",
                "size" : 1,
                "modified" : 2
              } ] ]
            }""");
    assertThat(records.latest()).contains(run);
  }
}
