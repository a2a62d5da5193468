package io.mambaspark.engine.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;

/**
 * Prints the kernels of a JVM, and how many threads of native code their products of integers
 * start. A thread of native code has the name of the thread that starts it.
 */
final class ThreadsOfProducts {
  private static final String CALLER = "caller";

  private ThreadsOfProducts() {}

  public static void main(String[] args) throws InterruptedException {
    Thread caller = new Thread(ThreadsOfProducts::run, CALLER);
    caller.start();
    caller.join();
  }

  private static void run() {
    ChosenKernels.main(new String[0]);
    Kernels kernels = Kernels.best();
    int k = 768;
    int n = 512;
    int rows = 480;
    int stride = Panels.stride(rows);
    PackedMatrix w = new PackedMatrix(WeightFormat.INT8, k, n);
    w.rows(0, 0, n, new float[n * k]);
    kernels.prepare(w);
    QuantizedRows a = new QuantizedRows();
    kernels.quantize(new float[k * stride], k, rows, stride, WeightFormat.INT8, a);
    kernels.product(a, w, null, 0, w.panels(), new float[n * stride]);
    System.out.println("threads of products: " + (threads(CALLER) - 1));
  }

  /** Returns the number of this process's threads of this name. */
  private static int threads(String name) {
    try (Stream<Path> tasks = Files.list(Path.of("/proc/self/task"))) {
      int count = 0;
      for (Path task : (Iterable<Path>) tasks::iterator) {
        count += List.of(name).equals(Files.readAllLines(task.resolve("comm"))) ? 1 : 0;
      }
      return count;
    } catch (IOException e) {
      throw new IllegalStateException(e);
    }
  }
}
