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
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.stream.Stream;

/**
 * A standalone cluster of a master and two workers on this machine, and jobs that are submitted to
 * it, as a user starts them: by the scripts.
 */
public final class TestCluster implements AutoCloseable {
  private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
  private static final long PATIENCE_SECONDS = 120;

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
    // Two in a row, as the second worker has the next one.
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
    return submit(master, sparkOptions, arguments);
  }

  /** Starts a job elsewhere. */
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

  /** A driver. The script replaces itself by it, so it has the script's process id. */
  public record Job(Process driver, Path log) {
    /** Waits until something is seen, and fails when the job ends before that. */
    public void until(String what, BooleanSupplier seen) {
      long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(PATIENCE_SECONDS);
      while (!seen.getAsBoolean()) {
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

    /** Waits for the end and gives the exit code. */
    public int join() {
      try {
        if (!driver.waitFor(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
          driver.destroyForcibly();
          throw new AssertionError("The job does not end:%n%s".formatted(output()));
        }
        return driver.exitValue();
      } catch (InterruptedException e) {
        throw new IllegalStateException(e);
      }
    }

    /** As kill -9 does. */
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

    /** The line that tells why it failed. */
    public String error() {
      return output().lines().filter(line -> line.startsWith("error: ")).findFirst().orElse("");
    }
  }

  /** What the executors of the last application have logged. */
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

  /** The executors of the last application that run now. */
  public List<ProcessHandle> executors() {
    String application = applications().max(Comparator.naturalOrder()).orElse("none");
    return processes("org.apache.spark.executor.CoarseGrainedExecutorBackend").stream()
        .filter(process -> line(process).contains(" --app-id " + application + " "))
        .toList();
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
    // Java cuts command lines at a page.
    try {
      return Files.readString(Path.of("/proc/" + process.pid() + "/cmdline")).replace('\0', ' ');
    } catch (IOException e) {
      return "";
    }
  }

  /** Sends a signal by its name. */
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
