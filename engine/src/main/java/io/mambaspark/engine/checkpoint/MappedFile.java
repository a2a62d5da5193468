package io.mambaspark.engine.checkpoint;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.channels.FileChannel;
import java.nio.file.AccessDeniedException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.nio.file.StandardOpenOption;

/**
 * A complete file, of up to 16 TiB, mapped into memory.
 *
 * <p>One mapping covers less than 2 GB. A mapping therefore starts at every GB and overlaps the
 * next one, so that each slice is inside one mapping. {@link #open} creates all mappings and closes
 * the file's channel, because interrupting a thread that uses a channel closes the channel for all
 * threads.
 */
final class MappedFile {
  private static final int WINDOW_BITS = 30;

  /** The maximum length of a slice in bytes. */
  static final int MAX_SLICE = 1 << WINDOW_BITS;

  private static final long MAX_SIZE = 1L << 44;

  private final String name;
  private final long size;
  private volatile ByteBuffer[] windows;

  private MappedFile(String name, long size, ByteBuffer[] windows) {
    this.name = name;
    this.size = size;
    this.windows = windows;
  }

  static MappedFile open(Path path) {
    if (!Files.isRegularFile(path)) {
      // Refuses pipes and devices, because reading them could block forever.
      String reason =
          Files.exists(path)
              ? "it is not a regular file"
              : Files.exists(path, LinkOption.NOFOLLOW_LINKS)
                  ? "it is a symbolic link to a file that does not exist"
                  : "it does not exist";
      throw new CheckpointException("Cannot open " + path + ": " + reason);
    }
    try (FileChannel channel = FileChannel.open(path, StandardOpenOption.READ)) {
      long size = channel.size();
      if (size > MAX_SIZE) {
        throw new CheckpointException(
            "Cannot open " + path + ": found " + size + " bytes, expected at most " + MAX_SIZE);
      }
      ByteBuffer[] windows = new ByteBuffer[(int) ((size + MAX_SLICE - 1) >>> WINDOW_BITS)];
      for (int i = 0; i < windows.length; i++) {
        long start = (long) i << WINDOW_BITS;
        long length = Math.min(size - start, Integer.MAX_VALUE);
        windows[i] = channel.map(FileChannel.MapMode.READ_ONLY, start, length);
      }
      MappedFile file = new MappedFile(path.getFileName().toString(), size, windows);
      file.refuseLfsPointer();
      return file;
    } catch (AccessDeniedException e) {
      throw new CheckpointException("Cannot open " + path + ": permission denied", e);
    } catch (IOException e) {
      throw new CheckpointException("Cannot open " + path + ": " + e, e);
    }
  }

  /** The file's name, without its folder. */
  String name() {
    return name;
  }

  long size() {
    return size;
  }

  /**
   * Returns the bytes [offset, offset + length) as a little-endian read-only view of the file. The
   * caller checks that they are within the file, and that {@code length} is at most {@link
   * #MAX_SLICE}.
   */
  ByteBuffer slice(long offset, int length) {
    ByteBuffer[] mapped = windows;
    if (mapped == null) {
      throw closed();
    }
    if (offset < 0 || length < 0 || length > MAX_SLICE || offset > size - length) {
      throw new IllegalStateException(
          "Cannot map bytes [%d, %d + %d) of %s: it has %d bytes"
              .formatted(offset, offset, length, name, size));
    }
    if (length == 0) {
      return ByteBuffer.allocate(0).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
    ByteBuffer window = mapped[(int) (offset >>> WINDOW_BITS)];
    return window.slice((int) (offset & (MAX_SLICE - 1)), length).order(ByteOrder.LITTLE_ENDIAN);
  }

  /**
   * Copies the bytes [offset, offset + length) to {@code into} from index {@code at} on. The caller
   * checks the range as for {@link #slice}.
   */
  void copy(long offset, int length, byte[] into, int at) {
    // Callers may copy one element at a time, so this method allocates nothing.
    ByteBuffer[] mapped = windows;
    if (mapped == null) {
      throw closed();
    }
    mapped[(int) (offset >>> WINDOW_BITS)].get((int) (offset & (MAX_SLICE - 1)), into, at, length);
  }

  private IllegalStateException closed() {
    return new IllegalStateException("The checkpoint of " + name + " is closed");
  }

  /** Whether the file begins with these characters. */
  boolean startsWith(String ascii) {
    if (size < ascii.length()) {
      return false;
    }
    ByteBuffer start = slice(0, ascii.length());
    return ascii.chars().allMatch(c -> start.get() == c);
  }

  /** Refuses a Git LFS pointer: the text file that replaces a large file until it is downloaded. */
  private void refuseLfsPointer() {
    if (startsWith("version https://git-lfs")) {
      throw new CheckpointException(
          "Cannot read "
              + name
              + ": it is a Git LFS pointer, not the file itself; run git lfs pull in its"
              + " repository, or download the file");
    }
  }

  /** Drops the mappings. The JVM unmaps them when the last slice is garbage-collected. */
  void close() {
    windows = null;
  }
}
