package io.mambaspark.jobs;

import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * A piece of work that is done whole or not at all: consecutive row groups of one Parquet file, the
 * work of one task, and one file of the output.
 *
 * @param name of the output file; the same for the same row groups in every run
 * @param input the Parquet file
 * @param start the first byte that belongs to the unit; the units of a file tile it
 * @param end the byte after the last one
 * @param firstRow number of the first row in the file, from 0
 * @param tokens see {@link ParquetFile.RowGroup}
 */
record Unit(
    String name,
    Input input,
    int firstRowGroup,
    int lastRowGroup,
    long start,
    long end,
    long firstRow,
    long rows,
    long tokens)
    implements Serializable {

  /**
   * An input file as it was when the run was planned.
   *
   * @param path without a password
   */
  record Input(String path, long size, long modified) implements Serializable {
    static Input of(ParquetFile file) {
      return new Input(HadoopFiles.redacted(file.path()), file.size(), file.modified());
    }
  }

  /**
   * Cuts a file into units of about as many tokens. A row group is never cut, so one may be larger;
   * a file without row groups gives none.
   */
  static List<Unit> cut(ParquetFile file, long targetTokens) {
    List<ParquetFile.RowGroup> groups = file.rowGroups();
    boolean ascending = true;
    for (int i = 1; i < groups.size(); i++) {
      ascending &= groups.get(i - 1).start() < groups.get(i).start();
    }
    List<Unit> units = new ArrayList<>();
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
      units.add(
          new Unit(
              name(Input.of(file).path(), first, next - 1),
              Input.of(file),
              first,
              next - 1,
              first == 0 ? 0 : groups.get(first).start(),
              next == groups.size() ? file.size() : groups.get(next).start(),
              firstRow,
              rows,
              tokens));
      firstRow += rows;
      first = next;
    }
    return units;
  }

  /** Nothing of a file, which still makes a file of the output. */
  static Unit empty(ParquetFile file) {
    Input input = Input.of(file);
    return new Unit(name(input.path(), 0, 0), input, 0, 0, 0, file.size(), 0, 0, 0);
  }

  /** Where it lies, for people. */
  String described() {
    return firstRowGroup == lastRowGroup
        ? "row group %d of %s".formatted(firstRowGroup, input.path())
        : "row groups %d to %d of %s".formatted(firstRowGroup, lastRowGroup, input.path());
  }

  private static String name(String path, int first, int last) {
    try {
      byte[] digest =
          MessageDigest.getInstance("SHA-256").digest(path.getBytes(StandardCharsets.UTF_8));
      String file = HexFormat.of().formatHex(digest, 0, 8);
      return String.format(Locale.ROOT, "part-%s-%05d-%05d.parquet", file, first, last);
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
