package io.mambaspark.jobs.io;

import java.io.Serializable;

/**
 * An input file as it was when the run was planned.
 *
 * @param path without a password
 */
public record InputVersion(String path, long size, long modified) implements Serializable {
  public static InputVersion of(InputFiles.InputFile file) {
    return new InputVersion(file.name(), file.size(), file.modified());
  }
}
