package io.mambaspark.jobs;

import java.util.Collection;
import java.util.List;
import java.util.Optional;

/**
 * The size of the input as the footers of its Parquet files tell it.
 *
 * @param tokens see {@link ParquetFile.RowGroup}
 * @param keptBytes compressed size of the kept columns
 */
record Footers(long rows, long tokens, long keptBytes) {
  /** Adds up files; empty if there are none, or one of them has no documents to read. */
  static Optional<Footers> of(List<ParquetFile> files, Collection<String> keptColumns) {
    long rows = 0;
    long tokens = 0;
    long keptBytes = 0;
    for (ParquetFile file : files) {
      if (file.error() != null || file.missing() != null) {
        return Optional.empty();
      }
      for (ParquetFile.RowGroup group : file.rowGroups()) {
        rows += group.rows();
        tokens += group.tokens();
      }
      for (String column : keptColumns) {
        keptBytes += file.columnBytes().getOrDefault(column, 0L);
      }
    }
    return files.isEmpty() ? Optional.empty() : Optional.of(new Footers(rows, tokens, keptBytes));
  }
}
