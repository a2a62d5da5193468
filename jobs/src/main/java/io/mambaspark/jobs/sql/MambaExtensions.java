package io.mambaspark.jobs.sql;

import io.mambaspark.jobs.MambaFunctions;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.util.Arrays;
import java.util.List;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.SparkSessionExtensions;
import org.apache.spark.sql.catalyst.FunctionIdentifier;
import org.apache.spark.sql.catalyst.analysis.FunctionRegistry;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.ExpressionInfo;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.internal.SessionState;
import scala.Option;
import scala.Tuple3;
import scala.runtime.AbstractFunction1;
import scala.runtime.BoxedUnit;

/**
 * An extension for {@code spark.sql.extensions} that adds the functions {@code mamba_score}, {@code
 * mamba_perplexity} and {@code mamba_nll}. {@code mamba_score} returns the struct that {@link
 * MambaFunctions#register} describes. The functions use the model that {@value #MODEL} names when a
 * query is analysed, and the signals in {@value #EMIT}. {@link #register} adds the functions to a
 * session that was started without the extension.
 */
public final class MambaExtensions extends AbstractFunction1<SparkSessionExtensions, BoxedUnit> {
  /** The setting that names the model. */
  public static final String MODEL = "spark.mambaspark.model";

  /** The setting that selects the signals in the struct of {@code mamba_score}. */
  public static final String EMIT = "spark.mambaspark.emit";

  private static final String USAGE =
      "_FUNC_(document) - Scores a text, or an array of token ids, with the Mamba model that "
          + MODEL
          + " names; returns ";

  private static final List<Function> FUNCTIONS =
      List.of(
          new Function(
              "mamba_score",
              -1,
              "a struct of nll (nats), token_count, perplexity, error and the signals that "
                  + EMIT
                  + " lists."),
          new Function(
              "mamba_perplexity",
              2,
              "exp(nll / token_count), null if no token was scored or the value is too large for a"
                  + " double."),
          new Function("mamba_nll", 0, "the sum of -ln p over the scored tokens, in nats."));

  /**
   * One of the functions.
   *
   * @param field the index of the returned field in {@link MambaFunctions#SCORE}; negative if the
   *     function returns the complete struct
   * @param result describes the returned value
   */
  private record Function(String name, int field, String result) {
    FunctionIdentifier identifier() {
      return new FunctionIdentifier(name);
    }

    ExpressionInfo info() {
      return new ExpressionInfo(
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
    }
  }

  /** Called by Spark, which instantiates the class by its name. */
  public MambaExtensions() {}

  @Override
  public BoxedUnit apply(SparkSessionExtensions extensions) {
    for (Function function : FUNCTIONS) {
      extensions.injectFunction(
          new Tuple3<>(function.identifier(), function.info(), new Builder<>(function.field)));
    }
    return BoxedUnit.UNIT;
  }

  /**
   * Adds the functions to a session that was started without the extension, and sets the session's
   * model. The model stays open until the JVM ends.
   *
   * @param model a folder, any Hadoop URI, or {@code demo}. Texts require a tokenizer.json in the
   *     model's folder
   * @throws io.mambaspark.jobs.Refusal if the folder does not exist
   */
  public static void register(SparkSession spark, String model) {
    MambaFunctions.registered(spark, model);
    spark.conf().set(MODEL, model);
    FunctionRegistry registry = state(spark).functionRegistry();
    for (Function function : FUNCTIONS) {
      registry.createOrReplaceTempFunction(
          function.name, new Builder<>(function.field), "java_udf");
      describe(registry, function);
    }
  }

  /** Adds a function's description. The function's qualified name depends on Spark's version. */
  private static void describe(FunctionRegistry registry, Function function) {
    FunctionIdentifier full =
        new FunctionIdentifier(function.name, Option.apply("session"), Option.apply("system"));
    FunctionIdentifier known = registry.functionExists(full) ? full : function.identifier();
    registry.dropFunction(known);
    registry.registerFunction(known, function.info(), new Builder<>(function.field));
  }

  /**
   * Builds the expression of a call: Spark's expression for the registered function, or one field
   * of its result.
   *
   * @param <S> a sequence of expressions; its class differs between Scala 2.12 and 2.13
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
            "Cannot score: %s is not set; set it to a checkpoint's folder, any Hadoop URI, or demo"
                .formatted(MODEL));
      }
      // A signal that is not finite must not make a perplexity null.
      String emit = field < 0 ? spark.conf().get(EMIT, "perplexity") : "perplexity";
      Expression score = call(spark, MambaFunctions.registered(spark, model, emit), arguments);
      return field < 0
          ? score
          : new GetStructField(
              score, field, Option.apply(MambaFunctions.SCORE.fieldNames()[field]));
    }
  }

  /** Calls Spark by reflection, because the method's signature has a Scala sequence. */
  private static Expression call(SparkSession spark, String function, Object arguments) {
    Object catalog = state(spark).catalog();
    Method lookup =
        Arrays.stream(catalog.getClass().getMethods())
            .filter(method -> method.getName().equals("lookupFunction"))
            .filter(method -> method.getParameterCount() == 2)
            .findFirst()
            .orElseThrow();
    return (Expression) invoke(lookup, catalog, new FunctionIdentifier(function), arguments);
  }

  /** Reads the state by reflection, because Spark 4's public session class does not expose it. */
  private static SessionState state(SparkSession spark) {
    try {
      return (SessionState) invoke(spark.getClass().getMethod("sessionState"), spark);
    } catch (NoSuchMethodException e) {
      throw new IllegalStateException(e);
    }
  }

  private static Object invoke(Method method, Object object, Object... arguments) {
    try {
      return method.invoke(object, arguments);
    } catch (InvocationTargetException e) {
      if (e.getCause() instanceof RuntimeException cause) {
        throw cause;
      }
      throw new IllegalStateException(e.getCause());
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }
}
