package io.mambaspark.jobs;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.net.ServerSocket;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.BooleanSupplier;
import java.util.stream.Collectors;
import java.util.stream.Stream;

/**
 * A standalone cluster with a master and two workers on this machine. The scripts start it and
 * submit jobs to it, as a user would.
 */
public final class TestCluster implements AutoCloseable {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
  private static final long TIMEOUT_SECONDS = 120;
  private static final String EXECUTOR = "org.apache.spark.executor.CoarseGrainedExecutorBackend";

  /** A driver on the cluster scores nothing and ends before C2's code would save time. */
  private static final String SHORT_DRIVER =
      "spark.driver.extraJavaOptions=--add-modules=jdk.incubator.vector"
          + " -XX:TieredStopAtLevel=1 -XX:+UseSerialGC";

  private final Path logs;
  private final Map<String, String> ports =
      Map.of(
          "MASTER_PORT", freePort() + "",
          "MASTER_UI_PORT", freePort() + "",
          "WORKER_UI_PORT", freePort() + "");
  private String master;
  private int jobs;

  public TestCluster(Path logs) {
    this.logs = logs;
    start();
  }

  public static int freePort() {
    // The second worker uses the next port, which must be a valid port as well.
    try (ServerSocket socket = new ServerSocket(0)) {
      return socket.getLocalPort() < 65_000 ? socket.getLocalPort() : 20_000;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  private String script(String name, String argument) {
    try {
      ProcessBuilder builder = new ProcessBuilder(ROOT + "/scripts/" + name, argument);
      builder.environment().putAll(ports);
      builder.redirectError(ProcessBuilder.Redirect.INHERIT);
      Process process = builder.start();
      String out = new String(process.getInputStream().readAllBytes());
      if (process.waitFor() != 0) {
        throw new IllegalStateException(name + " " + argument + " failed");
      }
      return out.strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void start() {
    master = script("cluster.sh", "start");
  }

  public void restart() {
    close();
    start();
  }

  @Override
  public void close() {
    script("cluster.sh", "stop");
  }

  /** Starts a job on the cluster. */
  public Job submit(List<String> sparkOptions, Object... arguments) {
    List<String> options = new ArrayList<>(List.of("--conf", SHORT_DRIVER));
    options.addAll(sparkOptions);
    return submit(master, options, arguments);
  }

  /** Starts a job on another master. */
  public Job submit(String master, List<String> sparkOptions, Object... arguments) {
    List<String> command = new ArrayList<>(List.of(ROOT + "/scripts/submit.sh"));
    command.addAll(List.of("--driver-memory", "1g", "--executor-memory", "1g"));
    command.addAll(sparkOptions);
    command.add("--");
    Arrays.stream(arguments).map(String::valueOf).forEach(command::add);
    Path log = logs.resolve("job-" + jobs++ + ".log");
    try {
      ProcessBuilder builder = new ProcessBuilder(command);
      builder.environment().put("MASTER", master);
      builder.redirectErrorStream(true).redirectOutput(log.toFile());
      return new Job(builder.start(), log);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /** A driver process. The script replaces itself with the driver, so both have the same id. */
  public record Job(Process driver, Path log) {
    /** Waits until a condition is true; fails if the job ends first. */
    public void until(String what, BooleanSupplier condition) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(TIMEOUT_SECONDS);
      while (!condition.getAsBoolean()) {
        if (!driver.isAlive() || System.nanoTime() > end) {
          throw new AssertionError(
              "The job %s before %s:%n%s"
                  .formatted(driver.isAlive() ? "hangs" : "ended", what, output()));
        }
        try {
          Thread.sleep(5);
        } catch (InterruptedException e) {
          throw new IllegalStateException(e);
        }
      }
    }

    /** Waits for the end and returns the exit code. */
    public int join() {
      try {
        if (!driver.waitFor(TIMEOUT_SECONDS, TimeUnit.SECONDS)) {
          driver.destroyForcibly();
          throw new AssertionError(
              "The job did not end in %d seconds:%n%s".formatted(TIMEOUT_SECONDS, output()));
        }
        return driver.exitValue();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    /** Kills the driver as kill -9 does. */
    public void kill() {
      driver.destroyForcibly();
      join();
    }

    public String output() {
      try {
        return Files.readString(log);
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }

    /** Returns the line with the reason of the failure; empty if there is none. */
    public String error() {
      return output().lines().filter(line -> line.startsWith("error: ")).findFirst().orElse("");
    }
  }

  /** Returns the logs of the last application's executors. */
  public List<Path> executorLogs() throws IOException {
    try (Stream<Path> files = Files.walk(ROOT.resolve("target/cluster"), 4)) {
      List<Path> logs =
          files.filter(file -> file.endsWith("stderr")).map(Path::toAbsolutePath).toList();
      String last = applications().max(Comparator.naturalOrder()).orElseThrow();
      return logs.stream().filter(log -> application(log).equals(last)).toList();
    }
  }

  private static String application(Path log) {
    return log.getParent().getParent().getFileName().toString();
  }

  /** Returns the running executors of the last application. */
  public List<ProcessHandle> executors() {
    String application = applications().max(Comparator.naturalOrder()).orElse("none");
    return processes(EXECUTOR).stream()
        .filter(process -> line(process).contains(" --app-id " + application + " "))
        .toList();
  }

  /**
   * Waits until no executor of this cluster is running. Executors outlive their driver for seconds,
   * most of all one that was stopped, and tasks that they still run write beside the output.
   */
  public void awaitEndOfExecutors() {
    Set<String> applications = applications().collect(Collectors.toSet());
    for (ProcessHandle executor : processes(EXECUTOR)) {
      if (applications.stream().anyMatch(name -> line(executor).contains(" " + name + " "))) {
        signal("CONT", executor);
        try {
          executor.onExit().get(TIMEOUT_SECONDS, TimeUnit.SECONDS);
        } catch (InterruptedException | ExecutionException | TimeoutException e) {
          throw new IllegalStateException("An executor did not end: " + line(executor), e);
        }
      }
    }
  }

  private static Stream<String> applications() {
    List<String> names = new ArrayList<>();
    for (String worker : List.of("work-1", "work-2")) {
      String[] found = ROOT.resolve("target/cluster").resolve(worker).toFile().list();
      names.addAll(found == null ? List.of() : List.of(found));
    }
    return names.stream();
  }

  public List<ProcessHandle> workers() {
    return processes("org.apache.spark.deploy.worker.Worker").stream()
        .filter(process -> line(process).contains(master))
        .toList();
  }

  private static List<ProcessHandle> processes(String mainClass) {
    return ProcessHandle.allProcesses()
        .filter(process -> line(process).contains(" " + mainClass + " "))
        .toList();
  }

  private static String line(ProcessHandle process) {
    // Read /proc, because Java truncates command lines to one page.
    try {
      return Files.readString(Path.of("/proc/" + process.pid() + "/cmdline")).replace('\0', ' ');
    } catch (IOException e) {
      return "";
    }
  }

  /** Sends a signal to a process. */
  public static void signal(String name, ProcessHandle process) {
    run("kill", "-" + name, process.pid() + "");
  }

  public static void run(String... command) {
    try {
      Process process = new ProcessBuilder(command).inheritIO().start();
      if (process.waitFor() != 0) {
        throw new IllegalStateException(String.join(" ", command) + " failed");
      }
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }
}
