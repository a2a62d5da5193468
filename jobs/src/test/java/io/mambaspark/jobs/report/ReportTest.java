package io.mambaspark.jobs.report;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.file.Files;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class ReportTest {
  @Test
  void samples() throws Exception {
    Files.writeString(
        Path.of("target/report-sample.html"), Report.html(SampleReport.threeGroups()));
    Files.writeString(
        Path.of("target/report-twenty.html"), Report.html(SampleReport.twentyGroups()));
    Files.writeString(Path.of("target/report-empty.html"), Report.html(SampleReport.empty()));
    assertThat(1).isOne();
  }
}
