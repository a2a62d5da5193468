package io.mambaspark.jobs.io;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.ColumnNames;
import io.mambaspark.jobs.spark.TaskFailure;
import java.io.Serializable;
import java.math.BigDecimal;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.RuntimeConfig;
import org.apache.spark.sql.api.java.UDF1;
import org.apache.spark.sql.catalyst.util.DateTimeUtils;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;
import org.apache.spark.unsafe.types.UTF8String;
import scala.Option;

/**
 * The columns of partition folders, such as {@code lang=en/year=2024}. Their types are inferred as
 * in Spark: the first type of int, bigint, decimal, double, date and timestamp that all values of a
 * column have, otherwise string. All types are string if {@code
 * spark.sql.sources.partitionColumnTypeInference.enabled} is false.
 */
public final class PartitionColumns implements Serializable {
  private static final long serialVersionUID = 1;

  private static final String INFERENCE = "spark.sql.sources.partitionColumnTypeInference.enabled";
  private static final DataType DECIMAL = DataTypes.createDecimalType(38, 0);

  /** The types of numbers and of times, each from narrow to wide. */
  private static final List<List<DataType>> KINDS =
      List.of(
          List.of(DataTypes.IntegerType, DataTypes.LongType, DECIMAL, DataTypes.DoubleType),
          List.of(DataTypes.DateType, DataTypes.TimestampType));

  /** No partition folders. */
  static final PartitionColumns NONE = new PartitionColumns(new StructType(), ZoneId.of("UTC"));

  private final StructType schema;
  private final ZoneId zone;

  private PartitionColumns(StructType schema, ZoneId zone) {
    this.schema = schema;
    this.zone = zone;
  }

  /** Infers the columns from files, all of which have the same partition columns. */
  public static PartitionColumns of(List<InputFiles.InputFile> files, RuntimeConfig conf) {
    ZoneId zone = zone(conf);
    boolean infer = Boolean.parseBoolean(conf.get(INFERENCE, "true"));
    StructType schema = new StructType();
    for (String column : files.isEmpty() ? Set.<String>of() : files.get(0).partition().keySet()) {
      Set<String> values = new LinkedHashSet<>();
      files.forEach(file -> values.add(file.partition().get(column)));
      values.remove(null);
      schema = schema.add(column, infer ? type(values, zone) : DataTypes.StringType);
    }
    return new PartitionColumns(schema, zone);
  }

  /** Returns the partition columns with a known schema. */
  public static PartitionColumns of(StructType schema, RuntimeConfig conf) {
    return new PartitionColumns(schema, zone(conf));
  }

  private static ZoneId zone(RuntimeConfig conf) {
    return DateTimeUtils.getZoneId(conf.get("spark.sql.session.timeZone"));
  }

  public StructType schema() {
    return schema;
  }

  /** The partition column with the same name as a column of the files; null if there is none. */
  String hiding(String column, boolean caseSensitive) {
    for (String name : schema.fieldNames()) {
      if (ColumnNames.same(name, column, caseSensitive)) {
        return name;
      }
    }
    return null;
  }

  /**
   * Refuses a document with a column that partition folders provide or hide.
   *
   * @param ofFiles the names of the columns of the files
   * @throws Refusal if a column of the document has the same name as a partition column
   */
  void checkDocument(Collection<String> ofFiles, DocumentColumns document, boolean caseSensitive) {
    List<String> names = new ArrayList<>(ofFiles);
    names.addAll(List.of(schema.fieldNames()));
    for (String column : document.all()) {
      List<String> path = ColumnNames.path(names, column, caseSensitive);
      String hiding = hiding(path.get(0), caseSensitive);
      if (hiding != null) {
        throw Refusal.because(
            "Column %s (%s) is a partition column (%s=), but a document must be a column of the"
                + " files; rename the folders, or choose another column",
            column, document.option(column), hiding);
      }
    }
  }

