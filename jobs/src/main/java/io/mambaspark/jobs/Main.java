package io.mambaspark.jobs;

import io.mambaspark.jobs.cli.CompareCommand;
import io.mambaspark.jobs.cli.InspectCommand;
import io.mambaspark.jobs.cli.ScoreCommand;
import io.mambaspark.jobs.cli.TokenizeCommand;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.Versions;
import java.io.PrintWriter;
import java.io.StringWriter;
import java.lang.reflect.Constructor;
import org.apache.spark.SparkUserAppException;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** The command line. */
@Command(
    name = "mamba-spark",
    description = "Scores text with Mamba language models on Apache Spark.",
    mixinStandardHelpOptions = true,
    versionProvider = Main.Version.class,
    synopsisSubcommandLabel = "COMMAND",
    subcommands = {
      ScoreCommand.class,
      CompareCommand.class,
      TokenizeCommand.class,
      InspectCommand.class,
      CommandLine.HelpCommand.class
    },
    descriptionHeading = "%n",
    commandListHeading = "%nCommands:%n",
    footerHeading = "%nStart here:%n",
    footer = {
      "    score --model demo --input demo",
      "    score --help",
      "",
      "Any argument @FILE is replaced by the arguments in that file."
    })
public final class Main {
  public static final String VERBOSE = "--verbose";

  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;

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
      code = FAILED;
    }
    if (!startedBySpark()) {
      System.exit(code);
    }
    // On YARN a System.exit, whatever its code, is an application that failed and is run again.
    if (code != 0) {
      throw userException(code);
    }
  }

  /** Its constructor takes the code alone in Spark 3.5 and 4.0, and a cause too in later ones. */
  private static Exception userException(int code) throws ReflectiveOperationException {
    Constructor<?> constructor = SparkUserAppException.class.getConstructors()[0];
    Object[] arguments = new Object[constructor.getParameterCount()];
    arguments[0] = code;
    return (Exception) constructor.newInstance(arguments);
  }

  /**
   * Whether this thread belongs to spark-submit or to YARN's application master. The driver of a
   * standalone cluster's cluster mode does not know the exception and ends with 1 for it.
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
   * @return 0 done, 1 failed, 2 wrong usage, 3 done with quarantined rows under {@code --strict}
   */
  public static int run(PrintWriter out, PrintWriter err, String... args) {
    CommandLine command = new CommandLine(new Main());
    command.setOut(out);
    command.setErr(err);
    command.setUsageHelpWidth(96);
    // A mistyped option after --input is an unknown option, not one more path.
    command.setUnmatchedOptionsAllowedAsOptionParameters(false);
    command.setParameterExceptionHandler((e, arguments) -> wrongUsage(e));
    command.setExecutionExceptionHandler(Main::failed);
    if (args.length == 0) {
      command.usage(err);
      return WRONG_USAGE;
    }
    return command.execute(args);
  }

  private static int wrongUsage(ParameterException e) {
    CommandLine command = e.getCommandLine();
    command.getErr().println("error: " + Refusal.redacted(Failures.firstLine(e.getMessage())));
    hint(command);
    return WRONG_USAGE;
  }

  private static int failed(Exception e, CommandLine command, ParseResult parsed) {
    command.getErr().println("error: " + Failures.oneLine(e));
    boolean wrongUsage = e instanceof Refusal refusal && refusal.isWrongUsage();
    if (wrongUsage) {
      hint(command);
    }
    ParseResult leaf = parsed.subcommand() == null ? parsed : parsed.subcommand();
    if (leaf.hasMatchedOption(VERBOSE)) {
      StringWriter trace = new StringWriter();
      e.printStackTrace(new PrintWriter(trace, true));
      command.getErr().print(Refusal.redacted(trace.toString()));
    }
    command.getErr().flush();
    return wrongUsage ? WRONG_USAGE : FAILED;
  }

  private static void hint(CommandLine command) {
    command.getErr().println("Try '" + command.getCommandSpec().qualifiedName() + " --help'.");
    command.getErr().flush();
  }

  static final class Version implements IVersionProvider {
    @Override
    public String[] getVersion() {
      return new String[] {"mamba-spark " + Versions.mambaSpark()};
    }
  }
}
