package io.mambaspark.jobs.job;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.Input;
import io.mambaspark.jobs.io.InputSize;
import io.mambaspark.jobs.io.TableInput;
import io.mambaspark.jobs.score.Emit;
import io.mambaspark.jobs.score.ScoringSchema;
import io.mambaspark.jobs.spark.ByteSize;
import java.io.PrintWriter;
import java.util.Locale;
import java.util.Optional;

/** Prints the plan of a job, and its estimated time at a speed that is measured on this machine. */
final class DryRun {
  private final Request request;
  private final MambaCheckpoint checkpoint;
  private final ScoringSchema schema;
  private final Input input;
  private final PrintWriter out;

  /**
   * The parts of a request that the plan depends on.
   *
   * @param input the name of the table, or {@code demo}; empty for files
   * @param byUnits whether the work is cut into units
   * @param isLimited whether options limit the number of rows or tokens
   * @param runs how often each token is run through the model, on average
   */
  record Request(
      String model,
      WeightFormat weights,
      Optional<String> input,
      Emit emit,
      boolean byUnits,
      boolean isLimited,
      double runs) {
    static Request of(ScoreRequest request) {
      return new Request(
          Refusal.redacted(request.model().path()),
          request.model().weights(),
          request.input().isDemo()
              ? Optional.of("demo")
              : Optional.ofNullable(request.input().table()),
          request.scores().emit(),
          request.byUnits(),
          request.input().limit() > 0 || request.scores().maxTokens() > 0,
          request.scores().windows().runs());
    }
  }

  DryRun(
      Request request,
      MambaCheckpoint checkpoint,
      ScoringSchema schema,
      Input input,
      PrintWriter out) {
    this.request = request;
    this.checkpoint = checkpoint;
    this.schema = schema;
    this.input = input;
    this.out = out;
  }

  /**
   * Prints the plan.
   *
   * @param size the size of the input; empty if it is unknown without reading the input
   * @param partitions the number of units or partitions of the job
   * @param cores the number of cores that Spark would use
   */
  void print(Optional<InputSize> size, int partitions, int cores) {
    printModel();
    printInput(partitions);
    printColumns();
    double speed =
        MeasuredSpeed.tokensPerSecond(checkpoint, request.weights(), request.emit()) * cores;
    if (speed > 0) {
      line("speed", String.format(Locale.ROOT, "%,.0f tokens/s on %d cores", speed, cores));
    } else {
      line("speed", "not measured: the model does not fit the driver's heap");
    }
    if (size.isPresent()) {
      printSize(size.get(), speed);
    } else {
      if (input instanceof TableInput table) {
        printSize(table.size());
      }
      line("tokens", "unknown: only Parquet files have the number of tokens in metadata");
    }
    line("written", "nothing: this is a dry run");
    out.flush();
  }

  private void printModel() {
    line("model", request.model());
    line(
        "packed in memory",
        ByteSize.shown(checkpoint.packedBytes(request.weights()))
            + " in %s per JVM".formatted(request.weights()));
  }

  private void printInput(int partitions) {
    line("input", request.input().orElseGet(() -> input.files().described() + " files"));
    new SummaryLines(out).unread(input.files());
    input.notes().forEach(note -> line("note", note));
    line(request.byUnits() ? "units of work" : "partitions", number(partitions));
  }

  private void printColumns() {
    line("kept columns", String.join(", ", schema.rows().keptNames()));
    line(
        "score columns", String.join(", ", schema.scores().stream().map(c -> c.column()).toList()));
  }

  private void printSize(TableInput.Size size) {
    String bound = request.isLimited() ? "at most " : "";
    line("rows", size.rows().isPresent() ? bound + number(size.rows().getAsLong()) : "unknown");
    line("input size", bound + ByteSize.shown(size.bytes()));
  }

  private void printSize(InputSize size, double speed) {
    String rowBound = request.isLimited() ? "at most " : "";
    String bound = schema.rows().text() ? "about " : rowBound;
    line("rows", rowBound + number(size.rows()));
    line("tokens", bound + number(size.tokens()));
    if (speed > 0) {
      double hours = size.tokens() * request.runs() / speed / 3600;
      line("time", bound + String.format(Locale.ROOT, "%.3f hours", hours));
    }
    line(
        "output",
        bound
            + ByteSize.shown(keptBytes(size) + scoreBytes(size))
            + " before compression of the scores");
  }

  /** Returns the bytes of the kept columns, which logits repeat for every position. */
  private long keptBytes(InputSize size) {
    return request.emit().logits()
        ? (long) ((double) size.keptBytes() / Math.max(1, size.rows()) * size.tokens())
        : size.keptBytes();
  }

  private long scoreBytes(InputSize size) {
    Emit emit = request.emit();
    int vocabSize = checkpoint.config().vocabSize();
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
    perToken += emit.signals().tokenEntropy() ? 4 : 0;
    // The number of lines and of paragraphs is unknown without reading the texts.
    if (emit.segments() != null && emit.segments().tokens() > 0) {
      perToken += 20.0 / emit.segments().tokens();
    }
    perRow += 8.0 * emit.signals().columns().size();
    if (emit.lastLogits()) {
      perRow += 4.0 * vocabSize;
    }
    if (emit.logits()) {
      perToken += 4.0 * vocabSize + 8;
    }
    return (long) (perRow * size.rows() + perToken * size.tokens());
  }

  private void line(String name, String value) {
    out.println(String.format(Locale.ROOT, "  %-18s", name) + value);
  }

  private static String number(long value) {
    return String.format(Locale.ROOT, "%,d", value);
  }
}
