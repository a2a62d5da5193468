package io.mambaspark.jobs.io;

import java.util.Collection;
import java.util.List;

/**
 * The size of the input, according to the footers of its Parquet files.
 *
 * @param tokens see {@link ParquetFile.RowGroup}
 * @param keptBytes the compressed size of the kept columns, in bytes
 */
public record InputSize(long rows, long tokens, long keptBytes) {
  /** Adds up the sizes of files. */
  public static InputSize of(List<ParquetFile> files, Collection<String> keptColumns) {
    long rows = 0;
    long tokens = 0;
    long keptBytes = 0;
    for (ParquetFile file : files) {
      for (ParquetFile.RowGroup group : file.rowGroups()) {
        rows += group.rows();
        tokens += group.tokens();
      }
      for (String column : keptColumns) {
        keptBytes += file.columnBytes().getOrDefault(column, 0L);
      }
    }
    return new InputSize(rows, tokens, keptBytes);
  }
}
