package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.engine.score.Scorer;
import io.mambaspark.engine.score.Sequence;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputSize;
import io.mambaspark.jobs.model.PackedModels;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.ByteSize;
import java.io.PrintWriter;
import java.util.Iterator;
import java.util.Locale;
import java.util.Optional;
import java.util.Random;

/** Says what a job would do, and how long it would take at a speed measured here and now. */
final class DryRun {
  private static final double MEASURED_SECONDS = 1.5;
  private static final int SEQUENCE = 512;

  private DryRun() {}

  /**
   * Prints the plan.
   *
   * @param input what is read
   * @param partitions units or partitions of the input as it would be scored
   * @param cores that Spark would use at once
   */
  static void print(
      ScoreRequest request,
      MambaCheckpoint checkpoint,
      ScoringSchema schema,
      Input input,
      Optional<InputSize> size,
      int partitions,
      int cores,
      PrintWriter out) {
    Emit emit = request.scores().emit();
    line(out, "model", Refusal.redacted(request.model().path()));
    line(
        out,
        "packed in memory",
        ByteSize.shown(checkpoint.packedBytes(request.model().weights())) + " per JVM");
    line(
        out,
        "input",
        request.input().isDemo()
            ? "demo"
            : request.input().table() != null
                ? request.input().table()
                : input.files().described() + " files");
    Summary.printUnread(input.files(), out);
    input.notes().forEach(note -> line(out, "note", note));
    line(out, request.byUnits() ? "units of work" : "partitions", number(partitions));
    line(out, "kept columns", String.join(", ", schema.rows().keptNames()));
    line(
        out,
        "score columns",
        String.join(", ", schema.scores().stream().map(c -> c.column()).toList()));
    double speed = speed(checkpoint, request.model().weights(), emit) * cores;
    if (speed > 0) {
      line(out, "speed", String.format(Locale.ROOT, "%,.0f tokens/s on %d cores", speed, cores));
    } else {
      line(out, "speed", "not measured: the model does not fit the driver's heap");
    }
    if (size.isPresent()) {
      InputSize known = size.get();
      String rowBound =
          request.input().limit() > 0 || request.scores().maxTokens() > 0 ? "at most " : "";
      String bound = schema.rows().text() ? "about " : rowBound;
      line(out, "rows", rowBound + number(known.rows()));
      line(out, "tokens", bound + number(known.tokens()));
      if (speed > 0) {
        line(
            out,
            "time",
            bound
                + String.format(
                    Locale.ROOT,
                    "%.3f hours",
                    known.tokens() * request.scores().windows().runs() / speed / 3600));
      }
      line(
          out,
          "output",
          bound
              + ByteSize.shown(
                  keptBytes(known, emit) + scoreBytes(known, emit, checkpoint.config().vocabSize()))
              + " before compression of the scores");
    } else {
      line(out, "tokens", "not known: only Parquet files tell beforehand");
    }
    line(out, "written", "nothing: this is a dry run");
    out.flush();
  }

  /** Tokens a second on one core, after a warm-up of the same length; 0 without room for it. */
  private static double speed(MambaCheckpoint checkpoint, WeightFormat weights, Emit emit) {
    if (checkpoint.packedBytes(weights) > 0.7 * Runtime.getRuntime().maxMemory()) {
      return 0;
    }
    MambaModel model =
        PackedModels.model(
            PackedModels.identity(checkpoint.fingerprint(), weights),
            () -> checkpoint.load(weights));
    run(model, emit);
    return run(model, emit);
  }

  private static double run(MambaModel model, Emit emit) {
    MambaConfig config = model.config();
    Random random = new Random(1);
    long start = System.nanoTime();
    long end = start + (long) (MEASURED_SECONDS * 1e9);
    long[] tokens = {0};
    Iterator<Sequence<Object>> sequences =
        new Iterator<>() {
          @Override
          public boolean hasNext() {
            return tokens[0] == 0 || System.nanoTime() < end;
          }

          @Override
          public Sequence<Object> next() {
            tokens[0] += SEQUENCE;
            return new Sequence<>(null, random.ints(SEQUENCE, 0, config.vocabSize()).toArray());
          }
        };
    Scorer scorer = new Scorer(model);
    Iterator<?> scores =
        emit.logits() ? scorer.logits(sequences) : scorer.score(sequences, emit.wanted());
    while (scores.hasNext()) {
      scores.next();
    }
    return tokens[0] / ((System.nanoTime() - start) / 1e9);
  }

  /** Logits write the kept columns once for every position. */
  private static long keptBytes(InputSize size, Emit emit) {
    return emit.logits()
        ? (long) ((double) size.keptBytes() / Math.max(1, size.rows()) * size.tokens())
        : size.keptBytes();
  }

  private static long scoreBytes(InputSize size, Emit emit, int vocabSize) {
    double perRow = 1;
    double perToken = 0;
    if (emit.nll()) {
      perRow += 8 + 8 + 8;
    }
    if (emit.tokenLogprobs()) {
      perToken += 4 + 1 / 8.0;
    }
    if (emit.tokenRanks()) {
      perToken += 4;
    }
    perToken += 8.0 * emit.topK();
    if (emit.lastLogits()) {
      perRow += 4.0 * vocabSize;
    }
    if (emit.logits()) {
      perToken += 4.0 * vocabSize + 8;
    }
    return (long) (perRow * size.rows() + perToken * size.tokens());
  }

  private static void line(PrintWriter out, String name, String value) {
    out.println(String.format(Locale.ROOT, "  %-18s", name) + value);
  }

  private static String number(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }
}
