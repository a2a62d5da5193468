package io.mambaspark.jobs.spark;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/** References to columns by name. */
public final class ColumnNames {
  private ColumnNames() {}

  /** Returns the column with exactly this name, which may contain dots, spaces or backquotes. */
  public static Column quoted(String name) {
    return functions.col("`" + name.replace("`", "``") + "`");
  }
}
