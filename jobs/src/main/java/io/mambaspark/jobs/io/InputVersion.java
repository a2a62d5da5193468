package io.mambaspark.jobs.io;

import java.io.Serializable;

/**
 * The version of an input file at the time when the run was planned.
 *
 * @param path without a password
 * @param size in bytes
 * @param modified the modification time in milliseconds since 1970
 */
public record InputVersion(String path, long size, long modified) implements Serializable {
  public static InputVersion of(InputFiles.InputFile file) {
    return new InputVersion(file.name(), file.size(), file.modified());
  }
}
