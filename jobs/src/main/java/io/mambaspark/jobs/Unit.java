package io.mambaspark.jobs;

import io.mambaspark.jobs.InputFiles.InputFile;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * A piece of work that is done whole or not at all: consecutive row groups of one Parquet file or
 * several whole small files, the work of one task, and one file of the output.
 *
 * @param name of the output file; the same for the same row groups in every run
 */
record Unit(String name, List<Part> parts) implements Serializable {

  /** A file up to this size may share a unit with others. */
  private static final long SMALL_BYTES = 4 << 20;

  /** A unit has at most so many files: its plan travels to its task. */
  private static final int MOST_FILES = 5000;

  /**
   * An input file as it was when the run was planned.
   *
   * @param path without a password
   */
  record Input(String path, long size, long modified) implements Serializable {
    static Input of(InputFile file) {
      return new Input(file.name(), file.size(), file.modified());
    }
  }

  /**
   * Consecutive row groups of a file.
   *
   * @param start the first byte that belongs to the part; the parts of a file tile it
   * @param end the byte after the last one
   * @param firstRow number of the first row in the file, from 0
   * @param tokens see {@link ParquetFile.RowGroup}
   */
  record Part(
      Input input,
      int firstRowGroup,
      int lastRowGroup,
      long start,
      long end,
      long firstRow,
      long rows,
      long tokens)
      implements Serializable {

    /** Which row groups it is, for people. */
    String described() {
      return firstRowGroup == lastRowGroup
          ? "row group %d".formatted(firstRowGroup)
          : "row groups %d to %d".formatted(firstRowGroup, lastRowGroup);
    }

    /** A row of it, counted from 0, for people. */
    String place(long row) {
      return "row %d of %s".formatted(firstRow + row, input.path());
    }
  }

  long rows() {
    return parts.stream().mapToLong(Part::rows).sum();
  }

  long tokens() {
    return parts.stream().mapToLong(Part::tokens).sum();
  }

  /** Whether it is made of whole small files. */
  boolean isShared() {
    return parts.size() > 1;
  }

  /**
   * Cuts files into units of about as many tokens. A row group is never cut, so a unit may be
   * larger. Consecutive small files share a unit up to the target. A file without rows is in none.
   */
  static List<Unit> cut(List<ParquetFile> files, long targetTokens) {
    List<Unit> units = new ArrayList<>();
    List<Part> shared = new ArrayList<>();
    long sharedTokens = 0;
    for (ParquetFile file : files) {
      List<Part> parts = parts(file, targetTokens);
      if (parts.size() != 1 || file.file().size() > SMALL_BYTES) {
        parts.forEach(part -> units.add(of(List.of(part))));
        continue;
      }
      Part whole = parts.get(0);
      boolean full = shared.size() == MOST_FILES || sharedTokens + whole.tokens() > targetTokens;
      if (!shared.isEmpty() && full) {
        units.add(of(shared));
        shared = new ArrayList<>();
        sharedTokens = 0;
      }
      shared.add(whole);
      sharedTokens += whole.tokens();
    }
    if (!shared.isEmpty()) {
      units.add(of(shared));
    }
    return units;
  }

  private static List<Part> parts(ParquetFile file, long targetTokens) {
    List<ParquetFile.RowGroup> groups = file.rowGroups();
    boolean ascending = true;
    for (int i = 1; i < groups.size(); i++) {
      ascending &= groups.get(i - 1).start() < groups.get(i).start();
    }
    List<Part> parts = new ArrayList<>();
    long firstRow = 0;
    for (int first = 0; first < groups.size(); ) {
      long rows = 0;
      long tokens = 0;
      int next = first;
      // Spark picks row groups by bytes. Out of order they cannot be told apart so.
      while (next < groups.size()
          && (next == first || !ascending || tokens + groups.get(next).tokens() <= targetTokens)) {
        rows += groups.get(next).rows();
        tokens += groups.get(next).tokens();
        next++;
      }
      if (rows > 0) {
        parts.add(
            new Part(
                Input.of(file.file()),
                first,
                next - 1,
                first == 0 ? 0 : groups.get(first).start(),
                next == groups.size() ? file.file().size() : groups.get(next).start(),
                firstRow,
                rows,
                tokens));
      }
      firstRow += rows;
      first = next;
    }
    return parts;
  }

  /** Nothing of a file, which still makes a file of the output. */
  static Unit empty(ParquetFile file) {
    return of(List.of(new Part(Input.of(file.file()), 0, 0, 0, file.file().size(), 0, 0, 0)));
  }

  /** The unit of these parts. */
  static Unit of(List<Part> parts) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (Part part : parts) {
        digest.update(part.input.path().getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
      }
      String files = HexFormat.of().formatHex(digest.digest(), 0, 8);
      Part first = parts.get(0);
      String name =
          parts.size() == 1
              ? String.format(
                  Locale.ROOT,
                  "part-%s-%05d-%05d.parquet",
                  files,
                  first.firstRowGroup,
                  first.lastRowGroup)
              : String.format(Locale.ROOT, "part-%s-%d-files.parquet", files, parts.size());
      return new Unit(name, List.copyOf(parts));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
