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

/** Recognises folders of Delta, Hudi and Iceberg tables, whose files are not read one by one. */
final class TableFolders {
  private static final Logger LOG = LoggerFactory.getLogger(TableFolders.class);

  /** Folders by which a table is recognised. */
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

  /** Refuses a folder of a table, and one inside it. */
  void checkOutside(Path folder) {
    for (Path path = folder; path != null && checked.add(path); path = path.getParent()) {
      Set<String> names = new HashSet<>();
      for (String name : List.of(DELTA, HUDI, ICEBERG)) {
        try {
          FileStatus status = HadoopFiles.status(new Path(path, name), configuration);
          if (status != null && status.isDirectory()) {
            names.add(name);
          }
        } catch (IOException e) {
          LOG.debug("Cannot look into {}", path, e);
        }
      }
      checkNone(path, names);
    }
  }

  /**
   * Refuses a folder that belongs to a table: its files hold rows that the table has deleted or
   * replaced.
   *
   * @param folders the names of those in it
   */
  void checkNone(Path folder, Set<String> folders) {
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
        LOG.debug("Cannot look into {}", folder, e);
      }
    }
  }

  private static Refusal table(Path folder, String format, String name) {
    return Refusal.because(
        "Input %s is a table of %s, whose files also hold rows that it has deleted; read it with"
            + " --input-table '%s' and %s's package for Spark (--packages, and the"
            + " spark.sql.catalog settings that its documentation names)",
        Refusal.redacted(folder.toString()), format, name, format);
  }
}
