package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The planned schema of Parquet files, and the layouts in which the files are read. Files whose
 * columns have the same names and types share one layout.
 *
 * @param schema the columns of the files that Spark can read, then the columns of partition folders
 * @param notes facts about the schema that a user may not expect
 * @param used the names of the used columns of the files
 * @param layouts for each layout, the name and type with which each column of the schema is read
 *     from a file; null for a column that is not read
 * @param layoutOf the index of the layout of each file, by the name of the file
 */
record ParquetSchema(
    StructType schema,
    List<String> notes,
    Set<String> used,
    List<List<StructField>> layouts,
    Map<String, Integer> layoutOf,
    boolean caseSensitive) {

  /** The index of the layout in which a file is read. */
  int layout(ParquetFile file) {
    return layoutOf.get(file.file().name());
  }

  /** Refuses a file in which a used column has another type than in the schema. */
  void checkSameTypes(ParquetFile file) {
    StructField[] fields = schema.fields();
    List<StructField> own = layouts.get(layout(file));
    for (ParquetColumn column : file.columns()) {
      for (int i = 0; i < own.size(); i++) {
        String name = fields[i].name();
        boolean here =
            caseSensitive ? name.equals(column.name()) : name.equalsIgnoreCase(column.name());
        StructField read = own.get(i);
        if (here
            && used.contains(name)
            && (read == null || !read.dataType().equals(fields[i].dataType()))) {
          throw Refusal.because(
              "Column %s is %s in %s and %s in other files, but --stream reads all files with one"
                  + " schema; write the files with one type, or score them without --stream",
              column.name(),
              column.type().catalogString(),
              file.file().name(),
              fields[i].dataType().catalogString());
        }
      }
    }
  }
}