  /** Returns a note that partition folders hide a column of the files, as they do in Spark. */
  String note(String column, InputFiles.InputFile file) {
    return "column %s of the files is hidden by the partition folders %s=, for example in %s"
        .formatted(column, column, file.name());
  }

  /** The narrowest type that all values have. */
  private static DataType type(Set<String> values, ZoneId zone) {
    for (List<DataType> kind : values.isEmpty() ? List.<List<DataType>>of() : KINDS) {
      for (DataType type : kind) {
        if (values.stream().allMatch(value -> parse(value, type, zone) != null)) {
          return type;
        }
      }
    }
    return DataTypes.StringType;
  }

  /** The packed values of a file, see {@link PackedColumn}, in the order of {@link #schema}. */
  Object[] values(Map<String, String> partition, String file) {
    StructField[] fields = schema.fields();
    Object[] values = new Object[fields.length];
    for (int i = 0; i < fields.length; i++) {
      String raw = partition.get(fields[i].name());
      if (raw != null) {
        values[i] = parse(raw, fields[i].dataType(), zone);
        if (values[i] == null) {
          throw new TaskFailure(
              "Cannot read %s: partition folder %s=%s does not match type %s of earlier folders"
                  .formatted(file, fields[i].name(), raw, fields[i].dataType().catalogString()),
              null);
        }
      }
    }
    return values;
  }

  /** Parses the values from the path of a file. Of folders with one name, the innermost is used. */
  Object[] values(Path file) {
    Map<String, String> partition = new HashMap<>();
    for (Path folder = file.getParent(); folder != null; folder = folder.getParent()) {
      Map.Entry<String, String> column = InputFiles.partition(folder.getName());
      if (column != null) {
        partition.putIfAbsent(column.getKey(), column.getValue());
      }
    }
    return values(partition, Refusal.redacted(file.toString()));
  }

  /** Adds the columns to rows that a source of Spark reads from files. */
  public Dataset<Row> addTo(Dataset<Row> rows) {
    Dataset<Row> with = rows;
    for (StructField field : schema.fields()) {
      Column packed = packed().getField(field.name());
      with = with.withColumn(field.name(), PackedColumn.unpack(packed, field.dataType(), true));
    }
    return with;
  }

  /** A struct of the packed values, for rows that a source of Spark reads from files. */
  Column packed() {
    StructType packed = new StructType();
    for (StructField field : schema.fields()) {
      packed = packed.add(field.name(), PackedColumn.packed(field.dataType()));
    }
    UDF1<String, Row> values = file -> RowFactory.create(values(new Path(URI.create(file))));
    return functions.udf(values, packed).apply(functions.col("_metadata.file_path"));
  }

  /** Parses a value to its packed form, see {@link PackedColumn}; null if it has another type. */
  private static Object parse(String value, DataType type, ZoneId zone) {
    try {
      if (type.equals(DataTypes.StringType)) {
        return value.getBytes(StandardCharsets.UTF_8);
      }
      if (type.equals(DataTypes.IntegerType)) {
        return Integer.parseInt(value);
      }
      if (type.equals(DataTypes.LongType)) {
        return Long.parseLong(value);
      }
      if (type.equals(DECIMAL)) {
        BigDecimal decimal = new BigDecimal(value);
        return decimal.scale() == 0 && decimal.precision() <= 38 ? decimal : null;
      }
      if (type.equals(DataTypes.DoubleType)) {
        return Double.parseDouble(value);
      }
      UTF8String text = UTF8String.fromString(value);
      Option<?> time =
          type.equals(DataTypes.DateType)
              ? value.matches("\\d{4}-\\d{2}-\\d{2}") ? DateTimeUtils.stringToDate(text) : null
              : value.matches("\\d{4}-\\d{2}-\\d{2}( \\d{2}:\\d{2}:\\d{2}(\\.\\d{1,9})?)?")
                  ? DateTimeUtils.stringToTimestamp(text, zone)
                  : null;
      return time == null || time.isEmpty() ? null : time.get();
    } catch (NumberFormatException e) {
      return null;
    }
  }
}
