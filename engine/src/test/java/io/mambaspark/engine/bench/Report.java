package io.mambaspark.engine.bench;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.mambaspark.engine.bench.TimedKernels.Kernel;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaConfig;
import java.io.IOException;
import java.io.PrintStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/** The measurements, as a table for people and as JSON for programs. */
final class Report {
  private static final String FORWARD = "%-21s %-25s %7s %9s %9s %8s %8s %7s";
  private static final String SHARES = "%-21s %9s %9s %9s %9s %17s %15s %15s";
  private static final String PRODUCTS = "%-9s %14s %8s %8s %8s";

  private final Instant start = Instant.now();
  private final Machine machine = Machine.here();
  private final BenchOptions options;
  private final Peak peak;
  private final List<Measured> shapes = new ArrayList<>();
  private Shape productShape;
  private ProductPass products;
  private Double allocated;
  private Samples loads;

  private record Measured(
      Shape shape, List<ForwardRun.Result> runs, Map<WeightFormat, Breakdown> breakdowns) {
    /** The run with which the others are compared. */
    ForwardRun.Result first() {
      return runs.get(0);
    }
  }

  Report(BenchOptions options, Peak peak) {
    this.options = options;
    this.peak = peak;
  }

  /** Adds the runs of a shape. The others are compared with the first run. */
  void add(Shape shape, List<ForwardRun.Result> runs, Map<WeightFormat, Breakdown> breakdowns) {
    shapes.add(new Measured(shape, runs, breakdowns));
  }

  void add(Shape shape, ProductPass pass) {
    productShape = shape;
    products = pass;
  }

  void allocated(double bytesPerToken) {
    allocated = bytesPerToken;
  }

  void loaded(Samples megabytesPerSecond) {
    loads = megabytesPerSecond;
  }

  void print(PrintStream out) {
    out.printf("%n%s, %d cores, %s%n", machine.cpu(), machine.cores(), machine.os());
    out.printf("JDK %s, %s%n", machine.jdk(), Kernels.best().describe());
    out.printf("flags %s%n", String.join(" ", machine.flags()));
    out.printf("command %s%n", command());
    for (int threads : threads()) {
      Samples samples = peak.of(threads);
      line(
          out,
          "FMA peak, %d thread%s: %.1f GFLOP/s, median %.1f of %d",
          threads,
          threads == 1 ? "" : "s",
          samples.best(),
          samples.median(),
          samples.values().size());
    }
    out.printf("%nForward pass with all log-probabilities; best and median of the repeats%n");
    line(out, FORWARD, "shape", "", "threads", "tokens/s", "median", "GFLOP/s", "of peak", "ratio");
    for (Measured measured : shapes) {
      for (ForwardRun.Result run : measured.runs) {
        line(
            out,
            FORWARD,
            measured.shape.name(),
            run.name(),
            run.threads(),
            decimal(run.samples().best()),
            decimal(run.samples().median()),
            decimal(gflops(measured, run)),
            percent(ofPeak(measured, run)),
            String.format(Locale.ROOT, "%.2f", ratio(measured, run)));
      }
    }
    out.printf("%nShares of the time, one thread, a long document%n");
    line(
        out,
        SHARES,
        "shape",
        "products",
        "scan",
        "head",
        "rest",
        "outside products",
        "layer products",
        "head product");
    for (Measured measured : shapes) {
      measured.breakdowns.forEach(
          (format, breakdown) ->
              line(
                  out,
                  SHARES,
                  measured.shape.name() + (format == WeightFormat.F32 ? "" : ", " + format),
                  percent(breakdown.products()),
                  percent(breakdown.scan()),
                  percent(breakdown.head()),
                  percent(breakdown.others()),
                  percent(breakdown.outsideProducts()),
                  percent(breakdown.layerGflops() / peak.of(1).best()) + " peak",
                  percent(breakdown.headGflops() / peak.of(1).best()) + " peak"));
    }
    if (allocated != null) {
      line(out, "Allocated per additional token of a perplexity: %.1f bytes", allocated);
    }
    printProducts(out);
    line(
        out,
        "%nLoading and packing the %s checkpoint from the page cache: %.0f MB/s, median %.0f",
        productShape.name(),
        loads.best(),
        loads.median());
  }

  private void printProducts(PrintStream out) {
    out.printf("%nOnly the products of %s, one thread, measured last%n", productShape.name());
    line(out, PRODUCTS, "", "k to n", "GFLOP/s", "median", "of peak");
    products
        .products()
        .forEach(
            (name, product) ->
                printProduct(out, name, product.k + " to " + product.n, product.samples));
    printProduct(out, "all", "", products.total());
  }

  private void printProduct(PrintStream out, String name, String size, Samples samples) {
    line(
        out,
        PRODUCTS,
        name,
        size,
        decimal(samples.best()),
        decimal(samples.median()),
        percent(samples.best() / peak.of(1).best()));
  }

