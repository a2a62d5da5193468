package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.OptionValues;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Model.CommandSpec;
import picocli.CommandLine.Model.OptionSpec;
import picocli.CommandLine.ParseResult;
import picocli.CommandLine.Spec;

/** A command whose options are those of the table, and the values that it is given. */
abstract class TableCommand implements Callable<Integer> {
  @Spec CommandSpec spec;

  private final List<Option<?>> options;

  TableCommand(List<Option<?>> options) {
    this.options = options;
  }

  /** Runs the command; the result is the exit code. */
  abstract int run(OptionValues values, PrintWriter out);

  @Override
  public Integer call() {
    return run(values(spec.commandLine().getParseResult()), spec.commandLine().getOut());
  }

  /** Adds the options to the command, in their order. */
  void addOptions() {
    // Before those for help, whose order is -1.
    int order = -options.size() - 1;
    for (Option<?> option : options) {
      OptionSpec.Builder builder =
          OptionSpec.builder(option.flag())
              .order(order++)
              .required(option.required())
              // picocli formats it.
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
      // Without an arity of its own, --strict=false is understood, too.
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
        values = values.withUnchecked(option, list ? list((String) value) : value);
      }
    }
    return values;
  }

  /** The names in a comma list. */
  private static List<String> list(String names) {
    return Arrays.stream(names.split(","))
        .map(String::strip)
        .filter(name -> !name.isEmpty())
        .toList();
  }
}
