package io.mambaspark.jobs;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.attribute.PosixFilePermission;
import java.util.EnumSet;
import java.util.Set;
import org.apache.hadoop.fs.LocalFileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RawLocalFileSystem;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Hadoop's local file system, which sets permissions without a process. Without its native library
 * Hadoop starts {@code chmod} for each file and folder that it creates, which costs the tests of
 * this module a tenth of their CPU time. Surefire sets it as {@code fs.file.impl}.
 */
public final class QuickPermissions extends LocalFileSystem {
  public QuickPermissions() {
    super(new Raw());
  }

  /** Extend this class for a local file system with a scheme of its own. */
  public static class Raw extends RawLocalFileSystem {
    @Override
    public void setPermission(Path path, FsPermission permission) throws IOException {
      Set<PosixFilePermission> permissions = EnumSet.noneOf(PosixFilePermission.class);
      int bits = permission.toShort();
      PosixFilePermission[] all = PosixFilePermission.values();
      for (int i = 0; i < all.length; i++) {
        if ((bits & 0400 >> i) != 0) {
          permissions.add(all[i]);
        }
      }
      Files.setPosixFilePermissions(pathToFile(path).toPath(), permissions);
    }
  }
}