  /** Writes a new file into {@code folder} that is named after the start time. */
  Path write(Path folder) throws IOException {
    String time =
        DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss").withZone(ZoneOffset.UTC).format(start);
    Path file = folder.resolve(time + ".json");
    Files.createDirectories(folder);
    new ObjectMapper()
        .enable(SerializationFeature.INDENT_OUTPUT)
        .writeValue(file.toFile(), toMap());
    return file;
  }

  private Map<String, Object> toMap() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("time", start.toString());
    json.put("command", command());
    json.put("machine", machine.toMap());
    json.put("kernels", Kernels.best().describe());
    List<Object> peaks = new ArrayList<>();
    for (int threads : threads()) {
      Map<String, Object> of = new LinkedHashMap<>();
      of.put("threads", threads);
      of.put("gflops", samples(peak.of(threads)));
      peaks.add(of);
    }
    json.put("fma_peak", peaks);
    json.put("shapes", shapes.stream().map(this::toMap).toList());
    json.put("allocated_bytes_per_token", allocated);
    Map<String, Object> alone = new LinkedHashMap<>();
    alone.put("shape", productShape.name());
    products
        .products()
        .forEach((name, product) -> alone.put(name, toMap(product.k, product.n, product.samples)));
    alone.put("all", toMap(null, null, products.total()));
    json.put("products", alone);
    json.put("load_megabytes_per_second", samples(loads));
    return json;
  }

  private Map<String, Object> toMap(Integer k, Integer n, Samples samples) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("k", k);
    json.put("n", n);
    json.put("gflops", samples(samples));
    json.put("share_of_peak", samples.best() / peak.of(1).best());
    return json;
  }

  private Map<String, Object> toMap(Measured measured) {
    MambaConfig config = measured.shape.config();
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("shape", measured.shape.name());
    json.put("d_model", config.dModel());
    json.put("n_layer", config.nLayer());
    json.put("vocab_size", config.vocabSize());
    json.put("gflop_per_token", Shape.flop(config) / 1e9);
    List<Object> runs = new ArrayList<>();
    for (ForwardRun.Result run : measured.runs) {
      Map<String, Object> one = new LinkedHashMap<>();
      one.put("run", run.name());
      one.put("threads", run.threads());
      one.put("packed_bytes", run.packedBytes());
      one.put("tokens_in_a_sample", run.tokens());
      one.put("tokens_per_second", samples(run.samples()));
      one.put("gflops", gflops(measured, run));
      one.put("share_of_peak", ofPeak(measured, run));
      one.put("ratio_to_first", ratio(measured, run));
      runs.add(one);
    }
    json.put("runs", runs);
    Map<String, Object> breakdowns = new LinkedHashMap<>();
    measured.breakdowns.forEach(
        (format, breakdown) -> breakdowns.put(format.toString(), toMap(breakdown)));
    json.put("time_on_one_thread", breakdowns);
    return json;
  }

  private Map<String, Object> toMap(Breakdown breakdown) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("tokens_per_second", breakdown.tokensPerSecond());
    json.put("products", breakdown.products());
    json.put("scan", breakdown.scan());
    json.put("head", breakdown.head());
    json.put("rest", breakdown.others());
    json.put("outside_products", breakdown.outsideProducts());
    Map<String, Object> kernels = new LinkedHashMap<>();
    for (Kernel kernel : Kernel.values()) {
      double share = breakdown.share(breakdown.seconds().get(kernel));
      kernels.put(kernel.name().toLowerCase(Locale.ROOT), share);
    }
    kernels.put("outside_kernels", breakdown.share(breakdown.rest()));
    json.put("kernels", kernels);
    json.put("layer_products_gflops", breakdown.layerGflops());
    json.put("head_product_gflops", breakdown.headGflops());
    return json;
  }

  private static Map<String, Object> samples(Samples samples) {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("best", samples.best());
    json.put("median", samples.median());
    json.put("samples", samples.values());
    return json;
  }

  private List<Integer> threads() {
    return options.threads() == 1 ? List.of(1) : List.of(1, options.threads());
  }

  private static double gflops(Measured measured, ForwardRun.Result run) {
    return run.samples().best() * Shape.flop(measured.shape.config()) / 1e9;
  }

  private double ofPeak(Measured measured, ForwardRun.Result run) {
    return gflops(measured, run) / peak.of(run.threads()).best();
  }

  private static double ratio(Measured measured, ForwardRun.Result run) {
    return run.samples().best() / measured.first().samples().best();
  }

  private static String command() {
    return System.getProperty("mambaspark.bench.command", "unknown");
  }

  private static String decimal(double value) {
    return String.format(Locale.ROOT, "%.1f", value);
  }

  private static String percent(double share) {
    return String.format(Locale.ROOT, "%.1f %%", 100 * share);
  }

  private static void line(PrintStream out, String format, Object... values) {
    out.println(String.format(Locale.ROOT, format, values).stripTrailing());
  }
}
