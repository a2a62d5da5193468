package io.mambaspark.jobs.job;

import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.OptionalLong;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.function.Supplier;
import me.tongfei.progressbar.ProgressBar;
import me.tongfei.progressbar.ProgressBarBuilder;
import me.tongfei.progressbar.ProgressBarConsumer;
import me.tongfei.progressbar.ProgressBarStyle;
import org.apache.spark.SparkStageInfo;
import org.apache.spark.api.java.JavaSparkContext;
import org.apache.spark.api.java.JavaSparkStatusTracker;
import org.apache.spark.util.LongAccumulator;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Displays the progress of a job: one updating line on a terminal, otherwise a log line every ten
 * seconds. The numbers come from an accumulator, which counts a retried task twice. They are good
 * enough for a display, never for a result.
 */
final class Progress {
  private static final Logger LOG = LoggerFactory.getLogger(Progress.class);
  private static final int LINE = 100;

  /** Set by scripts/common.sh if this process writes to a terminal through the script's pipe. */
  private static final String TERMINAL_BEHIND_PIPE = "MAMBASPARK_TERMINAL";

  private final JavaSparkContext context;
  private final RunningSum tokens;
  private final RunningSum bytes;
  private final long totalBytes;
  private volatile OptionalLong total = OptionalLong.empty();
  private final JavaSparkStatusTracker tasks;
  private final long start = System.nanoTime();
  private final ScheduledExecutorService clock;
  private final ProgressBar bar;
  private double share;
  private final EvenSample<Timeline.Speed> samples = new EvenSample<>();
  private long highestSum;
  private Timeline timeline;

  /**
   * Starts the display.
   *
   * @param tokens counts the tokens that were run
   * @param total returns an upper bound on the number of tokens to run; empty if it is unknown. It
   *     runs in its own thread, and the job does not wait for it
   * @param bytes counts the input bytes that were read, for inputs with an unknown number of tokens
   * @param totalBytes the size of the input; 0 if it is unknown
   * @param terminal the terminal to draw on; null for log lines
   */
  Progress(
      JavaSparkContext context,
      LongAccumulator tokens,
      Supplier<OptionalLong> total,
      LongAccumulator bytes,
      long totalBytes,
      PrintStream terminal) {
    this.context = context;
    this.tokens = new RunningSum(tokens);
    this.bytes = new RunningSum(bytes);
    this.totalBytes = totalBytes;
    context.sc().addSparkListener(this.tokens);
    context.sc().addSparkListener(this.bytes);
    this.tasks = context.statusTracker();
    this.bar = terminal == null ? null : bar(terminal);
    this.clock =
        Executors.newSingleThreadScheduledExecutor(work -> daemon("mamba-spark-progress", work));
    daemon("mamba-spark-progress-total", () -> findTotal(total)).start();
    long millis = bar == null ? 10_000 : 500;
    clock.scheduleAtFixedRate(this::show, millis, millis, TimeUnit.MILLISECONDS);
    clock.scheduleAtFixedRate(this::sample, 1, 1, TimeUnit.SECONDS);
  }

  private void sample() {
    samples.add(now());
  }

  private Timeline.Speed now() {
    // Retries and late heartbeats may lower the sum a little, but the curve must be monotonic.
    highestSum = Math.max(highestSum, tokens.sum());
    return new Timeline.Speed((System.nanoTime() - start) / 1e9, highestSum);
  }

  private static Thread daemon(String name, Runnable work) {
    Thread thread = new Thread(work, name);
    thread.setDaemon(true);
    return thread;
  }

  private void findTotal(Supplier<OptionalLong> supplier) {
    try {
      OptionalLong found = supplier.get();
      if (bar != null) {
        found.ifPresent(bar::maxHint);
      }
      total = found;
    } catch (RuntimeException e) {
      LOG.debug("Cannot find the number of tokens", e);
    }
  }

  /** Returns standard error if it is a terminal, otherwise null. */
  static PrintStream terminal() {
    return terminal(System.getenv());
  }

