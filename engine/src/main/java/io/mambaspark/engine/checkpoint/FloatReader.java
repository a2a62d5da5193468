package io.mambaspark.engine.checkpoint;

/** Reads floats in order, from the first. Not safe for use by several threads. */
@FunctionalInterface
public interface FloatReader {

  /**
   * Reads the next {@code count} values into {@code into[offset..offset+count)}.
   *
   * @throws IllegalStateException if fewer values are left
   */
  void read(float[] into, int offset, int count);
}
