package io.mambaspark.engine.kernel;

/** The digits of a {@link PackedMatrix} in native memory, in the layout of native code. */
interface NativeDigits {

  /** The digit at step {@code i} and lane {@code lane} of panel {@code panel}. */
  int digit(int panel, int i, int lane);
}
