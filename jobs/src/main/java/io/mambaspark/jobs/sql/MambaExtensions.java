package io.mambaspark.jobs.sql;

import io.mambaspark.jobs.MambaFunctions;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import scala.Option;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * The functions {@code mamba_score}, a struct as {@link MambaFunctions#register} describes it,
 * {@code mamba_perplexity} and {@code mamba_nll}, for {@code spark.sql.extensions}. The model is
 * the one that {@value #MODEL} names when a query is analysed.
 */
public final class MambaExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  /** The setting that names the model. */
  public static final String MODEL = "spark.mambaspark.model";

  private static final String USAGE =
      "_FUNC_(document) - Scores a text, or an array of token ids, with the Mamba model that "
          + MODEL
          + " names; returns ";

  /** For Spark, which makes one from the name of the class. */
  public MambaExtensions() {}

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    inject(
        extensions,
        "mamba_score",
        -1,
        "a struct of nll (nats), token_count, perplexity and error.");
    inject(
        extensions,
        "mamba_perplexity",
        2,
        "exp(nll / token_count), null where nothing could be scored.");
    inject(extensions, "mamba_nll", 0, "the sum of -ln p over the scored tokens, in nats.");
    return BoxedUnit.UNIT;
  }

  private static void inject(
      SparkSessionExtensions extensions, String name, int field, String result) {
    ExpressionInfo info =
        new ExpressionInfo(
            MambaExtensions.class.getName(),
            null,
            name,
            USAGE + result,
            "",
            "",
            "",
            "",
            "",
            "",
            "java_udf");
    extensions.injectFunction(
        new Tuple3<>(new FunctionIdentifier(name), info, new Builder<>(field)));
  }

  /**
   * Makes the expression of a call: of Spark's own for a registered function, or of a field of it.
   *
   * @param <S> a sequence of expressions, which is another class in Scala 2.12
   */
  private static final class Builder<S> extends AbstractFunction1<S, Expression> {
    private final int field;

    Builder(int field) {
      this.field = field;
    }

    @Override
    public Expression apply(S arguments) {
      DocumentArgument.check(arguments);
      SparkSession spark = SparkSession.active();
      String model = spark.conf().get(MODEL, null);
      if (model == null) {
        throw new IllegalArgumentException(
            "Set %s to the folder of a checkpoint, any Hadoop URI, or demo".formatted(MODEL));
      }
      Expression score = call(spark, MambaFunctions.registered(spark, model), arguments);
      return field < 0
          ? score
          : new GetStructField(
              score, field, Option.apply(MambaFunctions.SCORE.fieldNames()[field]));
    }
  }

  /** By reflection: the session's state is no part of Spark 4's interface, and takes a sequence. */
  private static Expression call(SparkSession spark, String function, Object arguments) {
    try {
      Object state = spark.getClass().getMethod("sessionState").invoke(spark);
      Object catalog = state.getClass().getMethod("catalog").invoke(state);
      Method lookup =
          Arrays.stream(catalog.getClass().getMethods())
              .filter(method -> method.getName().equals("lookupFunction"))
              .filter(method -> method.getParameterCount() == 2)
              .findFirst()
              .orElseThrow();
      return (Expression) lookup.invoke(catalog, new FunctionIdentifier(function), arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }
}
