package io.mambaspark.jobs.spark;

import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;

/** Names of columns. */
public final class ColumnNames {
  private ColumnNames() {}

  /** A column by its name, whatever is in the name. */
  public static Column quoted(String name) {
    return functions.col("`" + name.replace("`", "``") + "`");
  }
}
