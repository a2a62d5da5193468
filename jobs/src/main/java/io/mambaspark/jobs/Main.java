package io.mambaspark.jobs;

import java.io.PrintWriter;
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
    subcommands = {ScoreCommand.class, InspectCommand.class, CommandLine.HelpCommand.class},
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
  static final String VERBOSE = "--verbose";

  private static final int FAILED = 1;
  private static final int WRONG_USAGE = 2;

  private Main() {}

  /** Runs the command and ends the JVM with its exit code. */
  public static void main(String[] args) {
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
    System.exit(code);
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
    command.getErr().println("error: " + Failures.oneLine(e));
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
      e.printStackTrace(command.getErr());
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
