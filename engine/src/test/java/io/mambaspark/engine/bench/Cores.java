package io.mambaspark.engine.bench;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.function.IntConsumer;

/** Threads that start a task at the same time. */
final class Cores implements AutoCloseable {
  private final int count;
  private final ExecutorService pool;

  Cores(int count) {
    this.count = count;
    this.pool = Executors.newFixedThreadPool(count);
  }

  int count() {
    return count;
  }

  /**
   * Runs {@code work} for the threads 0 … threads-1. Returns the seconds from the common start to
   * the end of the last thread.
   */
  double run(int threads, IntConsumer work) {
    CountDownLatch ready = new CountDownLatch(threads);
    CountDownLatch go = new CountDownLatch(1);
    List<Future<Long>> ends = new ArrayList<>();
    for (int i = 0; i < threads; i++) {
      int thread = i;
      ends.add(
          pool.submit(
              () -> {
                ready.countDown();
                go.await();
                work.accept(thread);
                return System.nanoTime();
              }));
    }
    try {
      ready.await();
      long start = System.nanoTime();
      go.countDown();
      long last = start;
      for (Future<Long> end : ends) {
        last = Math.max(last, end.get());
      }
      return (last - start) / 1e9;
    } catch (InterruptedException | ExecutionException e) {
      throw new IllegalStateException(e);
    }
  }

  @Override
  public void close() {
    pool.shutdownNow();
  }
}
