package io.mambaspark.jobs.io;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.parquet.hadoop.metadata.FileMetaData;
import org.apache.parquet.schema.MessageType;
import org.apache.parquet.schema.Type;
import org.apache.spark.sql.execution.datasources.parquet.ParquetToSparkSchemaConverter;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * A top-level column of a Parquet file as Spark reads it.
 *
 * @param type the Spark type, nullable in all its parts; null if Spark cannot read the column
 * @param unreadableType the Parquet type, for a message; null if Spark can read the column
 * @param firstLeaf the index of its first leaf among the leaves of the file
 * @param leaves the number of its leaves
 */
record ParquetColumn(
    String name,
    DataType type,
    Metadata metadata,
    String unreadableType,
    int firstLeaf,
    int leaves) {

  /** Converts schemas to columns, each schema once: most files of a folder have the same schema. */
  static final class Reader {
    /** The footer key under which Spark stores its own schema. */
    private static final String SPARK_SCHEMA = "org.apache.spark.sql.parquet.row.metadata";

    private final ParquetToSparkSchemaConverter converter;
    private final Map<List<Object>, List<ParquetColumn>> known = new ConcurrentHashMap<>();

    /**
     * Creates a reader that converts types as a session does.
     *
     * @param converter a converter with the settings of the session
     */
    Reader(ParquetToSparkSchemaConverter converter) {
      this.converter = converter;
    }

    List<ParquetColumn> of(FileMetaData file) {
      String written = file.getKeyValueMetaData().getOrDefault(SPARK_SCHEMA, "");
      return known.computeIfAbsent(
          List.of(file.getSchema(), written), key -> columns(file.getSchema(), written));
    }

    private List<ParquetColumn> columns(MessageType schema, String written) {
      Map<String, StructField> fields = new HashMap<>();
      for (StructField field : sparkSchema(written).fields()) {
        fields.put(field.name(), field);
      }
      List<ParquetColumn> columns = new ArrayList<>();
      int leaf = 0;
      for (Type column : schema.getFields()) {
        MessageType alone = new MessageType(schema.getName(), column);
        int leaves = alone.getColumns().size();
        StructField field = fields.get(column.getName());
        DataType type = field == null ? null : field.dataType();
        String unreadableType = null;
        try {
          // As in Spark, a schema that Spark has stored takes precedence over the Parquet types.
          type = type == null ? converter.convert(alone).fields()[0].dataType() : type;
        } catch (Exception e) {
          // Spark throws an AnalysisException, a checked exception that Scala does not declare.
          unreadableType = parquetType(column);
        }
        columns.add(
            new ParquetColumn(
                column.getName(),
                type == null ? null : type.asNullable(),
                field == null ? Metadata.empty() : field.metadata(),
                unreadableType,
                leaf,
                leaves));
        leaf += leaves;
      }
      return List.copyOf(columns);
    }

    private static StructType sparkSchema(String json) {
      try {
        return json.isEmpty() ? new StructType() : (StructType) DataType.fromJson(json);
      } catch (RuntimeException e) {
        // Another version of Spark stored types that this version does not support.
        return new StructType();
      }
    }

    private static String parquetType(Type column) {
      if (!column.isPrimitive()) {
        return column.asGroupType().getFields().stream()
            .map(Reader::parquetType)
            .collect(java.util.stream.Collectors.joining(", ", "group of ", ""));
      }
      String physical = column.asPrimitiveType().getPrimitiveTypeName().toString();
      return column.getLogicalTypeAnnotation() == null
          ? physical
          : "%s (%s)".formatted(column.getLogicalTypeAnnotation(), physical);
    }
  }
}
