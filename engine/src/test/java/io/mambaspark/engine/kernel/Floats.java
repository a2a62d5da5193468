package io.mambaspark.engine.kernel;

import static org.assertj.core.api.Assertions.fail;

import java.util.Arrays;
import java.util.SplittableRandom;

/** Creates arrays of random floats in column panels, and compares arrays. */
final class Floats {
  private final SplittableRandom random;

  Floats(long seed) {
    this.random = new SplittableRandom(seed);
  }

  float between(float low, float high) {
    return low + (high - low) * (random.nextInt() >>> 8) * 0x1p-24f;
  }

  /** Returns an array of random floats in [low, high). */
  float[] array(int length, float low, float high) {
    float[] array = new float[length];
    for (int i = 0; i < length; i++) {
      array[i] = between(low, high);
    }
    return array;
  }

  /** Returns a vector, padded with zeros to complete panels. */
  float[] vector(int columns, float low, float high) {
    return Arrays.copyOf(array(columns, low, high), Panels.count(columns) * Panels.WIDTH);
  }

  /**
   * Returns (panels, stride, 16) with zeros in the padding of the last panel, and NaN in the
   * scratch rows, so that a kernel that uses these rows fails its test.
   */
  float[] panels(int columns, int rows, int stride, float low, float high) {
    float[] array = new float[Panels.count(columns) * stride * Panels.WIDTH];
    Arrays.fill(array, Float.NaN);
    for (int row = 0; row < rows; row++) {
      for (int column = 0; column < Panels.count(columns) * Panels.WIDTH; column++) {
        array[Panels.index(row, column, stride)] = column < columns ? between(low, high) : 0f;
      }
    }
    return array;
  }

  /** Returns a matrix (n, k), row-major. */
  float[] matrix(int n, int k) {
    return array(n * k, -1f, 1f);
  }

  /** Returns the rows that are not scratch, (panels, rows, 16). */
  static float[] rows(float[] panels, int rows, int stride) {
    return rows(panels, 0, rows, stride);
  }

  static float[] rows(float[] panels, int first, int rows, int stride) {
    int count = panels.length / (stride * Panels.WIDTH);
    float[] kept = new float[count * rows * Panels.WIDTH];
    for (int panel = 0; panel < count; panel++) {
      System.arraycopy(
          panels,
          (panel * stride + first) * Panels.WIDTH,
          kept,
          panel * rows * Panels.WIDTH,
          rows * Panels.WIDTH);
    }
    return kept;
  }

  /** Fails unless all bits are equal. All NaN count as equal. */
  static void assertSameBits(String what, float[] found, float[] expected) {
    if (found.length != expected.length) {
      fail("%s: %d floats, expected %d".formatted(what, found.length, expected.length));
    }
    for (int i = 0; i < expected.length; i++) {
      boolean bothNaN = found[i] != found[i] && expected[i] != expected[i];
      if (Float.floatToRawIntBits(found[i]) != Float.floatToRawIntBits(expected[i]) && !bothNaN) {
        fail("%s: float %d is %s, expected %s".formatted(what, i, found[i], expected[i]));
      }
    }
  }
}
