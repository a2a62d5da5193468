package io.mambaspark.jobs.io;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Consecutive row groups of a Parquet file.
 *
 * @param start the first byte that belongs to them; the parts of a file tile it
 * @param end the byte after the last one
 * @param firstRow number of the first row in the file, from 0
 * @param tokens see {@link ParquetFile.RowGroup}
 */
public record RowGroups(
    InputVersion input,
    int firstRowGroup,
    int lastRowGroup,
    long start,
    long end,
    long firstRow,
    long rows,
    long tokens)
    implements Serializable {

  /** A file up to this size may share a piece with others. */
  private static final long SMALL_BYTES = 4 << 20;

  /** A piece has at most so many files: its plan travels to its task. */
  private static final int MOST_FILES = 5000;

  /** Which row groups it is, for people. */
  public String described() {
    return firstRowGroup == lastRowGroup
        ? "row group %d".formatted(firstRowGroup)
        : "row groups %d to %d".formatted(firstRowGroup, lastRowGroup);
  }

  /** A row of it, counted from 0, for people. */
  public String place(long row) {
    return "row %d of %s".formatted(firstRow + row, input.path());
  }

  /**
   * Cuts files into pieces of about as many tokens: consecutive row groups of one file, or several
   * whole small files. A row group is never cut, so a piece may be larger. Consecutive small files
   * share a piece up to the target. A file without rows is in none.
   */
  public static List<List<RowGroups>> cut(List<ParquetFile> files, long targetTokens) {
    List<List<RowGroups>> pieces = new ArrayList<>();
    List<RowGroups> shared = new ArrayList<>();
    long sharedTokens = 0;
    for (ParquetFile file : files) {
      List<RowGroups> parts = parts(file, targetTokens);
      if (parts.size() != 1 || file.file().size() > SMALL_BYTES) {
        parts.forEach(part -> pieces.add(List.of(part)));
        continue;
      }
      RowGroups whole = parts.get(0);
      boolean full = shared.size() == MOST_FILES || sharedTokens + whole.tokens() > targetTokens;
      if (!shared.isEmpty() && full) {
        pieces.add(shared);
        shared = new ArrayList<>();
        sharedTokens = 0;
      }
      shared.add(whole);
      sharedTokens += whole.tokens();
    }
    if (!shared.isEmpty()) {
      pieces.add(shared);
    }
    return pieces;
  }

  private static List<RowGroups> parts(ParquetFile file, long targetTokens) {
    List<ParquetFile.RowGroup> groups = file.rowGroups();
    boolean ascending = true;
    for (int i = 1; i < groups.size(); i++) {
      ascending &= groups.get(i - 1).start() < groups.get(i).start();
    }
    List<RowGroups> parts = new ArrayList<>();
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
            new RowGroups(
                InputVersion.of(file.file()),
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

  /** No rows of a file. */
  public static RowGroups none(ParquetFile file) {
    return new RowGroups(InputVersion.of(file.file()), 0, 0, 0, file.file().size(), 0, 0, 0);
  }
}
