package io.mambaspark.jobs;

import io.mambaspark.jobs.cli.Commands;
import java.io.PrintWriter;
import java.lang.reflect.Constructor;
import org.apache.spark.SparkUserAppException;

/** The command line. */
public final class Main {
  private Main() {}

  /**
   * Runs the command and ends the JVM with its exit code.
   *
   * @throws SparkUserAppException under spark-submit, if the code is not 0: Spark ends the JVM with
   *     its code
   */
  public static void main(String[] args) throws Exception {
    int code;
    try {
      code = run(new PrintWriter(System.out, true), new PrintWriter(System.err, true), args);
    } catch (NoClassDefFoundError e) {
      if (Main.class.getClassLoader().getResource("org/apache/spark/SparkConf.class") != null) {
        throw e;
      }
      System.err.println("error: Spark is not on the class path; start this jar with spark-submit");
      code = Commands.FAILED;
    }
    if (!startedBySpark()) {
      System.exit(code);
    }
    // On YARN, System.exit with any code makes the application fail and run again.
    if (code != 0) {
      throw userException(code);
    }
  }

  /**
   * Creates the exception by reflection: its constructor takes the code in Spark 3.5 and 4.0, and
   * the code and a cause in later versions.
   */
  private static Exception userException(int code) throws ReflectiveOperationException {
    Constructor<?> constructor = SparkUserAppException.class.getConstructors()[0];
    Object[] arguments = new Object[constructor.getParameterCount()];
    arguments[0] = code;
    return (Exception) constructor.newInstance(arguments);
  }

  /**
   * Whether this thread belongs to spark-submit or to YARN's application master. In the cluster
   * mode of a standalone cluster, the driver does not handle the exception and exits with 1.
   */
  private static boolean startedBySpark() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames.anyMatch(
                    frame ->
                        frame.getClassName().startsWith("org.apache.spark.deploy.SparkSubmit")
                            || frame.getClassName().startsWith("org.apache.spark.deploy.yarn.")));
  }

  /**
   * Runs a command in this JVM.
   *
   * @return 0 for success, 1 for a failure, 2 for wrong usage, 3 for success with quarantined rows
   *     under {@code --strict}
   */
  public static int run(PrintWriter out, PrintWriter err, String... args) {
    return Commands.run(out, err, args);
  }
}
