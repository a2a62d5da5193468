package io.mambaspark.jobs;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.Arrays;

/** The exit code and the output of a command. */
public record Cli(int code, String out, String err) {
  public static Cli run(Object... args) {
    TestSpark.session();
    return runWithoutSession(args);
  }

  public static Cli runWithoutSession(Object... args) {
    StringWriter out = new StringWriter();
    StringWriter err = new StringWriter();
    int code =
        Main.run(
            new PrintWriter(out, true),
            new PrintWriter(err, true),
            Arrays.stream(args).map(String::valueOf).toArray(String[]::new));
    return new Cli(code, out.toString(), err.toString());
  }

  /** The first line on standard error. */
  public String error() {
    return err.lines().findFirst().orElse("");
  }
}
