package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.HadoopFiles;
import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.regex.Pattern;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.Path;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Recognises folders of Delta, Hudi and Iceberg tables, whose files must not be read directly. */
final class TableFolders {
  private static final Logger LOG = LoggerFactory.getLogger(TableFolders.class);

  /** The folders that identify a table. */
  private static final String DELTA = "_delta_log";

  private static final String HUDI = ".hoodie";
  private static final String ICEBERG = "metadata";

  /** The names of Iceberg's metadata files. */
  private static final Pattern ICEBERG_METADATA =
      Pattern.compile("(v\\d+|\\d{5,}-[0-9a-f-]{36})(\\.gz|\\.zstd)?\\.metadata\\.json(\\.gz)?");

  private final Configuration configuration;

  /** The folders that are known to be outside tables. */
  private final Set<Path> checked = new HashSet<>();

  TableFolders(Configuration configuration) {
    this.configuration = configuration;
  }

  /** Refuses the folder of a table and a folder inside it. */
  void checkNotInTable(Path folder) {
    for (Path path = folder; path != null && checked.add(path); path = path.getParent()) {
      Set<String> names = new HashSet<>();
      for (String name : List.of(DELTA, HUDI, ICEBERG)) {
        try {
          FileStatus status = HadoopFiles.status(new Path(path, name), configuration);
          if (status != null && status.isDirectory()) {
            names.add(name);
          }
        } catch (IOException e) {
          LOG.debug("Cannot inspect {}", path, e);
        }
      }
      checkNotTable(path, names);
    }
  }

  /**
   * Refuses a folder that belongs to a table, because its files also contain rows that the table
   * has deleted or replaced.
   *
   * @param folders the names of the folders in it
   */
  void checkNotTable(Path folder, Set<String> folders) {
    if (folders.contains(DELTA)) {
      throw table(folder, "Delta", "delta.`%s`".formatted(Refusal.redacted(folder.toString())));
    }
    if (folders.contains(HUDI)) {
      throw table(folder, "Hudi", "CATALOG.DATABASE.TABLE");
    }
    if (folders.contains(ICEBERG)) {
      try {
        for (FileStatus file :
            FolderEntries.list(new Path(folder, ICEBERG), configuration).statuses()) {
          if (ICEBERG_METADATA.matcher(file.getPath().getName()).matches()) {
            throw table(folder, "Iceberg", "CATALOG.DATABASE.TABLE");
          }
        }
      } catch (IOException e) {
        LOG.debug("Cannot inspect {}", folder, e);
      }
    }
  }

  private static Refusal table(Path folder, String format, String name) {
    return Refusal.because(
        "Input %s is a table in %s format, whose files also contain deleted rows; read it with"
            + " --input-table '%s' and the %s package for Spark (--packages, and the"
            + " spark.sql.catalog settings in its documentation)",
        Refusal.redacted(folder.toString()), format, name, format);
  }
}
