package io.mambaspark.jobs.io;

import java.math.BigDecimal;
import java.math.MathContext;

/** Converts JSON numbers, given as text, to types that hold them exactly. */
final class JsonNumbers {
  /** The number of decimal digits that every double preserves. */
  private static final int SAFE_DIGITS = 15;

  /** The number of decimal digits that a long always holds. */
  private static final int LONG_DIGITS = 18;

  /**
   * The maximum length of a number, in characters. No type holds more, and Java's arithmetic on
   * millions of digits takes minutes.
   */
  private static final int MAX_LENGTH = 1000;

  private JsonNumbers() {}

  /** Whether a number is written without a fraction and without an exponent. */
  static boolean isInteger(String number) {
    for (int i = 0; i < number.length(); i++) {
      char c = number.charAt(i);
      if ((c < '0' || c > '9') && c != '-') {
        return false;
      }
    }
    return true;
  }

  /** Returns an integer of 64 bits, also for 1.0 or 1e3; null for any other number. */
  static Long asLong(String number) {
    if (number.length() <= LONG_DIGITS && isInteger(number)) {
      return Long.parseLong(number);
    }
    BigDecimal value = asDecimal(number, LONG_DIGITS + 1, 0);
    return value == null || value.toBigInteger().bitLength() > 63 ? null : value.longValue();
  }

  /** Returns a decimal(precision, scale); null if it does not represent the number exactly. */
  static BigDecimal asDecimal(String number, int precision, int scale) {
    BigDecimal value = exact(number);
    if (value == null) {
      return null;
    }
    // The digits are compared before scaling: a scaled 1e999999999 has a billion digits.
    value = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
    if (value.scale() > scale || (long) value.precision() - value.scale() > precision - scale) {
      return null;
    }
    return value.setScale(scale);
  }

  /**
   * Returns the nearest double; null if the number is out of range, or if it is an integer that a
   * double would round. A fraction is rounded, as in every JSON reader.
   */
  static Double asDouble(String number) {
    double value = Double.parseDouble(number);
    boolean fits = !isInteger(number) || roundTripsAsDouble(number);
    boolean overflows = Double.isInfinite(value) && !number.endsWith("Infinity");
    return fits && !overflows ? value : null;
  }

  /** Whether the nearest double, rounded to as many digits as the number has, equals it. */
  static boolean roundTripsAsDouble(String number) {
    if (number.length() <= SAFE_DIGITS && number.indexOf('e') < 0 && number.indexOf('E') < 0) {
      return true;
    }
    double nearest = Double.parseDouble(number);
    if (!Double.isFinite(nearest)) {
      return !Character.isDigit(number.charAt(number.length() - 1));
    }
    BigDecimal exact = exact(number);
    if (exact == null) {
      return false;
    }
    int digits = exact.signum() == 0 ? 1 : exact.stripTrailingZeros().precision();
    return new BigDecimal(nearest).round(new MathContext(digits)).compareTo(exact) == 0;
  }

  /** Returns the exact value; null if the number has too many digits, or is NaN or infinite. */
  private static BigDecimal exact(String number) {
    if (number.length() > MAX_LENGTH) {
      return null;
    }
    try {
      return new BigDecimal(number);
    } catch (NumberFormatException e) {
      return null;
    }
  }
}
