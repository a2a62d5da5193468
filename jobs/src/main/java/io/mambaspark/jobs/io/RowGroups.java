package io.mambaspark.jobs.io;

import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;

/**
 * Consecutive row groups of a Parquet file.
 *
 * @param start the offset of their first byte; the parts of a file cover it without gap or overlap
 * @param end the offset after their last byte
 * @param firstRow the index of their first row in the file, from 0
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

  /** A file up to this size may share a piece with other files. */
  private static final long SMALL_BYTES = 4 << 20;

  /**
   * The maximum number of files in a piece. It limits the size of the plan that a task receives.
   */
  private static final int MAX_FILES = 5000;

  /** The numbers of the row groups, for messages. */
  public String described() {
    return firstRowGroup == lastRowGroup
        ? "row group %d".formatted(firstRowGroup)
        : "row groups %d to %d".formatted(firstRowGroup, lastRowGroup);
  }

  /**
   * The place of a row, for messages.
   *
   * @param row the index of the row in these row groups, from 0
   */
  public String place(long row) {
    return "row %d of %s".formatted(firstRow + row, input.path());
  }

  /**
   * Cuts files into pieces of about {@code targetTokens} tokens: consecutive row groups of one
   * file, or several complete small files. A row group is never split, so a piece may be larger.
   * Consecutive small files share a piece up to the target. Files without rows are skipped.
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
      RowGroups allGroups = parts.get(0);
      boolean full = shared.size() == MAX_FILES || sharedTokens + allGroups.tokens() > targetTokens;
      if (!shared.isEmpty() && full) {
        pieces.add(shared);
        shared = new ArrayList<>();
        sharedTokens = 0;
      }
      shared.add(allGroups);
      sharedTokens += allGroups.tokens();
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
      // Spark selects row groups by byte range, so groups out of ascending order stay together.
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

  /** Returns the row groups of a file that has no rows. */
  public static RowGroups withoutRows(ParquetFile file) {
    return new RowGroups(InputVersion.of(file.file()), 0, 0, 0, file.file().size(), 0, 0, 0);
  }
}
