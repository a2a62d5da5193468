package io.mambaspark.engine.bench;

import io.mambaspark.engine.model.MambaModel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** Loading and packing of a checkpoint that the page cache holds, on one thread. */
final class LoadRun {
  private LoadRun() {}

  /** MB/s of the checkpoint, of {@code repeats} loads after one. */
  static Samples measure(Path folder, int repeats) throws IOException {
    double megabytes = Files.size(folder.resolve("model.safetensors")) / 1e6;
    Samples samples = new Samples();
    for (int repeat = 0; repeat <= repeats; repeat++) {
      // Not the time to free the model before.
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
