package io.mambaspark.engine.bench;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.LogSoftmax;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.Mamba1Config;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.score.Scorer;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Only the products of a model, in the model's order and with separate matrices for every layer,
 * over one full chunk, on one thread.
 */
final class ProductPass {
  private static final int ROWS = Scorer.CHUNK;

  private final Kernels kernels = Kernels.best();
  private final int stride = Panels.stride(ROWS);
  private final Map<String, Product> layer = new LinkedHashMap<>();
  private final Product head;
  private final Samples total = new Samples();

  /** One of the products: its matrices, one per layer, its input and its output. */
  final class Product {
    final int k;
    final int n;

    /** The speeds in GFLOP/s. */
    final Samples samples = new Samples();

    private final PackedMatrix[] matrices;
    private final float[] a;
    private final float[] c;
    private final int block;
    private long nanos;

    /** {@code block} is the number of panels that are computed at a time. */
    Product(int count, float[] a, int block, int k, int... sections) {
      this.k = k;
      this.a = a;
      int rows = 0;
      int panels = 0;
      for (int section : sections) {
        rows += section;
        panels += Panels.count(section);
      }
      this.n = rows;
      this.block = Math.min(block, panels);
      this.c = new float[this.block * stride * Panels.WIDTH];
      this.matrices = new PackedMatrix[count];
      float[] values = random(Panels.WIDTH * k, 1 / Math.sqrt(k));
      for (int i = 0; i < count; i++) {
        matrices[i] = new PackedMatrix(WeightFormat.F32, k, sections);
        for (int section = 0; section < sections.length; section++) {
          for (int row = 0; row < sections[section]; row += Panels.WIDTH) {
            int some = Math.min(Panels.WIDTH, sections[section] - row);
            matrices[i].rows(section, row, some, values);
          }
        }
      }
    }

    double flop() {
      return 2.0 * ROWS * k * n;
    }

    private void run(int index) {
      PackedMatrix w = matrices[index];
      long start = System.nanoTime();
      for (int first = 0; first < w.panels(); first += block) {
        int end = Math.min(first + block, w.panels());
        kernels.product(a, ROWS, stride, w, null, first, end, c);
      }
      nanos += System.nanoTime() - start;
    }

    private double end() {
      double flop = matrices.length * flop();
      samples.add(flop / nanos);
      return flop;
    }
  }

  ProductPass(MambaConfig config) {
    int layers = config.nLayer();
    int dModel = config.dModel();
    Mamba1Config mixer = (Mamba1Config) config.mixer();
    int dInner = mixer.dInner();
    int all = Integer.MAX_VALUE;
    float[] hidden = random(Panels.count(dModel) * stride * Panels.WIDTH, 1);
    Product inProj = new Product(layers, hidden, all, dModel, dInner, dInner);
    layer.put("in_proj", inProj);
    Product xProj =
        new Product(layers, inProj.c, all, dInner, mixer.dtRank(), mixer.dState(), mixer.dState());
    layer.put("x_proj", xProj);
    Product dtProj = new Product(layers, xProj.c, all, mixer.dtRank(), dInner);
    layer.put("dt_proj", dtProj);
    layer.put("out_proj", new Product(layers, dtProj.c, all, dInner, dModel));
    head = new Product(1, hidden, LogSoftmax.BLOCK, dModel, config.vocabSize());
  }

  private static float[] random(int length, double spread) {
    SplittableRandom random = new SplittableRandom(1);
    float[] values = new float[length];
    for (int i = 0; i < length; i++) {
      values[i] = (float) (spread * (2 * random.nextDouble() - 1));
    }
    return values;
  }

  /** Takes one sample of each product. */
  void measure() {
    Map<String, Product> products = products();
    products.values().forEach(product -> product.nanos = 0);
    int layers = layer.get("in_proj").matrices.length;
    for (int i = 0; i < layers; i++) {
      for (Product product : layer.values()) {
        product.run(i);
      }
    }
    head.run(0);
    double flop = 0;
    long nanos = 0;
    for (Product product : products.values()) {
      flop += product.end();
      nanos += product.nanos;
    }
    total.add(flop / nanos);
  }

  Map<String, Product> products() {
    Map<String, Product> products = new LinkedHashMap<>(layer);
    products.put("head", head);
    return products;
  }

  /** Returns the GFLOP/s of all products together. */
  Samples total() {
    return total;
  }
}
