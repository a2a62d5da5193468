package io.mambaspark.jobs.model;

import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.spark.Demo;
import io.mambaspark.jobs.spark.Failures;
import io.mambaspark.jobs.spark.HadoopFiles;
import io.mambaspark.jobs.text.TokenizerConfig;
import io.mambaspark.jobs.text.TokenizerFile;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.file.NoSuchFileException;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;

/** Finds the tokenizer of a model on the driver. */
public final class TokenizerSource {
  /** The file's name in a model's folder. */
  static final String FILE = "tokenizer.json";

  private TokenizerSource() {}

  /**
   * Opens the tokenizer at a path or in the model's folder.
   *
   * @param option a file, or the folder that holds it, local or at any Hadoop URI; null for the
   *     model's folder
   * @throws Refusal if the tokenizer does not exist
   */
  static TokenizerFile open(String option, ModelSource model, Configuration configuration) {
    return option == null ? ofModel(model) : at(option, configuration);
  }

  /** Reads the settings of a tokenizer that is not in a model's folder. */
  public static TokenizerConfig configAt(String option, Configuration configuration) {
    return TokenizerConfig.parse(Refusal.redacted(option), settings(option, null, configuration));
  }

  /**
   * Reads those of the {@linkplain TokenizerConfig#FILES settings of a tokenizer} that exist, and
   * returns their contents by their names.
   *
   * @param option a tokenizer.json or its folder, as for {@link #open}; null for the model's folder
   */
  static Map<String, byte[]> settings(
      String option, ModelSource model, Configuration configuration) {
    Map<String, byte[]> contents = new LinkedHashMap<>();
    for (String file : TokenizerConfig.FILES) {
      try {
        byte[] content =
            option == null
                ? model.readIfExists(file)
                : option.equals(Demo.NAME)
                    ? DemoModel.read(file)
                    : beside(option, file, configuration);
        if (content != null) {
          contents.put(file, content);
        }
      } catch (IOException | UncheckedIOException e) {
        throw Refusal.because(
            e,
            "Cannot read %s/%s: %s",
            option == null ? model.name() : option,
            file,
            Failures.oneLine(e));
      }
    }
    return contents;
  }

  /** Reads a file in the folder of a tokenizer; returns null if it does not exist. */
  private static byte[] beside(String option, String file, Configuration configuration)
      throws IOException {
    Path path = HadoopFiles.located(option, configuration);
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      Path folder = files.getFileStatus(path).isDirectory() ? path : path.getParent();
      try (InputStream in = files.open(HadoopFiles.child(folder, file))) {
        return in.readAllBytes();
      }
    } catch (FileNotFoundException e) {
      // A tokenizer that does not exist is refused when it is opened.
      return null;
    }
  }

  /**
   * Opens the tokenizer at a path, or {@code demo}. The path is looked up like a model's path. In a
   * folder, opens tokenizer.json.
   */
  public static TokenizerFile at(String option, Configuration configuration) {
    if (option.equals(Demo.NAME)) {
      return TokenizerFile.parse(Demo.NAME, DemoModel.tokenizer());
    }
    Path path = HadoopFiles.located(option, configuration);
    FileSystem files = HadoopFiles.fileSystem(path, configuration);
    try {
      Path file = files.getFileStatus(path).isDirectory() ? new Path(path, FILE) : path;
      try (InputStream in = files.open(file)) {
        return TokenizerFile.parse(Refusal.redacted(option), in.readAllBytes());
      }
    } catch (FileNotFoundException e) {
      throw Refusal.because(
          "Cannot open tokenizer %s: no such file, or a folder without a %s", option, FILE);
    } catch (IOException e) {
      throw Refusal.because(e, "Cannot read tokenizer %s: %s", option, Failures.oneLine(e));
    }
  }

  private static TokenizerFile ofModel(ModelSource model) {
    try {
      return TokenizerFile.parse(model.name() + "/" + FILE, model.read(FILE));
    } catch (FileNotFoundException | NoSuchFileException e) {
      throw Refusal.because(
          "Cannot find the tokenizer of model %s: its folder has no %s; give --tokenizer, or score"
              + " tokens with --tokens-column",
          model.name(), FILE);
    } catch (IOException e) {
      throw Refusal.because(
          e, "Cannot read the tokenizer of model %s: %s", model.name(), Failures.oneLine(e));
    }
  }
}
