package io.mambaspark.jobs.model;

import io.mambaspark.jobs.spark.Demo;
import io.mambaspark.jobs.text.TokenizerConfig;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** The demo model, whose files are packaged in the jar. */
public final class DemoModel {
  private static final String FOLDER = "tiny-books/";
  private static final String TOKENIZER = "tokenizer.json";
  private static final List<String> FILES =
      List.of("config.json", "model.safetensors", TOKENIZER, TokenizerConfig.FILE);

  private DemoModel() {}

  /** Copies the model's files to a folder. */
  public static void unpack(Path folder) throws IOException {
    for (String file : FILES) {
      try (InputStream in = Demo.open(FOLDER + file)) {
        Files.copy(in, folder.resolve(file));
      }
    }
  }

  /** Returns the content of the model's tokenizer.json. */
  public static byte[] tokenizer() {
    return read(TOKENIZER);
  }

  /** Returns the content of one of the model's files; null if it has no such file. */
  static byte[] read(String file) {
    if (!FILES.contains(file)) {
      return null;
    }
    try (InputStream in = Demo.open(FOLDER + file)) {
      return in.readAllBytes();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
