package io.mambaspark.jobs.units;

import io.mambaspark.jobs.spark.Tasks;
import java.io.IOException;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.Iterator;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.util.SerializableConfiguration;

/** Compares the files of units with their entries, by size and SHA-256, in a Spark job. */
final class FileCheck {
  private FileCheck() {}

  /** Returns the names of the units whose files match their entries. */
  static Set<String> intact(List<UnitEntry> entries, Path output, JavaSparkContext context) {
    if (entries.isEmpty()) {
      return Set.of();
    }
    context.setJobDescription("Checking %,d completed units".formatted(entries.size()));
    String folder = output.toString();
    SerializableConfiguration hadoop = new SerializableConfiguration(context.hadoopConfiguration());
    int tasks = Math.min(entries.size(), 4 * context.defaultParallelism());
    List<List<UnitEntry>> shares = new ArrayList<>();
    for (int i = 0; i < tasks; i++) {
      shares.add(
          new ArrayList<>(
              entries.subList(i * entries.size() / tasks, (i + 1) * entries.size() / tasks)));
    }
    return new HashSet<>(
        Tasks.distribute(context, shares)
            .flatMap(sent -> intact(Tasks.<List<UnitEntry>>received(sent), folder, hadoop))
            .collect());
  }

  private static Iterator<String> intact(
      List<UnitEntry> entries, String output, SerializableConfiguration hadoop) throws IOException {
    Ledger ledger = new Ledger(new Path(output), hadoop.value());
    List<String> intact = new ArrayList<>();
    for (UnitEntry entry : entries) {
      if (ledger.isIntact(entry)) {
        intact.add(entry.unit());
      }
    }
    return intact.iterator();
  }
}
