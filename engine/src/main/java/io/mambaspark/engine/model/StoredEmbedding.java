package io.mambaspark.engine.model;

import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.kernel.Panels;

/**
 * The embedding in its stored dtype, for models whose matrices are integers. No product reads it,
 * so rounding it would lose accuracy for nothing. F64 becomes F32, as everywhere.
 */
final class StoredEmbedding {
  /** A half whose bits are in the place of a float's is too small by this factor, exactly. */
  private static final float HALF = 0x1p112f;

  private final DType dtype;

  /** The rows in F32; null in other dtypes. */
  private final float[][] floats;

  /** The rows in F16 or BF16; null in F32. */
  private final short[][] shorts;

  /** Reads an embedding (vocabSize, dModel). */
  StoredEmbedding(DType dtype, FloatReader reader, int vocabSize, int dModel) {
    this.dtype = dtype;
    boolean wide = elementBytes(dtype) == Float.BYTES;
    this.floats = wide ? new float[vocabSize][dModel] : null;
    this.shorts = wide ? null : new short[vocabSize][dModel];
    float[] row = new float[dModel];
    for (int id = 0; id < vocabSize; id++) {
      reader.read(wide ? floats[id] : row, 0, dModel);
      for (int i = 0; !wide && i < dModel; i++) {
        shorts[id][i] = bits(row[i]);
      }
    }
  }

  /** The size in memory, in bytes. */
  static long bytes(DType dtype, int vocabSize, int dModel) {
    return (long) vocabSize * dModel * elementBytes(dtype);
  }

  private static int elementBytes(DType dtype) {
    return Math.min(dtype.bytes(), Float.BYTES);
  }

  /** Writes a row into row {@code row} of {@code to}, (dModel panels, stride, 16). */
  void copyRow(int id, float[] to, int row, int stride) {
    int dModel = floats != null ? floats[id].length : shorts[id].length;
    for (int i = 0; i < dModel; i++) {
      to[Panels.index(row, i, stride)] = floats != null ? floats[id][i] : value(shorts[id][i]);
    }
    // The padding may contain NaN from an earlier sequence that overflowed.
    for (int i = dModel; i % Panels.WIDTH != 0; i++) {
      to[Panels.index(row, i, stride)] = 0f;
    }
  }

  /** Returns the stored bits of a finite value, which the dtype represents exactly. */
  private short bits(float value) {
    if (dtype == DType.BF16) {
      return (short) (Float.floatToRawIntBits(value) >>> 16);
    }
    int bits = Float.floatToRawIntBits(value / HALF);
    return (short) (bits >>> 16 & 0x8000 | bits >>> 13 & 0x7fff);
  }

  private float value(short bits) {
    if (dtype == DType.BF16) {
      return Float.intBitsToFloat(bits << 16);
    }
    return Float.intBitsToFloat((bits & 0x8000) << 16 | (bits & 0x7fff) << 13) * HALF;
  }
}
