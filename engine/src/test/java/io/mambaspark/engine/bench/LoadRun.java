package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Measures loading and packing of a checkpoint in the page cache, on one thread. */
final class LoadRun {
  private LoadRun() {}

  /** Returns the speeds of {@code repeats} loads in MB/s, after one load as warm-up. */
  static Samples measure(Path folder, int repeats) throws IOException {
    double megabytes = Files.size(folder.resolve("model.safetensors")) / 1e6;
    Samples samples = new Samples();
    for (int repeat = 0; repeat <= repeats; repeat++) {
      // Exclude the time for freeing the previous model.
      System.gc();
      long start = System.nanoTime();
      MambaModel.load(folder);
      double seconds = (System.nanoTime() - start) / 1e9;
      if (repeat > 0) {
        samples.add(megabytes / seconds);
      }
    }
    return samples;
  }
}