  static PrintStream terminal(Map<String, String> environment) {
    if (environment.containsKey(TERMINAL_BEHIND_PIPE)) {
      return System.err;
    }
    try {
      Path stderr = Path.of("/proc/self/fd/2");
      if (Files.isSymbolicLink(stderr)) {
        String device = Files.readSymbolicLink(stderr).toString();
        return device.startsWith("/dev/pts/") || device.startsWith("/dev/tty") ? System.err : null;
      }
    } catch (java.io.IOException e) {
      LOG.debug("Cannot determine whether standard error is a terminal", e);
    }
    return System.console() != null ? System.err : null;
  }

  private static ProgressBar bar(PrintStream terminal) {
    return new ProgressBarBuilder()
        .setTaskName("scoring")
        .setInitialMax(-1)
        .setUnit(" tokens", 1)
        .showSpeed()
        .setStyle(ProgressBarStyle.ASCII)
        .setUpdateIntervalMillis(500)
        // A custom consumer, because the default one loads a terminal library.
        .setConsumer(
            new ProgressBarConsumer() {
              @Override
              public int getMaxRenderedLength() {
                return LINE;
              }

              @Override
              public void accept(String line) {
                terminal.print("\r" + line);
                terminal.flush();
              }

              @Override
              public void close() {
                terminal.print("\r" + " ".repeat(LINE) + "\r");
                terminal.flush();
              }
            })
        .build();
  }

  private void show() {
    try {
      long done = tokens.sum();
      double seconds = (System.nanoTime() - start) / 1e9;
      OptionalLong all = total;
      double reached =
          all.isPresent()
              ? (double) done / Math.max(1, all.getAsLong())
              : totalBytes > 0 ? (double) bytes.sum() / totalBytes : shareOfTasks();
      // Stages start and end, and retries count twice, but the displayed share must be monotonic.
      share = Math.max(share, Math.min(1, reached));
      if (bar != null) {
        bar.stepTo(all.isPresent() ? Math.min(done, all.getAsLong()) : done);
        if (all.isEmpty()) {
          String of = totalBytes > 0 ? "the input" : "tasks";
          bar.setExtraMessage(
              String.format(
                  Locale.ROOT,
                  " %.0f%% of %s, %s left",
                  100 * share,
                  of,
                  timeLeft(seconds, share)));
        }
      } else {
        LOG.info("{}", line(done, seconds, share));
      }
    } catch (RuntimeException e) {
      // A failure here must not stop the job; the context may just be closing.
      LOG.debug("Cannot show the progress", e);
    }
  }

  static String line(long done, double seconds, double share) {
    return String.format(
        Locale.ROOT,
        "%,d tokens done, %,.0f tokens/s, %.0f%%, time left %s",
        done,
        done / seconds,
        100 * share,
        timeLeft(seconds, share));
  }

  private static String timeLeft(double seconds, double share) {
    if (share <= 0) {
      return "unknown";
    }
    Duration rest = Duration.ofSeconds(Math.round(seconds * (1 - share) / share));
    return String.format(
        Locale.ROOT, "%d:%02d:%02d", rest.toHours(), rest.toMinutesPart(), rest.toSecondsPart());
  }

  private double shareOfTasks() {
    int all = 0;
    int done = 0;
    for (int stage : tasks.getActiveStageIds()) {
      SparkStageInfo info = tasks.getStageInfo(stage);
      if (info != null) {
        all += info.numTasks();
        done += info.numCompletedTasks();
      }
    }
    return all == 0 ? 0 : (double) done / all;
  }

  /** Stops the display and returns the timeline of the run. May be called more than once. */
  Timeline stop() {
    if (timeline != null) {
      return timeline;
    }
    clock.shutdownNow();
    try {
      clock.awaitTermination(10, TimeUnit.SECONDS);
      // Spark delivers the events of the last tasks after the job has ended.
      context.sc().listenerBus().waitUntilEmpty(10_000);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    } catch (TimeoutException e) {
      LOG.debug("Spark's listeners are behind; the report may lack the last tasks", e);
    }
    context.sc().removeSparkListener(tokens);
    context.sc().removeSparkListener(bytes);
    List<Timeline.Speed> speed = new ArrayList<>(samples.values());
    speed.add(now());
    timeline = new Timeline(List.copyOf(speed), tokens.ended());
    if (bar != null) {
      bar.close();
    }
    return timeline;
  }
}
