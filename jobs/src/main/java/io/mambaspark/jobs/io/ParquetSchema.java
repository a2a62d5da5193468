package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The planned schema of Parquet files, and the forms in which they are read: files whose columns
 * have the same names and types have one form.
 *
 * @param schema the columns of the files that Spark can read, then those of partition folders
 * @param notes facts that a user may not expect
 * @param used the names of the columns of the files that are used
 * @param forms for each form, the name and type of each file column of the schema; null if not read
 * @param formOf the number of the form of each file, by the name of the file
 */
record ParquetSchema(
    StructType schema,
    List<String> notes,
    Set<String> used,
    List<List<StructField>> forms,
    Map<String, Integer> formOf,
    boolean caseSensitive) {

  /** The number of the form in which a file is read. */
  int form(ParquetFile file) {
    return formOf.get(file.file().name());
  }

  /** Refuses a file that has a used column of another type than the schema. */
  void checkReadAtOnce(ParquetFile file) {
    StructField[] fields = schema.fields();
    List<StructField> own = forms.get(form(file));
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
              "Column %s is %s in %s and %s in other files; --stream reads all files under one"
                  + " schema: write them with one type, or score them without --stream",
              column.name(),
              column.type().catalogString(),
              file.file().name(),
              fields[i].dataType().catalogString());
        }
      }
    }
  }
}
