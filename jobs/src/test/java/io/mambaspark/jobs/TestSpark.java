package io.mambaspark.jobs;

import java.util.ArrayList;
import java.util.List;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.StructType;

/** One real session for all tests of this JVM. */
public final class TestSpark {
  private TestSpark() {}

  public static synchronized SparkSession session() {
    return SparkSession.builder().master("local[2]").appName("test").getOrCreate();
  }

  /** Returns rows (id, tokens) in {@code partitions} partitions; in order if that is one. */
  public static Dataset<Row> typedRows(DataType tokenType, int partitions, Object... tokens) {
    List<Row> rows = new ArrayList<>();
    for (int i = 0; i < tokens.length; i++) {
      rows.add(RowFactory.create("row-" + i, tokens[i]));
    }
    StructType schema =
        new StructType()
            .add("id", DataTypes.StringType)
            .add("tokens", DataTypes.createArrayType(tokenType));
    Dataset<Row> ordered = session().createDataFrame(rows, schema).coalesce(1);
    return partitions == 1 ? ordered : ordered.repartition(partitions);
  }

  /** Returns rows (id, tokens) of ints, in order, in one partition. */
  public static Dataset<Row> rows(Object... tokens) {
    return typedRows(DataTypes.IntegerType, 1, tokens);
  }

  /** Returns an array as Spark stores it in a row: a Scala sequence. */
  public static Object ints(int[] values) {
    return scala.collection.immutable.ArraySeq.unsafeWrapArray(values);
  }

  public static float[] floats(Row row, String column) {
    List<Float> boxed = row.getList(row.fieldIndex(column));
    float[] values = new float[boxed.size()];
    for (int i = 0; i < values.length; i++) {
      values[i] = boxed.get(i);
    }
    return values;
  }

  public static Object value(Row row, String column) {
    return row.get(row.fieldIndex(column));
  }
}
