package io.mambaspark.jobs.cli;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.io.DemoCorpus;
import io.mambaspark.jobs.io.DocumentColumns;
import io.mambaspark.jobs.spark.Demo;
import java.util.Arrays;
import java.util.List;
import picocli.CommandLine.Option;

/** Which columns hold the documents, and which go with them. */
final class DocumentArguments {
  @Option(
      names = "--tokens-column",
      paramLabel = "COLUMN",
      description =
          "Documents as token ids: an array of int, bigint or smallint (default: tokens; for the demo"
              + " its texts).")
  String tokensColumn;

  @Option(
      names = "--text-column",
      paramLabel = "COLUMN",
      description = "Documents as text: a string, or binary in UTF-8.")
  String textColumn;

  @Option(
      names = "--tokenizer",
      paramLabel = "FILE",
      description =
          "The tokenizer.json of Hugging Face's tokenizers, or its folder, for texts (default: the"
              + " one beside the model).")
  String tokenizer;

  @Option(
      names = "--byte-count-column",
      paramLabel = "COLUMN",
      description = "Length of the document in bytes (default: that of its text, if there is one).")
  String byteCountColumn;

  @Option(
      names = "--word-count-column",
      paramLabel = "COLUMN",
      description = "Length of the document in words (default: that of its text, if there is one).")
  String wordCountColumn;

  @Option(
      names = "--keep-columns",
      paramLabel = "COLUMN,...",
      description =
          "Input columns to write with the scores (default: all but tokens and counts; '' for"
              + " none).")
  String keepColumns;

  /** The columns of the documents: those named, or what the input has by itself. */
  DocumentColumns columns(InputArguments input, String context, String continuation) {
    boolean none = tokensColumn == null && textColumn == null && context == null;
    boolean demo = none && input.input.contains(Demo.NAME);
    return new DocumentColumns(
        none && !demo ? DocumentColumns.TOKENS : tokensColumn,
        demo ? DemoCorpus.COLUMNS.text() : textColumn,
        context,
        continuation,
        byteCountColumn,
        wordCountColumn);
  }

  /** The columns to carry over; null for those that are by themselves. */
  List<String> kept() {
    return keepColumns == null ? null : list(keepColumns);
  }

  /** The columns of {@code --group-by}; none without it. */
  static List<String> groups(String names) {
    List<String> columns = names == null ? List.of() : list(names);
    if (names != null && columns.isEmpty()) {
      throw Refusal.wrongUsage("--group-by is empty; expected columns to group by");
    }
    return columns;
  }

  /** The names in a comma list. */
  static List<String> list(String names) {
    return Arrays.stream(names.split(",")).map(String::strip).filter(c -> !c.isEmpty()).toList();
  }
}
