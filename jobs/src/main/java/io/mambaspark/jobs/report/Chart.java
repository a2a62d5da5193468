package io.mambaspark.jobs.report;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.regex.MatchResult;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.jetbrains.letsPlot.commons.geometry.DoubleVector;
import org.jetbrains.letsPlot.core.util.PlotSvgExportCommon;

/**
 * One chart, drawn by Lets-Plot as SVG within a page. The page's style sheet sets its fonts and
 * colours, for the light and the dark colour scheme, and no element has an id. Lets-Plot draws
 * without AWT, so this machine needs no fonts. A chart contains only numbers and ticks, never a
 * string from the data.
 */
final class Chart {
  /**
   * Placeholders of the style sheet's colours: {@code --s1} to {@code --s8} for series, {@code
   * --s9} for the remaining groups.
   */
  private static final Pattern COLOUR =
      Pattern.compile("rgb\\(1,0,(\\d+)\\)|#0100(\\p{XDigit}{2})");

  /**
   * Parts of the SVG to remove: its own style sheet, the ids to which that style sheet refers,
   * clipping (nothing is drawn outside the axes) and default values.
   */
  private static final Pattern UNUSED =
      Pattern.compile(
          "<style.*?</style>|<defs>.*?</defs>| (id|clip-path|clip-bounds-jfx)=\"[^\"]*\""
              + "| (fill|stroke)-opacity=\"1\\.0\"",
          Pattern.DOTALL);

  private static final Pattern DECIMALS = Pattern.compile("\\d+\\.\\d+(E-?\\d+)?");
  private static final int GRID = 20;

  private final int width;
  private final int height;
  private final List<Object> layers = new ArrayList<>();
  private final List<Object> scales = new ArrayList<>();
  private final Map<String, Object> theme = new HashMap<>();

  /** Whether the labels of the vertical axis take up space but are not shown. */
  private boolean hidesYLabels;

  Chart(int width, int height) {
    this.width = width;
    this.height = height;
    Map<String, Object> blank = Map.of("blank", true);
    Map<String, Object> line = Map.of("color", colour(GRID), "size", 1.0, "blank", false);
    theme.put("name", "minimal");
    theme.put("legend_position", "none");
    theme.put("plot_background", blank);
    theme.put("panel_background", blank);
    theme.put("panel_border", blank);
    theme.put("panel_grid_minor", blank);
    theme.put("axis_line", blank);
    theme.put("axis_ticks", blank);
    theme.put("panel_grid_major_x", line);
    theme.put("panel_grid_major_y", line);
    theme.put("axis_text", Map.of("size", 12.0, "blank", false));
    theme.put("axis_text_x", Map.of("angle", 0.0, "blank", false));
    theme.put("axis_title", Map.of("size", 12.0, "blank", false));
    theme.put("axis_title_y", blank);
    theme.put("plot_margin", Map.of("t", 0.0, "r", 14.0, "b", 0.0, "l", 0.0));
  }

  /** Returns the placeholder of a series' colour; series are counted from 1. */
  static String colour(int series) {
    return String.format("#0100%02x", series);
  }

  /** Adds a horizontal axis; an empty name omits the title. */
  Chart x(String name, Ticks ticks, double low, double high) {
    scales.add(scale("x", name, ticks, low, high, 0.012));
    return this;
  }

  /** Adds a vertical axis. The page shows its title above the chart. */
  Chart y(Ticks ticks, double low, double high) {
    scales.add(scale("y", "", ticks, low, high, 0.02));
    return this;
  }

  /** Removes the labels and the title of an axis. */
  Chart without(String axis) {
    Map<String, Object> blank = Map.of("blank", true);
    theme.put("axis_text_" + axis, blank);
    theme.put("axis_title_" + axis, blank);
    return this;
  }

  /** Adds an invisible vertical axis as wide as the labels of another, so that charts align. */
  Chart hiddenY(Ticks other, double low, double high) {
    theme.put("panel_grid_major_y", Map.of("blank", true));
    hidesYLabels = true;
    List<Double> same = other.labels().stream().map(label -> low).toList();
    return y(new Ticks(same, other.labels()), low, high);
  }

  private static Map<String, Object> scale(
      String axis, String name, Ticks ticks, double low, double high, double expand) {
    Map<String, Object> scale = new HashMap<>();
    scale.put("aesthetic", axis);
    scale.put("name", name);
    scale.put("breaks", ticks.at());
    scale.put("labels", ticks.labels());
    scale.put("limits", List.of(low, high));
    scale.put("expand", List.of(expand, 0.0));
    return scale;
  }

  /**
   * Adds a layer of shapes.
   *
   * @param geom the geometry, as Lets-Plot names it: line, ribbon, polygon, rect, point
   * @param data the values of each mapped aesthetic
   * @param look the constant of each other aesthetic
   */
  Chart draw(String geom, Map<String, List<Double>> data, Map<String, Object> look) {
    Map<String, Object> mapping = new HashMap<>();
    data.keySet().forEach(aesthetic -> mapping.put(aesthetic, aesthetic));
    Map<String, Object> layer = new LinkedHashMap<>(look);
    layer.put("geom", geom);
    layer.put("stat", "identity");
    layer.put("position", "identity");
    layer.put("sampling", "none");
    layer.put("tooltips", "none");
    layer.put("data", new HashMap<String, Object>(data));
    layer.put("mapping", mapping);
    layers.add(layer);
    return this;
  }

  /** Returns the SVG element. The label describes the chart to screen readers. */
  String svg(String label) {
    Map<String, Object> plot = new HashMap<>();
    plot.put("kind", "plot");
    plot.put("layers", layers);
    plot.put("scales", scales);
    plot.put("theme", theme);
    String svg =
        PlotSvgExportCommon.INSTANCE.buildSvgImageFromRawSpecs(
            plot, new DoubleVector(width, height), (w, h, pixels) -> "", false);
    svg = UNUSED.matcher(svg).replaceAll("");
    svg = svg.replaceAll(">\\s+", ">").replaceAll("\\s+<", "<");
    svg = svg.replaceAll("></(line|path|circle|rect)>", "/>").replace("<path/>", "");
    svg = COLOUR.matcher(svg).replaceAll(Chart::variable);
    svg = DECIMALS.matcher(svg).replaceAll(number -> rounded(number.group()));
    if (svg.contains("url(")) {
      throw new IllegalStateException("A chart must not refer to other elements or files: " + svg);
    }
    if (hidesYLabels) {
      svg = svg.replaceAll("<text class=\"axis-text-y\".*?</text>", "");
    }
    String open =
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">"
            .formatted(width, height, Text.escaped(label));
    return svg.replaceFirst("<svg[^>]*>", Matcher.quoteReplacement(open));
  }

  /** Replaces a placeholder, which Lets-Plot writes as {@code rgb(…)} or in hexadecimal. */
  private static String variable(MatchResult colour) {
    return "var(--s"
        + (colour.group(1) != null ? colour.group(1) : Integer.parseInt(colour.group(2), 16))
        + ")";
  }

  /**
   * Rounds pixels to tenths, which is not visible; numbers below 1, as opacities, to hundredths.
   */
  private static String rounded(String number) {
    double value = Double.parseDouble(number);
    double rounded = value < 1 ? Math.round(value * 100) / 100.0 : Math.round(value * 10) / 10.0;
    return rounded == Math.rint(rounded) ? String.valueOf((long) rounded) : String.valueOf(rounded);
  }
}
