package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.PackedMatrix;
import io.mambaspark.engine.kernel.Panels;
import io.mambaspark.engine.kernel.WeightFormat;
import java.util.Arrays;

/** Reads tensors into the layouts of the kernels. Sections of rows begin in new panels. */
final class Packing {
  /** The number of rows of a matrix that are read and packed at a time: one panel. */
  private static final int ROWS_AT_ONCE = Panels.WIDTH;

  private Packing() {}

  /** Reads a matrix of {@code k} columns, whose rows are divided into sections. */
  static PackedMatrix matrix(WeightFormat format, FloatReader floats, int k, int... sections) {
    PackedMatrix matrix = new PackedMatrix(format, k, sections);
    float[] block = new float[ROWS_AT_ONCE * k];
    for (int section = 0; section < sections.length; section++) {
      for (int row = 0; row < sections[section]; row += ROWS_AT_ONCE) {
        int rows = Math.min(ROWS_AT_ONCE, sections[section] - row);
        floats.read(block, 0, rows * k);
        matrix.rows(section, row, rows, block);
      }
    }
    Kernels.best().prepare(matrix);
    return matrix;
  }

  /** Returns a reader of rows, which also packs each row that it reads into a matrix. */
  static FloatReader filling(PackedMatrix matrix, FloatReader rows) {
    int[] next = {0};
    return (into, offset, count) -> {
      rows.read(into, offset, count);
      matrix.rows(0, next[0], count / matrix.k(), Arrays.copyOfRange(into, offset, offset + count));
      next[0] += count / matrix.k();
    };
  }

  /** Reads the sections of a vector, each padded with zeros to panels. */
  static float[] vector(FloatReader floats, int... sections) {
    float[] vector = new float[width(sections)];
    int at = 0;
    for (int section : sections) {
      floats.read(vector, at, section);
      at += Panels.count(section) * Panels.WIDTH;
    }
    return vector;
  }

  /** Reads (rows, columns) as stored into (panels of all sections, columns, 16). */
  static float[] transposed(FloatReader floats, int columns, int... sections) {
    float[] to = new float[width(sections) * columns];
    float[] row = new float[columns];
    int first = 0;
    for (int section : sections) {
      for (int i = 0; i < section; i++) {
        floats.read(row, 0, columns);
        int at = (first + i) / Panels.WIDTH * columns * Panels.WIDTH + i % Panels.WIDTH;
        for (int column = 0; column < columns; column++) {
          to[at + column * Panels.WIDTH] = row[column];
        }
      }
      first += Panels.count(section) * Panels.WIDTH;
    }
    return to;
  }

  /**
   * Reads rows whose columns are divided into sections of {@code columns} floats, and pads each
   * section with zeros to panels.
   */
  static FloatReader padded(FloatReader floats, int columns) {
    int width = width(columns);
    if (width == columns) {
      return floats;
    }
    return (into, offset, count) -> {
      for (int at = offset; at < offset + count; at += width) {
        floats.read(into, at, columns);
        Arrays.fill(into, at + columns, at + width, 0f);
      }
    };
  }

  /** The number of channels in these sections if each is padded to panels. */
  static int width(int... sections) {
    int width = 0;
    for (int section : sections) {
      width += Panels.count(section) * Panels.WIDTH;
    }
    return width;
  }

  /** Converts A_log to A · log2(e), where A = -exp(A_log): the scans compute powers of two. */
  static FloatReader decayRates(FloatReader aLog) {
    return (into, offset, count) -> {
      aLog.read(into, offset, count);
      for (int i = offset; i < offset + count; i++) {
        // StrictMath gives the same result on every machine. log2(e) = 1 / ln 2.
        into[i] = (float) (-StrictMath.exp(into[i]) / StrictMath.log(2));
      }
    };
  }
}
