package io.mambaspark.engine.bench;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.TestKernels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.model.RandomModel;
import io.mambaspark.engine.model.TestModels;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.EnumSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Measures the complete forward pass on random weights, interleaved with measurements of the peak
 * of fused multiply-adds in the same JVM. scripts/bench.sh starts it and documents it.
 */
public final class Bench {
  /** The length of a short document, including its first token. */
  private static final int SHORT_DOCUMENT = 30;

  /** The number of tokens for the scalar kernels, which are slow. */
  private static final int FEW = 48;

  private static final long SEED = 1;

  /** The formats that round weights. */
  private static final Set<WeightFormat> ROUNDED =
      EnumSet.range(WeightFormat.BF16, WeightFormat.INT16);

  private final BenchOptions options;
  private final Cores cores;
  private final Peak peak;
  private final Report report;

  /** Whether no run has been warmed up yet. */
  private boolean cold = true;

  private Bench(BenchOptions options, Cores cores) {
    this.options = options;
    this.cores = cores;
    this.peak = new Peak(cores);
    this.report = new Report(options, peak);
  }

  /** Exits with 2 if the arguments are wrong. */
  public static void main(String[] args) throws IOException {
    BenchOptions options = null;
    try {
      options = BenchOptions.parse(args);
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
    }
    try (Cores cores = new Cores(options.threads())) {
      Bench bench = new Bench(options, cores);
      Path out = Path.of(System.getProperty("mambaspark.bench.out", "."));
      bench.run(out);
      bench.report.print(System.out);
      Path json = bench.report.write(out);
      System.out.println("\nWritten to " + json);
    }
  }

  private void run(Path out) throws IOException {
    for (Shape shape : options.shapes()) {
      measure(shape);
      System.gc();
    }
    products(Shape.SMALLEST);
    System.gc();
    log("Loading a checkpoint of " + Shape.SMALLEST.name());
    report.loaded(LoadRun.measure(RandomCheckpoint.in(out, Shape.SMALLEST), options.repeats()));
  }

  private void warmUpPeak() {
    long end = System.nanoTime() + 2_000_000_000L;
    while (System.nanoTime() < end) {
      peaks();
    }
    peak.clear();
  }

  /** Measures the peak once on one thread, and once on all threads. */
  private void peaks() {
    peak.measure(1);
    if (cores.count() > 1) {
      peak.measure(cores.count());
    }
  }

  private void measure(Shape shape) {
    boolean smallest = shape.equals(Shape.SMALLEST);
    List<ForwardRun.Result> results = new ArrayList<>();
    Map<WeightFormat, Breakdown> breakdowns = new EnumMap<>(WeightFormat.class);
    inSinglePrecision(shape, smallest, results, breakdowns);
    if (!smallest) {
      // Two formats of a large model may not fit into memory together.
      for (WeightFormat format : ROUNDED) {
        System.gc();
        ForwardRun run = in(format, shape);
        measure(shape, List.of(run));
        results.add(run.result());
        if (format == WeightFormat.INT8) {
          breakdowns.put(format, breakdown(shape, run.model()));
        }
      }
    }
    report.add(shape, results, breakdowns);
  }

  private void inSinglePrecision(
      Shape shape,
      boolean smallest,
      List<ForwardRun.Result> results,
      Map<WeightFormat, Breakdown> breakdowns) {
    log("Creating " + shape.name() + " with random weights");
    MambaModel model = RandomModel.of(shape.config(), SEED);
    List<ForwardRun> runs = new ArrayList<>();
    ForwardRun longDocument = new ForwardRun("long document", model, 1, 0);
    runs.add(longDocument);
    runs.add(longDocument.withMoments("long document, entropy"));
    runs.add(new ForwardRun(SHORT_DOCUMENT + "-token documents", model, 1, SHORT_DOCUMENT));
    if (cores.count() > 1) {
      runs.add(new ForwardRun("long documents", model, cores.count(), 0));
    }
    Map<WeightFormat, MambaModel> rounded = new EnumMap<>(WeightFormat.class);
    if (smallest) {
      for (WeightFormat format : ROUNDED) {
        ForwardRun run = in(format, shape);
        runs.add(run);
        rounded.put(format, run.model());
        if (format == WeightFormat.INT8 && cores.count() > 1) {
          runs.add(run.onThreads("long documents, " + format, cores.count()));
        }
      }
    }
    measure(shape, runs);
    runs.forEach(run -> results.add(run.result()));
    breakdowns.put(WeightFormat.F32, breakdown(shape, model));
    if (smallest) {
      breakdowns.put(WeightFormat.INT8, breakdown(shape, rounded.get(WeightFormat.INT8)));
      report.allocated(Allocation.bytesPerToken(model));
      results.add(scalar(model).result());
    }
  }

  private Breakdown breakdown(Shape shape, MambaModel model) {
    log("Timing the kernels of " + shape.name());
    return Breakdown.of(model, cores, shape.equals(Shape.SMALLEST) ? 2 : 1, options.sample());
  }

  private static ForwardRun in(WeightFormat format, Shape shape) {
    MambaModel model = RandomModel.of(shape.config(), SEED, format);
    return new ForwardRun("long document, " + format, model, 1, 0);
  }

  private void measure(Shape shape, List<ForwardRun> runs) {
    log("Warming up " + shape.name());
    for (ForwardRun run : runs) {
      run.prepare(cores, cold ? options.coldWarmUp() : options.warmUp(), options.sample());
      if (cold) {
        // Only now, because C2's profile of the peak loop must not affect how it compiles kernels.
        warmUpPeak();
        cold = false;
      }
    }
    for (int repeat = 1; repeat <= options.repeats(); repeat++) {
      log("Measuring %s, %d of %d".formatted(shape.name(), repeat, options.repeats()));
      for (ForwardRun run : runs) {
        peaks();
        run.measure(cores);
      }
    }
    peaks();
  }

  private ForwardRun scalar(MambaModel model) {
    log("Measuring the scalar kernels");
    Kernels kernels = TestKernels.scalar();
    MambaModel small = TestModels.with(RandomModel.of(MambaConfig.of(128, 2, 1024), SEED), kernels);
    new ForwardRun("warm-up", small, 1, FEW + 1).prepare(cores, options.warmUp(), 0);
    ForwardRun run =
        new ForwardRun("scalar kernels", TestModels.with(model, kernels), 1, FEW + 1, FEW);
    run.measure(cores);
    run.measure(cores);
    return run;
  }

  /** Measures the products last, when the JVM has run all shapes. */
  private void products(Shape shape) {
    log("Measuring only the products of " + shape.name());
    ProductPass pass = new ProductPass(shape.config());
    for (int repeat = 0; repeat < options.repeats(); repeat++) {
      peaks();
      cores.run(1, thread -> pass.measure());
    }
    peaks();
    report.add(shape, pass);
  }

  private static void log(String what) {
    System.err.println(what + " ...");
  }
}
