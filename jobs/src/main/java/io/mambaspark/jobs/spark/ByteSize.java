package io.mambaspark.jobs.spark;

import java.util.List;
import java.util.Locale;

/** Formats numbers of bytes. */
public final class ByteSize {
  private ByteSize() {}

  /** Formats a number of bytes for people, as in {@code 2.3 MB}. */
  public static String shown(long value) {
    List<String> units = List.of("bytes", "kB", "MB", "GB", "TB", "PB");
    double scaled = value;
    int unit = 0;
    while (scaled >= 1000 && unit < units.size() - 1) {
      scaled /= 1000;
      unit++;
    }
    return String.format(Locale.ROOT, unit == 0 ? "%.0f %s" : "%.1f %s", scaled, units.get(unit));
  }
}
