package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.Versions;
import java.io.PrintWriter;
import java.io.StringWriter;
import picocli.CommandLine;
import picocli.CommandLine.Command;
import picocli.CommandLine.IVersionProvider;
import picocli.CommandLine.ParameterException;
import picocli.CommandLine.ParseResult;

/** The commands and their exit codes. */
@Command(
    name = "mamba-spark",
    description = "Scores text with Mamba language models on Apache Spark.",
    mixinStandardHelpOptions = true,
    versionProvider = Commands.Version.class,
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
public final class Commands {
  /** The exit code of a failure. */
  public static final int FAILED = 1;

  private static final int WRONG_USAGE = 2;

  private Commands() {}

  /**
   * Runs a command in this JVM.
   *
   * @return the exit code: 0 done, 1 failed, 2 wrong usage, 3 done with quarantined rows or unread
   *     files under {@code --strict}
   */
  public static int run(PrintWriter out, PrintWriter err, String... args) {
    CommandLine command = new CommandLine(new Commands());
    command
        .getSubcommands()
        .values()
        .forEach(
            subcommand -> {
              if (subcommand.getCommand() instanceof TableCommand table) {
                table.addOptions();
              }
            });
    command.setOut(out);
    command.setErr(err);
    command.setUsageHelpWidth(96);
    // A mistyped option after --input must be an unknown option, not another path.
    command.setUnmatchedOptionsAllowedAsOptionParameters(false);
    command.setParameterExceptionHandler((e, arguments) -> wrongUsage(e));
    command.setExecutionExceptionHandler(Commands::failed);
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
    if (leaf.hasMatchedOption(Options.VERBOSE.flag())) {
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
