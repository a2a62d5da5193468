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
 * A whole file mapped into memory, of any length.
 *
 * <p>One mapping holds less than 2 GB, so there is one every GB, each reaching far enough into the
 * next that a slice never straddles two. All are made on opening and the file is closed again: an
 * interrupted thread cannot break the others' reading.
 */
final class MappedFile {
  private static final int WINDOW_BITS = 30;

  /** Bytes of the longest slice. */
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
      // Never a pipe or a device, on which reading would hang.
      String found =
          Files.exists(path)
              ? "found something that is not a file"
              : Files.exists(path, LinkOption.NOFOLLOW_LINKS)
                  ? "found a symbolic link to a file that does not exist"
                  : "there is no such file";
      throw new CheckpointException("Cannot open " + path + ": " + found);
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
   * The bytes [offset, offset + length), at most {@link #MAX_SLICE}, as a little-endian read-only
   * buffer. The caller has checked that they lie within the file.
   */
  ByteBuffer slice(long offset, int length) {
    ByteBuffer[] mapped = windows;
    if (mapped == null) {
      throw closed();
    }
    if (offset < 0 || length < 0 || length > MAX_SLICE || offset > size - length) {
      throw new IllegalStateException(
          "Bytes [%d, %d + %d) of %s, which has %d".formatted(offset, offset, length, name, size));
    }
    if (length == 0) {
      return ByteBuffer.allocate(0).asReadOnlyBuffer().order(ByteOrder.LITTLE_ENDIAN);
    }
    ByteBuffer window = mapped[(int) (offset >>> WINDOW_BITS)];
    return window.slice((int) (offset & (MAX_SLICE - 1)), length).order(ByteOrder.LITTLE_ENDIAN);
  }

  /** Copies the bytes [offset, offset + length), which the caller has checked as for a slice. */
  void copy(long offset, int length, byte[] into, int at) {
    // One element at a time may be copied: nothing is allocated.
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

  /** Refuses the text file that stands in the place of a large one where Git LFS has not run. */
  private void refuseLfsPointer() {
    if (startsWith("version https://git-lfs")) {
      throw new CheckpointException(
          "Cannot read "
              + name
              + ": it is a Git LFS pointer and not the file itself; run git lfs pull in its"
              + " repository, or download the file");
    }
  }

  /** Lets go of the mappings; their memory is freed when the last slice is collected. */
  void close() {
    windows = null;
  }
}
