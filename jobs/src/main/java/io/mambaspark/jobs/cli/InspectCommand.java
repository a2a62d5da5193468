package io.mambaspark.jobs.cli;

import io.mambaspark.engine.checkpoint.CheckpointException;
import io.mambaspark.engine.checkpoint.StoredTensor;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.jobs.model.ModelConventions;
import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.model.OpenModel;
import io.mambaspark.jobs.options.OptionValues;
import io.mambaspark.jobs.options.Options;
import io.mambaspark.jobs.spark.ByteSize;
import java.io.PrintWriter;
import java.util.Arrays;
import java.util.Locale;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import picocli.CommandLine.Command;

/** {@code inspect}: prints the properties of a checkpoint. */
@Command(
    name = "inspect",
    description =
        "Prints a checkpoint's config, size, tensors and fingerprint. Does not start Spark.",
    mixinStandardHelpOptions = true,
    sortOptions = false,
    descriptionHeading = "%n",
    optionListHeading = "%nOptions:%n",
    footerHeading = "%nExamples:%n",
    footer = {
      "    inspect --model demo",
      "    inspect --model models/mamba-130m-hf",
      "    inspect --model hdfs:///models/mamba-130m-hf"
    })
public final class InspectCommand extends TableCommand {
  InspectCommand() {
    super(Options.INSPECT);
  }

  @Override
  int run(OptionValues values, PrintWriter out) {
    try (OpenModel model = new OpenModel(values.get(Options.MODEL))) {
      print(model.source(), model.conventions(null), out);
    }
    return 0;
  }

  private static void print(ModelSource source, ModelConventions conventions, PrintWriter out) {
    MambaCheckpoint checkpoint = source.checkpoint();
    MambaConfig config = checkpoint.config();
    // Compute the fingerprint before the first line, because this also validates the weights.
    String fingerprint = checkpoint.fingerprint();
    line(out, "model", source.name());
    line(out, "fingerprint", fingerprint);
    line(out, "parameters", String.format(Locale.ROOT, "%,d", checkpoint.parameterCount()));
    line(out, "packed in memory", packedBytes(checkpoint));
    checkpoint.notes().forEach(note -> line(out, "note", note));
    conventions.notes().forEach(note -> line(out, "note", note));
    out.println();
    line(out, "dModel", config.dModel());
    line(out, "nLayer", config.nLayer());
    line(out, "vocabSize", config.vocabSize());
    line(out, "dInner", config.mixer().dInner());
    line(out, "dState", config.mixer().dState());
    line(out, "dConv", config.mixer().dConv());
    config.mixer().otherParameters().forEach((name, value) -> line(out, name, value));
    line(out, "normEps", config.normEps());
    line(out, "mixerNormEps", config.mixer().normEps());
    line(out, "convBias", config.mixer().convBias());
    line(out, "bias", config.mixer().bias());
    line(out, "tiedHead", config.tiedHead());
    line(out, "bosTokenId", config.bosTokenId());
    line(out, "eosTokenId", config.eosTokenId());
    out.println();
    line(out, "prefix token", conventions.prefix());
    line(out, "rolling window", conventions.maxLength());
    out.println();
    int widest =
        Stream.of(checkpoint.tensors(), checkpoint.ignoredTensors())
            .flatMap(tensors -> tensors.values().stream())
            .mapToInt(tensor -> CheckpointException.shown(tensor.name()).length())
            .max()
            .orElse(0);
    checkpoint.tensors().values().forEach(tensor -> line(out, widest, tensor, ""));
    checkpoint.ignoredTensors().values().forEach(tensor -> line(out, widest, tensor, " (ignored)"));
    out.flush();
  }

  /** Returns the size of the packed weights in each format that can hold them. */
  private static String packedBytes(MambaCheckpoint checkpoint) {
    return Arrays.stream(WeightFormat.values())
        .filter(checkpoint::supports)
        .map(format -> ByteSize.shown(checkpoint.packedBytes(format)) + " in " + format)
        .collect(Collectors.joining(", "));
  }

  private static void line(PrintWriter out, int widest, StoredTensor tensor, String remark) {
    out.printf(
        Locale.ROOT,
        "  %-" + widest + "s  %-4s  %-16s  %s%s%n",
        CheckpointException.shown(tensor.name()),
        tensor.dtype(),
        Arrays.toString(tensor.shape()),
        tensor.source(),
        remark);
  }

  private static void line(PrintWriter out, String name, Object value) {
    out.println(
        String.format(Locale.ROOT, "  %-18s", name) + (value == null ? "none" : value.toString()));
  }
}
