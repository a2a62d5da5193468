package io.mambaspark.engine.bench;

import io.mambaspark.engine.bench.TimedKernels.Kernel;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.TestModels;
import java.util.Map;

/**
 * How one thread's time is divided. A separate pass measures it, so that timing the kernels does
 * not slow down the main measurement.
 *
 * @param tokensPerSecond the speed of this pass
 * @param seconds the seconds per token in each kernel
 * @param rest the seconds per token outside all kernels
 * @param layerGflops the speed of the layers' products in GFLOP/s
 * @param headGflops the speed of the head's product in GFLOP/s
 */
record Breakdown(
    double tokensPerSecond,
    Map<Kernel, Double> seconds,
    double rest,
    double layerGflops,
    double headGflops) {

  /** Returns the fastest of {@code passes} passes. */
  static Breakdown of(MambaModel model, Cores cores, int passes, double seconds) {
    Breakdown best = null;
    for (int i = 0; i < passes; i++) {
      Breakdown pass = measure(model, cores, seconds);
      if (best == null || pass.tokensPerSecond > best.tokensPerSecond) {
        best = pass;
      }
    }
    return best;
  }

  private static Breakdown measure(MambaModel model, Cores cores, double seconds) {
    TimedKernels timed = new TimedKernels(model.kernels(), model.logitPanels());
    ForwardRun run = new ForwardRun("timed", TestModels.with(model, timed), 1, 0);
    run.prepare(cores, 0, seconds);
    timed.clear();
    run.measure(cores);
    ForwardRun.Result result = run.result();
    double rate = result.samples().best();
    Map<Kernel, Double> kernels = timed.seconds();
    double inKernels = 0;
    for (Map.Entry<Kernel, Double> kernel : kernels.entrySet()) {
      kernel.setValue(kernel.getValue() / result.tokens());
      inKernels += kernel.getValue();
    }
    MambaConfig config = model.config();
    return new Breakdown(
        rate,
        kernels,
        1 / rate - inKernels,
        Shape.layerFlop(config) / kernels.get(Kernel.PRODUCT) / 1e9,
        Shape.headFlop(config) / kernels.get(Kernel.HEAD_PRODUCT) / 1e9);
  }

  /** The share of the layers' products in the time. */
  double products() {
    return share(seconds.get(Kernel.PRODUCT));
  }

  /** The share of the scan, including softplus and gate. */
  double scan() {
    return share(seconds.get(Kernel.SCAN));
  }

  /** The share of the head: its product and the log-softmax. */
  double head() {
    return share(seconds.get(Kernel.HEAD_PRODUCT) + seconds.get(Kernel.FOLD));
  }

  /** The share of everything else: convolution, norms, sums, embedding, copies. */
  double others() {
    return 1 - products() - scan() - head();
  }

  /** The share of everything except the products of the layers and the head. */
  double outsideProducts() {
    return 1 - share(seconds.get(Kernel.PRODUCT) + seconds.get(Kernel.HEAD_PRODUCT));
  }

  double share(double secondsOfToken) {
    return secondsOfToken * tokensPerSecond;
  }
}
