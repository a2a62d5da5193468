package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.spark.ColumnNames;
import java.io.PrintWriter;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** A command that takes its options from the table of options and parses their values. */
abstract class TableCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  private final List<Option<?>> options;

  TableCommand(List<Option<?>> options) {
    this.options = options;
  }

  /** Runs the command and returns the exit code. */
  abstract int run(OptionValues values, PrintWriter out);

  @Override
  public Integer call() {
    return run(values(spec.commandLine().getParseResult()), spec.commandLine().getOut());
  }

  /** Adds the options to the command, in the table's order. */
  void addOptions() {
    // The options for help have the order -1; list the table's options before them.
    int order = -options.size() - 1;
    for (Option<?> option : options) {
      OptionSpec.Builder builder =
          OptionSpec.builder(option.flag())
              .order(order++)
              .required(option.required())
              // picocli treats the description as a format string.
              .description(option.help().replace("%", "%%"));
      spec.addOption(typed(builder, option).build());
    }
  }

  private static OptionSpec.Builder typed(OptionSpec.Builder builder, Option<?> option) {
    OptionSpec.Builder labelled = builder.paramLabel(option.label());
    return switch (option.kind()) {
      case TEXT, LIST -> labelled.type(String.class).arity("1");
      case OPTIONAL_TEXT ->
          labelled.type(String.class).arity("0..1").fallbackValue(option.fallback());
      case WORDS -> labelled.type(List.class).auxiliaryTypes(String.class).arity("1..*");
      case REPEATED -> labelled.type(List.class).auxiliaryTypes(String.class).arity("1");
      case INTEGER, COUNT -> labelled.type(Integer.class).arity("1");
      case LONG_COUNT -> labelled.type(Long.class).arity("1");
      case NUMBER -> labelled.type(Double.class).arity("1");
      // Without an explicit arity, picocli also accepts --strict=false.
      case FLAG -> builder.type(boolean.class);
    };
  }

  private OptionValues values(ParseResult parsed) {
    OptionValues values = OptionValues.NONE;
    for (Option<?> option : options) {
      if (parsed.hasMatchedOption(option.flag())) {
        Object value = parsed.matchedOptionValue(option.flag(), null);
        if (Boolean.FALSE.equals(value)) {
          continue;
        }
        boolean list = option.kind() == Option.Kind.LIST;
        values = values.withUnchecked(option, list ? ColumnNames.split((String) value) : value);
      }
    }
    return values;
  }
}
