package io.mambaspark.jobs.report;

import java.util.Locale;

/** Formats numbers for the page. */
final class Numbers {
  private static final String[] SUPERSCRIPTS = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};

  private Numbers() {}

  static String count(long count) {
    return String.format(Locale.ROOT, "%,d", count);
  }

  static String count(long count, String one, String more) {
    return count(count) + " " + (count == 1 ? one : more);
  }

  /** Formats up to four digits, or all before the decimal point; a power of ten from 1e9 on. */
  static String perplexity(double value) {
    if (!(Math.abs(value) < 1e9)) {
      return power(value);
    }
    int decimals = Math.abs(value) < 100 ? 2 : Math.abs(value) < 1000 ? 1 : 0;
    return String.format(Locale.ROOT, "%,." + decimals + "f", value);
  }

  static String decimals(double value, int decimals) {
    return String.format(Locale.ROOT, "%,." + decimals + "f", value);
  }

  static String seconds(double seconds) {
    if (seconds < 90) {
      return decimals(seconds, seconds < 10 ? 1 : 0) + " s";
    }
    return seconds < 5400 ? decimals(seconds / 60, 1) + " min" : decimals(seconds / 3600, 1) + " h";
  }

  /** Formats a short label of an axis: 20, 5,000, 10k, 2M, 10⁹. */
  static String tick(double value) {
    double size = Math.abs(value);
    if (size == 0) {
      return "0";
    } else if (size >= 1e9) {
      return power(value);
    } else if (size >= 1e6) {
      return plain(value / 1e6) + "M";
    } else if (size >= 1e4) {
      return plain(value / 1e3) + "k";
    }
    return plain(value);
  }

  private static String plain(double value) {
    String text = String.format(Locale.ROOT, "%,.4f", value);
    return text.replaceFirst("\\.?0+$", "");
  }

  private static String power(double value) {
    if (Double.isNaN(value) || Double.isInfinite(value)) {
      return Double.isNaN(value) ? "–" : "∞";
    }
    int exponent = (int) Math.floor(Math.log10(Math.abs(value)));
    String mantissa = plain(Math.round(value / Math.pow(10, exponent) * 100) / 100.0);
    StringBuilder raised = new StringBuilder();
    for (char digit : String.valueOf(exponent).toCharArray()) {
      raised.append(SUPERSCRIPTS[digit - '0']);
    }
    return (mantissa.equals("1") ? "" : mantissa + "·") + "10" + raised;
  }
}
