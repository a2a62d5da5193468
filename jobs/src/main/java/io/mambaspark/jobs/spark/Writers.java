package io.mambaspark.jobs.spark;

import java.lang.reflect.Method;
import java.util.List;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.CreateTableWriter;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.streaming.DataStreamWriter;
import scala.collection.immutable.$colon$colon;
import scala.collection.immutable.List$;

/**
 * Calls methods of Spark's writers whose types differ in Spark 3.5 and 4, or in Scala 2.12 and
 * 2.13.
 */
public final class Writers {
  private Writers() {}

  /** Sets an option of a stream. */
  public static void option(DataStreamWriter<Row> writer, String key, String value) {
    try {
      DataStreamWriter.class
          .getMethod("option", String.class, String.class)
          .invoke(writer, key, value);
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Sets the partition columns of a new table. There is at least one. */
  @SuppressWarnings("unchecked")
  public static CreateTableWriter<Row> partitionedBy(
      CreateTableWriter<Row> writer, List<Column> columns) {
    scala.collection.immutable.List<Column> others = List$.MODULE$.empty();
    for (int i = columns.size() - 1; i > 0; i--) {
      others = new $colon$colon<>(columns.get(i), others);
    }
    try {
      for (Method method : CreateTableWriter.class.getMethods()) {
        if (method.getName().equals("partitionedBy")
            && method.getParameterTypes()[1].isInstance(others)) {
          return (CreateTableWriter<Row>) method.invoke(writer, columns.get(0), others);
        }
      }
      throw new NoSuchMethodException("CreateTableWriter.partitionedBy");
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
