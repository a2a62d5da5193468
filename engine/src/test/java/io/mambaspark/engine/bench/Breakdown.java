package io.mambaspark.engine.bench;

import io.mambaspark.engine.bench.TimedKernels.Kernel;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.TestModels;
import java.util.Map;

/**
 * Where one thread's time goes, from a pass of its own, so that the headline is measured untimed.
 *
 * @param tokensPerSecond of this pass
 * @param seconds of the whole pass in each kernel, for a token
 * @param rest seconds for a token outside all kernels
 * @param layerGflops speed of the layers' products
 * @param headGflops speed of the head's product
 */
record Breakdown(
    double tokensPerSecond,
    Map<Kernel, Double> seconds,
    double rest,
    double layerGflops,
    double headGflops) {

  /** Times the better of {@code passes}. */
  static Breakdown of(MambaModel model, Cores cores, int passes, double seconds) {
    Breakdown best = null;
    for (int i = 0; i < passes; i++) {
      Breakdown pass = once(model, cores, seconds);
      if (best == null || pass.tokensPerSecond > best.tokensPerSecond) {
        best = pass;
      }
    }
    return best;
  }

  private static Breakdown once(MambaModel model, Cores cores, double seconds) {
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

  /** The share of the layers' products. */
  double products() {
    return share(seconds.get(Kernel.PRODUCT));
  }

  /** The share of the scan, with softplus and gate. */
  double scan() {
    return share(seconds.get(Kernel.SCAN));
  }

  /** The share of the head: its product and the log-softmax. */
  double head() {
    return share(seconds.get(Kernel.HEAD_PRODUCT) + seconds.get(Kernel.FOLD));
  }

  /** The share of all else: convolution, norms, sums, embedding, copies. */
  double others() {
    return 1 - products() - scan() - head();
  }

  /** The share of everything but the products of layers and head. */
  double outsideProducts() {
    return 1 - share(seconds.get(Kernel.PRODUCT) + seconds.get(Kernel.HEAD_PRODUCT));
  }

  double share(double secondsOfToken) {
    return secondsOfToken * tokensPerSecond;
  }
}
