package io.mambaspark.engine.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.IntToLongFunction;

/**
 * The machine's peak of fused multiply-adds at each number of threads. Samples are taken between
 * all other measurements, and the best sample is the peak.
 */
final class Peak {
  private static final int[] CHAINS = {8, 12, 16};

  /** The nanoseconds for which each number of chains runs. */
  private static final long BURST = 10_000_000;

  private final Cores cores;
  private final List<IntToLongFunction> loops = new ArrayList<>();
  private final Map<Integer, Samples> samples = new TreeMap<>();

  Peak(Cores cores) {
    this.cores = cores;
    for (int i = 0; i < cores.count(); i++) {
      loops.add(loop());
    }
  }

  /** Loads the loop by name: only classes compiled with the incubator module may refer to it. */
  static IntToLongFunction loop() {
    try {
      return (IntToLongFunction)
          Class.forName("io.mambaspark.engine.bench.VectorPeak")
              .getDeclaredConstructor()
              .newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException(e);
    }
  }

  /** Discards the samples of the warm-up. */
  void clear() {
    samples.clear();
  }

  /** Takes one sample. */
  void measure(int threads) {
    double[] rates = new double[threads];
    cores.run(threads, thread -> rates[thread] = best(loops.get(thread)));
    double sum = 0;
    for (double rate : rates) {
      sum += rate;
    }
    samples.computeIfAbsent(threads, t -> new Samples()).add(sum);
  }

  /** Returns the GFLOP/s of this thread. */
  private static double best(IntToLongFunction loop) {
    double best = 0;
    for (int chains : CHAINS) {
      best = Math.max(best, burst(loop, chains));
    }
    return best;
  }

  private static double burst(IntToLongFunction loop, int chains) {
    long start = System.nanoTime();
    long flop = 0;
    long nanos;
    do {
      flop += loop.applyAsLong(chains);
      nanos = System.nanoTime() - start;
    } while (nanos < BURST);
    return (double) flop / nanos;
  }

  /** Returns the GFLOP/s of that number of threads together. */
  Samples of(int threads) {
    return samples.get(threads);
  }
}
