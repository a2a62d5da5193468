package io.mambaspark.jobs.io;

import java.math.BigDecimal;
import java.math.MathContext;

/** Which types hold a JSON number without another value. Numbers are given as their digits. */
final class JsonNumbers {
  /** Digits that every double keeps. */
  private static final int SAFE_DIGITS = 15;

  /** Digits that a long always holds. */
  private static final int LONG_DIGITS = 18;

  /** No type holds more; Java's arithmetic on millions of digits takes minutes. */
  private static final int MAX_LENGTH = 1000;

  private JsonNumbers() {}

  /** Whether it is written without a fraction and without an exponent. */
  static boolean isInteger(String number) {
    for (int i = 0; i < number.length(); i++) {
      char c = number.charAt(i);
      if ((c < '0' || c > '9') && c != '-') {
        return false;
      }
    }
    return true;
  }

  /** The integer of 64 bits that it is, also if it is written as 1.0 or 1e3; null if it is none. */
  static Long asLong(String number) {
    if (number.length() <= LONG_DIGITS && isInteger(number)) {
      return Long.parseLong(number);
    }
    BigDecimal value = asDecimal(number, LONG_DIGITS + 1, 0);
    return value == null || value.toBigInteger().bitLength() > 63 ? null : value.longValue();
  }

  /** The decimal(precision, scale) that it is; null if that would be another value. */
  static BigDecimal asDecimal(String number, int precision, int scale) {
    BigDecimal value = exact(number);
    if (value == null) {
      return null;
    }
    // Compared before it is scaled: 1e999999999 has as many digits.
    value = value.signum() == 0 ? BigDecimal.ZERO : value.stripTrailingZeros();
    if (value.scale() > scale || (long) value.precision() - value.scale() > precision - scale) {
      return null;
    }
    return value.setScale(scale);
  }

  /**
   * The double for it; null if there is none. A fraction is rounded, as in every reader of JSON, an
   * integer is not.
   */
  static Double asDouble(String number) {
    double value = Double.parseDouble(number);
    boolean fits = !isInteger(number) || survivesDouble(number);
    boolean overflows = Double.isInfinite(value) && !number.endsWith("Infinity");
    return fits && !overflows ? value : null;
  }

  /** Whether the nearest double, written with as many digits, is the same number. */
  static boolean survivesDouble(String number) {
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

  /** Null where it has too many digits, or is NaN or infinite. */
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
