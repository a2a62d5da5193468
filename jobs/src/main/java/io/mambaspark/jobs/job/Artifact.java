package io.mambaspark.jobs.job;

import io.mambaspark.jobs.model.ModelSource;
import io.mambaspark.jobs.text.TokenizerFile;
import java.util.LinkedHashMap;
import java.util.Map;

/** The path and the fingerprint of a model or tokenizer, as shown in a summary. */
record Artifact(String path, String fingerprint) {

  static Artifact of(ModelSource model) {
    return new Artifact(model.name(), model.checkpoint().fingerprint());
  }

  static Artifact of(TokenizerFile tokenizer) {
    return new Artifact(tokenizer.name(), tokenizer.fingerprint());
  }

  Map<String, Object> json() {
    Map<String, Object> json = new LinkedHashMap<>();
    json.put("path", path);
    json.put("fingerprint", fingerprint);
    return json;
  }

  @Override
  public String toString() {
    return path + ", " + fingerprint;
  }
}
