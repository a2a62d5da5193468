package io.mambaspark.engine.bench;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Scorer;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.io.Writer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Instant;
import java.time.ZoneOffset;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.SplittableRandom;

/**
 * Compares the Spark job on {@code local[N]} with the engine on N threads, on the same checkpoint.
 *
 * <p>The job's seconds include packing, compilation and the commit of the output. These take the
 * same time for a small and for a large input. The speed of the scoring is therefore the difference
 * of the two inputs' tokens, divided by the difference of their seconds.
 */
public final class SparkBench {
  /** The chunks that each core scores; the smaller number is enough for all code to be compiled. */
  private static final int SMALL = 12;

  private static final int LARGE = 48;

  /** The length of a document that fills a chunk; its first token is not scored. */
  private static final int DOCUMENT = Scorer.CHUNK + 1;

  private final BenchOptions options;
  private final Path submit;
  private final Path folder;
  private final Path model;
  private final Samples engine = new Samples();
  private final Samples spark = new Samples();
  private final List<Object> jobs = new ArrayList<>();

  private SparkBench(BenchOptions options, Path submit, Path folder) throws IOException {
    this.options = options;
    this.submit = submit;
    this.folder = folder;
    this.model = RandomCheckpoint.in(folder, Shape.SMALLEST);
  }

  /** Arguments: scripts/submit.sh, a folder to write to, then the options of {@link Bench}. */
  public static void main(String[] args) throws IOException {
    BenchOptions options = null;
    try {
      options = BenchOptions.parse(Arrays.copyOfRange(args, 2, args.length));
    } catch (IllegalArgumentException e) {
      System.err.println(e.getMessage());
      System.exit(2);
    }
    SparkBench bench = new SparkBench(options, Path.of(args[0]), Path.of(args[1]));
    bench.run();
    bench.report();
  }

  private void run() throws IOException {
    int threads = options.threads();
    Path small = input("small.jsonl", SMALL * threads);
    Path large = input("large.jsonl", LARGE * threads);
    try (Cores cores = new Cores(threads)) {
      ForwardRun bare = new ForwardRun("bare engine", MambaModel.load(model), threads, 0);
      log("Warming up the bare engine");
      bare.prepare(cores, options.coldWarmUp(), 5 * options.sample());
      for (int repeat = 1; repeat <= options.repeats(); repeat++) {
        log("Measuring, %d of %d".formatted(repeat, options.repeats()));
        bare.measure(cores);
        JsonNode less = score(small);
        JsonNode more = score(large);
        bare.measure(cores);
        double tokens = more.get("tokens").asDouble() - less.get("tokens").asDouble();
        double seconds = more.get("seconds").asDouble() - less.get("seconds").asDouble();
        spark.add(tokens / seconds);
      }
      bare.result().samples().values().forEach(engine::add);
    }
  }

  /** Writes documents of random ids as JSON lines. */
  private Path input(String name, int documents) throws IOException {
    SplittableRandom random = new SplittableRandom(1);
    int vocabSize = Shape.SMALLEST.config().vocabSize();
    Path file = folder.resolve(name);
    try (Writer out = Files.newBufferedWriter(file)) {
      for (int i = 0; i < documents; i++) {
        int[] ids = random.ints(DOCUMENT, 0, vocabSize).toArray();
        out.write("{\"tokens\": %s}%n".formatted(Arrays.toString(ids)));
      }
    }
    return file;
  }

  /** Runs the job and returns its summary. */
  private JsonNode score(Path input) {
    Path output = folder.resolve("scores");
    Path log = folder.resolve("spark.log");
    ProcessBuilder job =
        new ProcessBuilder(
            submit.toString(),
            "score",
            "--model",
            model.toString(),
            "--input",
            input.toString(),
            "--input-format",
            "json",
            "--partitions",
            Integer.toString(options.threads()),
            "--emit",
            "perplexity,token-logprobs",
            "--output",
            output.toString(),
            "--overwrite");
    job.environment().put("MASTER", "local[%d]".formatted(options.threads()));
    job.redirectErrorStream(true).redirectOutput(log.toFile());
    try {
      int status = job.start().waitFor();
      if (status != 0) {
        throw new IllegalStateException(
            "the job failed with code %d; see %s".formatted(status, log));
      }
      JsonNode summary =
          new ObjectMapper().readTree(output.resolve("_mamba_summary.json").toFile());
      Map<String, Object> seen = new LinkedHashMap<>();
      seen.put("tokens", summary.get("tokens").asLong());
      seen.put("seconds", summary.get("seconds").asDouble());
      jobs.add(seen);
      return summary;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  private void report() throws IOException {
    Machine machine = Machine.here();
    System.out.printf("%n%s, %d cores, JDK %s%n", machine.cpu(), machine.cores(), machine.jdk());
    System.out.printf(
        Locale.ROOT,
        "%s shape, %d threads; tokens/s, best and median%n",
        Shape.SMALLEST.name(),
        options.threads());
    print("bare engine", engine);
    print("Spark, scoring", spark);
    System.out.printf(
        Locale.ROOT, "Spark / engine, medians: %.3f%n", spark.median() / engine.median());
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("time", Instant.now().toString());
    json.put("command", System.getProperty("mambaspark.bench.command", "unknown"));
    json.put("machine", machine.toMap());
    json.put("shape", Shape.SMALLEST.name());
    json.put("threads", options.threads());
    json.put("engine_tokens_per_second", engine.values());
    json.put("spark_tokens_per_second", spark.values());
    json.put("ratio_of_medians", spark.median() / engine.median());
    json.put("jobs", jobs);
    String time =
        DateTimeFormatter.ofPattern("yyyyMMdd-HHmmss")
            .withZone(ZoneOffset.UTC)
            .format(Instant.now());
    Path file = folder.resolve(time + "-spark.json");
    new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValue(file.toFile(), json);
    System.out.println("\nWritten to " + file);
  }

  private static void print(String what, Samples samples) {
    System.out.printf(Locale.ROOT, "  %-16s %8.1f %8.1f%n", what, samples.best(), samples.median());
  }

  private static void log(String what) {
    System.err.println(what + " ...");
  }
}
