package io.mambaspark.jobs.model;

import io.mambaspark.engine.checkpoint.CheckpointFiles;
import io.mambaspark.jobs.Refusal;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.HashSet;
import java.util.Set;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;

/** Copies a model from a Hadoop file system or the jar to the driver's disk. */
final class ModelDownload {
  private ModelDownload() {}

  /**
   * Copies only the files that a {@code Checkpoint} of the model's folder would open. It does not
   * validate their content: opening the checkpoint does.
   *
   * @throws Refusal if the folder does not exist
   * @throws io.mambaspark.engine.checkpoint.CheckpointException if the folder holds no checkpoint
   */
  static void copy(ModelLocation model, Path target) throws IOException {
    if (model.isDemo()) {
      DemoModel.unpack(target);
      return;
    }
    FileSystem files = model.fileSystem();
    Set<String> present = names(files, model);
    for (String name :
        CheckpointFiles.opened(model.name(), present, file -> files.open(model.file(file)))) {
      try (InputStream in = files.open(model.file(name))) {
        Files.copy(in, target.resolve(name));
      }
    }
  }

  private static Set<String> names(FileSystem files, ModelLocation model) throws IOException {
    Set<String> names = new HashSet<>();
    try {
      if (!files.getFileStatus(model.folder()).isDirectory()) {
        try (InputStream in = files.open(model.folder())) {
          throw CheckpointFiles.notAFolder(
              model.name(), in.readNBytes(CheckpointFiles.FIRST_BYTES));
        }
      }
      for (FileStatus file : files.listStatus(model.folder())) {
        names.add(file.getPath().getName());
      }
    } catch (FileNotFoundException e) {
      throw Refusal.because(e, "Cannot open model %s: no such folder", model.name());
    }
    return names;
  }
}
