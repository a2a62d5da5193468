package io.mambaspark.jobs.model;

import io.mambaspark.jobs.spark.Tasks;
import io.mambaspark.jobs.text.SpecialTokens;
import io.mambaspark.jobs.text.Tokenizer;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.Serializable;
import org.apache.spark.broadcast.Broadcast;

/**
 * How tasks encode texts.
 *
 * @param file the tokenizer
 * @param special the special tokens that are added to each text
 */
public record TextEncoding(Broadcast<TokenizerFile> file, SpecialTokens special)
    implements Serializable {
  private static final long serialVersionUID = 1;

  /** Returns the tokenizer of this JVM. */
  public Tokenizer tokenizer() {
    return file.value().tokenizer(Tasks.localFolder());
  }
}
