package io.mambaspark.jobs.spark;

import java.lang.reflect.InvocationTargetException;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.catalyst.plans.logical.LeafNode;
import org.apache.spark.sql.catalyst.plans.logical.LocalRelation;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Statistics;
import org.apache.spark.sql.execution.QueryExecution;
import org.apache.spark.sql.execution.datasources.FileIndex;
import org.apache.spark.sql.execution.datasources.HadoopFsRelation;
import org.apache.spark.sql.execution.datasources.LogicalRelation;
import org.apache.spark.sql.execution.datasources.v2.DataSourceV2Relation;
import org.apache.spark.sql.functions;
import scala.collection.Seq;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/** What Spark's plans say about the rows of a dataset, without reading or listing files. */
public final class Plans {
  private Plans() {}

  /**
   * Returns the folders and files below which a dataset's rows are stored, where Spark knows them.
   */
  public static List<Path> roots(Dataset<Row> rows) {
    List<Path> roots = new ArrayList<>();
    for (LogicalPlan leaf : leaves(execution(rows).analyzed())) {
      if (leaf instanceof LogicalRelation relation
          && relation.relation() instanceof HadoopFsRelation files) {
        Seq<?> paths = (Seq<?>) invoke(FileIndex.class, "rootPaths", files.location());
        scala.collection.Iterator<?> each = paths.iterator();
        while (each.hasNext()) {
          roots.add((Path) each.next());
        }
      } else if (leaf instanceof DataSourceV2Relation relation) {
        Optional.ofNullable(relation.table().properties().get("location"))
            .ifPresent(location -> roots.add(new Path(location)));
      }
    }
    return roots;
  }

  /** Returns the size of the rows in bytes, as their source estimates it. */
  public static long bytes(Dataset<Row> rows) {
    return execution(rows).optimizedPlan().stats().sizeInBytes().bigInteger().longValue();
  }

  /** Returns the number of rows if their source's metadata have it; empty otherwise. */
  public static OptionalLong count(Dataset<Row> rows) {
    Dataset<Row> counted = rows.agg(functions.count(functions.lit(1)));
    boolean fromMetadata =
        leaves(execution(counted).optimizedPlan()).stream()
            .allMatch(leaf -> leaf instanceof LocalRelation);
    if (fromMetadata) {
      return OptionalLong.of(counted.first().getLong(0));
    }
    Statistics statistics = execution(rows).optimizedPlan().stats();
    return statistics.rowCount().isDefined()
        ? OptionalLong.of(statistics.rowCount().get().bigInteger().longValue())
        : OptionalLong.empty();
  }

  /** Whether the expressions of a dataset have the same values whenever it is evaluated. */
  public static boolean isDeterministic(Dataset<Row> rows) {
    return execution(rows).analyzed().deterministic();
  }

  private static List<LogicalPlan> leaves(LogicalPlan plan) {
    List<LogicalPlan> leaves = new ArrayList<>();
    plan.foreach(
        new AbstractFunction1<LogicalPlan, BoxedUnit>() {
          @Override
          public BoxedUnit apply(LogicalPlan node) {
            if (node instanceof LeafNode) {
              leaves.add(node);
            }
            return BoxedUnit.UNIT;
          }
        });
    return leaves;
  }

  private static QueryExecution execution(Dataset<Row> rows) {
    return (QueryExecution) invoke(rows.getClass(), "queryExecution", rows);
  }

  /** Calls a method by reflection, because its class or its type differs in Spark 3.5 and 4. */
  private static Object invoke(Class<?> type, String method, Object target) {
    try {
      return type.getMethod(method).invoke(target);
    } catch (InvocationTargetException e) {
      throw new IllegalStateException(e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
