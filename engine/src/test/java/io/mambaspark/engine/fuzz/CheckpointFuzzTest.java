package io.mambaspark.engine.fuzz;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.fuzz.HostileCases.Case;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Hostile model folders. Each of them either loads correctly or is refused with a
 * CheckpointException of one line, in little time and memory, and no other file is touched. To run
 * more cases, other cases or one case again:
 *
 * <pre>
 * mvn -pl engine test -Dtest=CheckpointFuzzTest -Dmambaspark.fuzz.cases=2000000
 * mvn -pl engine test -Dtest=CheckpointFuzzTest -Dmambaspark.fuzz.seed=7
 * mvn -pl engine test -Dtest=CheckpointFuzzTest -Dmambaspark.fuzz.case=4711
 * </pre>
 */
@Tag("vector") // One run is enough: reading does not depend on the kernels.
class CheckpointFuzzTest {
  private static final long SEED = Long.getLong("mambaspark.fuzz.seed", 20_260_101);
  private static final long CASES = Long.getLong("mambaspark.fuzz.cases", 24_000);
  private static final Long ONE = Long.getLong("mambaspark.fuzz.case");

  private static final int THREADS = 2;
  private static final int MAX_FAILURES = 20;

  /** A thousand times the duration of most cases, because the machine may be busy. */
  private static final long MAX_SECONDS = 20;

  @TempDir Path temporary;

  private final List<Original> originals = Original.all();
  private final HostileCases cases = new HostileCases(SEED, originals);
  private final Map<String, String> fingerprints = new HashMap<>();
  private final AtomicLong next = new AtomicLong(ONE == null ? 0 : ONE);
  private final long end = ONE == null ? CASES : ONE + 1;

  // The fields below are guarded by this.
  private final SortedMap<Long, AssertionError> failures = new TreeMap<>();
  private final SortedMap<String, Integer> counts = new TreeMap<>();
  private final SortedMap<String, Integer> refusals = new TreeMap<>();
  private String largestShare = "";
  private double largestShareOfBound;

  @Test
  void aHostileFolderLoadsCorrectlyOrIsRefusedInOneLine() throws Exception {
    long begin = System.nanoTime();
    List<Reader> readers = new ArrayList<>();
    for (int i = 0; i < THREADS; i++) {
      readers.add(new Reader(temporary.resolve("thread-" + i)));
    }
    for (Original original : originals) {
      readers.get(0).readUndamaged(original);
    }
    // The small originals are one Mamba-1 in four layouts and one Mamba-2 in two, each with one
    // fingerprint.
    assertThat(Set.copyOf(fingerprints.values())).hasSize(4);
    readers.forEach(Thread::start);
    List<Reader> running = new ArrayList<>(readers);
    while (running.stream().anyMatch(Thread::isAlive)) {
      running.removeIf(Reader::hangs);
      Thread.sleep(50);
    }
    synchronized (this) {
      report((System.nanoTime() - begin) / 1e9);
      if (!failures.isEmpty()) {
        AssertionError failure =
            new AssertionError(
                "%d failures with seed %d".formatted(failures.size(), SEED),
                failures.get(failures.firstKey()));
        failures.tailMap(failures.firstKey() + 1).values().forEach(failure::addSuppressed);
        throw failure;
      }
      for (Reader reader : readers) {
        for (HostileDisk disk : reader.disks.values()) {
          assertThat(disk.surroundings())
              .as("the files around")
              .isEqualTo(disk.initialSurroundings());
        }
      }
      if (end >= 20_000 && ONE == null) {
        // Many different refusals show that the cases reach most checks.
        assertThat(refusals).hasSizeGreaterThan(90);
      }
    }
  }

  private synchronized void report(double seconds) {
    int read = counts.values().stream().mapToInt(Integer::intValue).sum();
    System.out.printf("Seed %d, %d cases, %.1f s%n", SEED, read, seconds);
    counts.forEach((what, count) -> System.out.printf("%7d %s%n", count, what));
    System.out.printf("Refused at %d lines of code%n", refusals.size());
    refusals.forEach((place, count) -> System.out.printf("%7d %s%n", count, place));
    System.out.printf("Largest share of the memory bound: %s%n", largestShare);
  }

  private synchronized void count(Case done, Reading reading) {
    String outcome = reading.refusal() == null ? ", loaded" : ", refused";
    counts.merge(done.folder().original().name() + outcome, 1, Integer::sum);
    if (reading.refusal() != null) {
      refusals.merge(reading.place(), 1, Integer::sum);
    }
    double share = (double) reading.bytes() / Reading.allowedBytes(done.folder());
    if (share > largestShareOfBound) {
      largestShareOfBound = share;
      largestShare =
          "%d of %d bytes, case %s"
              .formatted(reading.bytes(), Reading.allowedBytes(done.folder()), done);
    }
    if (ONE != null) {
      System.out.println(done + "\n" + reading);
    }
  }

  private synchronized void failed(long number, Object what, Throwable why) {
    failures.put(
        number,
        new AssertionError(
            "Seed %d, case %s%nRun again: -Dtest=CheckpointFuzzTest -Dmambaspark.fuzz.seed=%d -Dmambaspark.fuzz.case=%d"
                .formatted(SEED, what, SEED, number),
            why));
    if (failures.size() == MAX_FAILURES) {
      next.set(end);
    }
  }

  /** Reads cases until none is left. */
  private final class Reader extends Thread {
    final Map<String, HostileDisk> disks = new HashMap<>();
    private volatile Case reading;
    private volatile long since;

    Reader(Path folder) throws IOException, InterruptedException {
      for (Original original : originals) {
        disks.put(original.name(), new HostileDisk(folder.resolve(original.name()), original));
      }
      // A reader that hangs must not keep the JVM alive.
      setDaemon(true);
    }

    void readUndamaged(Original original) throws IOException {
      HostileDisk disk = disks.get(original.name());
      HostileFolder undamaged = new HostileFolder(original, disk.canaries());
      disk.write(undamaged);
      fingerprints.put(original.name(), Reading.of(undamaged, disk.folder()).fingerprint());
    }

    @Override
    public void run() {
      for (long n = next.getAndIncrement(); n < end; n = next.getAndIncrement()) {
        Object what = n;
        try {
          HostileDisk disk = disks.get(cases.original(n).name());
          Case made = cases.make(n, disk.canaries());
          what = made;
          disk.write(made.folder());
          since = System.nanoTime();
          reading = made;
          Reading read = Reading.of(made.folder(), disk.folder());
          reading = null;
          read.check(made, fingerprints.get(made.folder().original().name()));
          count(made, read);
        } catch (Throwable e) {
          // The test looks for any such exception, including errors.
          reading = null;
          failed(n, what, e);
        }
      }
    }

    /**
     * Whether a case takes too long. If so, it is a failure, and the test ends without the reader.
     */
    boolean hangs() {
      Case hanging = reading;
      if (hanging == null || System.nanoTime() - since < MAX_SECONDS * 1_000_000_000L) {
        return false;
      }
      Throwable here = new AssertionError("Reading takes more than %d s".formatted(MAX_SECONDS));
      here.setStackTrace(getStackTrace());
      failed(hanging.number(), hanging, here);
      next.set(end);
      return true;
    }
  }
}
