package io.mambaspark.jobs;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import java.io.PrintWriter;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * What a finished job tells: printed, and written beside the data.
 *
 * @param run names the run; a resumed one has the name of its first start
 * @param units of work; 0 for a job without units
 * @param resumedUnits how many of them earlier starts had done
 * @param unreadable input files that were left out, wholly or in part, and why
 * @param documents rows of the input
 * @param seconds from the first task to the last row written
 * @param model name, fingerprint and size
 */
record Summary(
    String run,
    int units,
    int resumedUnits,
    Map<String, String> unreadable,
    Totals totals,
    Emit emit,
    long documents,
    double seconds,
    Map<String, Object> model,
    Map<String, Object> options) {

  String toJson() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("run", run);
    json.put("documents", documents);
    json.put("scored_documents", knowsScoredDocuments() ? totals.scoredRows() : null);
    json.put("tokens", knowsTokens() ? totals.tokens() : null);
    json.put("nll", emit.nll() ? totals.nll() : null);
    json.put("corpus_perplexity", emit.nll() ? totals.corpusPerplexity() : null);
    json.put("mean_document_perplexity", emit.nll() ? totals.meanDocumentPerplexity() : null);
    json.put("error_documents", totals.errorRows());
    Map<String, Long> errors = new LinkedHashMap<>();
    for (RowError error : RowError.values()) {
      errors.put(error.kind(), totals.errors().getOrDefault(error, 0L));
    }
    json.put("errors", errors);
    json.put("unreadable_files", unreadable);
    json.put("truncated_documents", emit.logits() ? null : totals.truncated());
    json.put("units", units == 0 ? null : units);
    json.put("resumed_units", units == 0 ? null : resumedUnits);
    json.put("seconds", seconds);
    json.put("tokens_per_second", knowsSpeed() ? totals.tokens() / seconds : null);
    json.put("model", model);
    json.put("options", options);
    json.put("versions", Versions.all());
    try {
      return new ObjectMapper().enable(SerializationFeature.INDENT_OUTPUT).writeValueAsString(json)
          + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  void print(PrintWriter out) {
    line(out, "documents", "%,d", documents);
    if (knowsScoredDocuments()) {
      line(out, "  scored", "%,d", totals.scoredRows());
    }
    if (!emit.logits() && totals.truncated() > 0) {
      line(out, "  truncated", "%,d", totals.truncated());
    }
    if (totals.errorRows() > 0) {
      line(out, "  with errors", "%,d", totals.errorRows());
      totals.errors().forEach((error, count) -> line(out, "    " + error.kind(), "%,d", count));
    }
    if (knowsTokens()) {
      line(out, emit.logits() ? "positions" : "tokens scored", "%,d", totals.tokens());
    }
    if (emit.nll() && totals.tokens() > 0) {
      line(out, "corpus perplexity", "%,.4f", totals.corpusPerplexity());
      line(out, "mean document perplexity", "%,.4f", totals.meanDocumentPerplexity());
    }
    unreadable.forEach((file, why) -> line(out, "not read", "%s", file + ": " + why));
    if (resumedUnits > 0) {
      line(out, "done before", "%s", "%,d of %,d units".formatted(resumedUnits, units));
    }
    line(out, "seconds", "%,.1f", seconds);
    if (knowsSpeed()) {
      line(out, "tokens per second", "%,.0f", totals.tokens() / seconds);
    }
    line(out, "model", "%s", model.get("fingerprint").toString().substring(0, 12));
    out.flush();
  }

  private static void line(PrintWriter out, String name, String format, Object value) {
    out.println(
        String.format(Locale.ROOT, "  %-26s", name) + String.format(Locale.ROOT, format, value));
  }

  /** The last logits alone do not tell how many tokens came before. */
  private boolean knowsTokens() {
    return emit.nll() || emit.topK() > 0 || emit.logits();
  }

  /** Not where a part of the work was done at another time. */
  private boolean knowsSpeed() {
    return knowsTokens() && resumedUnits == 0;
  }

  private boolean knowsScoredDocuments() {
    return emit.nll() || emit.topK() > 0;
  }
}
