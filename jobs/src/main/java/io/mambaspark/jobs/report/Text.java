package io.mambaspark.jobs.report;

/** Makes strings from any source safe for a page. */
final class Text {
  private static final char REPLACEMENT = '\uFFFD';

  private Text() {}

  /**
   * Escapes a string for an element or a quoted attribute, in HTML and in XML. Replaces characters
   * that could hide or reverse a part of the page, or that XML forbids, by U+FFFD: control
   * characters except tab and line ends, bidirectional controls, lone surrogates, non-characters.
   */
  static String escaped(String text) {
    StringBuilder out = new StringBuilder(text.length() + 16);
    for (int i = 0; i < text.length(); ) {
      int point = text.codePointAt(i);
      i += Character.charCount(point);
      switch (point) {
        case '&' -> out.append("&amp;");
        case '<' -> out.append("&lt;");
        case '>' -> out.append("&gt;");
        case '"' -> out.append("&quot;");
        case '\'' -> out.append("&#39;");
        case '\t', '\n', '\r' -> out.append(' ');
        default -> {
          if (isHarmful(point)) {
            out.append(REPLACEMENT);
          } else {
            out.appendCodePoint(point);
          }
        }
      }
    }
    return out.toString();
  }

  private static boolean isHarmful(int point) {
    return Character.isISOControl(point)
        || Character.getType(point) == Character.SURROGATE
        || (point & 0xFFFE) == 0xFFFE
        || (point >= 0xFDD0 && point <= 0xFDEF)
        // Directional marks, embeddings, overrides and isolates.
        || point == 0x061C
        || point == 0x200E
        || point == 0x200F
        || (point >= 0x202A && point <= 0x202E)
        || (point >= 0x2066 && point <= 0x2069)
        || point == 0x2028
        || point == 0x2029
        || point == 0xFEFF
        // Tags, which are invisible.
        || (point >= 0xE0000 && point <= 0xE007F);
  }
}
