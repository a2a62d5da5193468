package io.mambaspark.jobs.units;

import io.mambaspark.jobs.io.ParquetFile;
import io.mambaspark.jobs.io.RowGroups;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import java.util.List;
import java.util.Locale;

/**
 * An atomic piece of work: consecutive row groups of one Parquet file, or several complete small
 * files. One task scores the unit and writes one output file.
 *
 * @param name the name of the output file; the same row groups have the same name in every run
 */
public record Unit(String name, List<RowGroups> parts) implements Serializable {

  long rows() {
    return parts.stream().mapToLong(RowGroups::rows).sum();
  }

  long tokens() {
    return parts.stream().mapToLong(RowGroups::tokens).sum();
  }

  /** Whether several complete small files share the unit. */
  boolean isShared() {
    return parts.size() > 1;
  }

  /** Cuts files into units of about {@code targetTokens} tokens, see {@link RowGroups#cut}. */
  static List<Unit> cut(List<ParquetFile> files, long targetTokens) {
    return RowGroups.cut(files, targetTokens).stream().map(Unit::of).toList();
  }

  /** Returns a unit without rows, which still writes an output file. */
  static Unit empty(ParquetFile file) {
    return of(List.of(RowGroups.withoutRows(file)));
  }

  /** Returns the unit of the given parts. */
  static Unit of(List<RowGroups> parts) {
    try {
      MessageDigest digest = MessageDigest.getInstance("SHA-256");
      for (RowGroups part : parts) {
        digest.update(part.input().path().getBytes(StandardCharsets.UTF_8));
        digest.update((byte) 0);
      }
      String files = HexFormat.of().formatHex(digest.digest(), 0, 8);
      RowGroups first = parts.get(0);
      String name =
          parts.size() == 1
              ? String.format(
                  Locale.ROOT,
                  "part-%s-%05d-%05d.parquet",
                  files,
                  first.firstRowGroup(),
                  first.lastRowGroup())
              : String.format(Locale.ROOT, "part-%s-%d-files.parquet", files, parts.size());
      return new Unit(name, List.copyOf(parts));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }
}
