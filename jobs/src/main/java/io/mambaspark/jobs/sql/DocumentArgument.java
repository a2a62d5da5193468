package io.mambaspark.jobs.sql;

import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.types.ArrayType;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.NullType;
import org.apache.spark.sql.types.StringType;
import scala.collection.Seq;

/** The argument of the SQL functions: one document. */
final class DocumentArgument {
  private static final String EXPECTED =
      "mamba_score, mamba_perplexity and mamba_nll take one document: a text or an array of token"
          + " ids";
  private static final Set<DataType> IDS =
      Set.of(
          DataTypes.ByteType,
          DataTypes.ShortType,
          DataTypes.IntegerType,
          DataTypes.LongType,
          DataTypes.NullType);

  private DocumentArgument() {}

  /**
   * Validates the arguments of a call while the query is analysed, so that no task fails on them.
   *
   * @param arguments a sequence of expressions, of Scala 2.12 or 2.13
   * @throws IllegalArgumentException if there is not exactly one argument, or it is no document
   */
  static void check(Object arguments) {
    Seq<?> given = (Seq<?>) arguments;
    if (given.length() != 1) {
      throw new IllegalArgumentException(
          "%s; found %d arguments".formatted(EXPECTED, given.length()));
    }
    Expression document = (Expression) given.apply(0);
    if (document.resolved() && !isDocument(document.dataType())) {
      throw new IllegalArgumentException(
          "%s; found %s".formatted(EXPECTED, document.dataType().catalogString()));
    }
  }

  private static boolean isDocument(DataType type) {
    return type instanceof StringType
        || type instanceof NullType
        || type instanceof ArrayType array && IDS.contains(array.elementType());
  }
}
