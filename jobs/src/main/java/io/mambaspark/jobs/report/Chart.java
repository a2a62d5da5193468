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
 * One chart, drawn by Lets-Plot into SVG that is part of a page: the page's style sheet gives it
 * its fonts and colours, so that it is right in the light and in the dark, and nothing in it has an
 * id. Lets-Plot draws without AWT and so needs no fonts on this machine. Only numbers and ticks go
 * into a chart, never a string from the data.
 */
final class Chart {
  /**
   * Colours of the style sheet: {@code --s1} to {@code --s8} of series, {@code --s9} of the rest.
   */
  private static final Pattern COLOUR =
      Pattern.compile("rgb\\(1,0,(\\d+)\\)|#0100(\\p{XDigit}{2})");

  /**
   * Its own style, the ids by which that is bound, clipping (nothing is drawn beyond the axes) and
   * values that are the default.
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

  /**
   * Whether the labels of the vertical axis are laid out, so that the panel begins beside them, but
   * not shown.
   */
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

  /** The colour of a series, counted from 1. */
  static String colour(int series) {
    return String.format("#0100%02x", series);
  }

  /** A horizontal axis; no name, no title. */
  Chart x(String name, Ticks ticks, double low, double high) {
    scales.add(scale("x", name, ticks, low, high, 0.012));
    return this;
  }

  /** A vertical axis. Its title stands above the chart, in the page. */
  Chart y(Ticks ticks, double low, double high) {
    scales.add(scale("y", "", ticks, low, high, 0.02));
    return this;
  }

  /** Leaves the ticks and the grid of an axis away. */
  Chart without(String axis) {
    Map<String, Object> blank = Map.of("blank", true);
    theme.put("axis_text_" + axis, blank);
    theme.put("axis_title_" + axis, blank);
    return this;
  }

  /** A vertical axis of which nothing is seen, but that takes the place of another one's labels. */
  Chart yInPlaceOf(Ticks other, double low, double high) {
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
   * Draws a shape.
   *
   * @param geom of Lets-Plot: line, ribbon, polygon, rect, point
   * @param data what is mapped, by its aesthetic
   * @param look constants, by their aesthetic
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

  /** The SVG element. The label tells what it shows to who cannot see it. */
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
      throw new IllegalStateException("A chart refers to something: " + svg);
    }
    if (hidesYLabels) {
      svg = svg.replaceAll("<text class=\"axis-text-y\".*?</text>", "");
    }
    String open =
        "<svg viewBox=\"0 0 %d %d\" role=\"img\" aria-label=\"%s\">"
            .formatted(width, height, Text.escaped(label));
    return svg.replaceFirst("<svg[^>]*>", Matcher.quoteReplacement(open));
  }

  /** Lets-Plot writes a colour in either way. */
  private static String variable(MatchResult colour) {
    return "var(--s"
        + (colour.group(1) != null ? colour.group(1) : Integer.parseInt(colour.group(2), 16))
        + ")";
  }

  /** A tenth of a pixel is as fine as anyone sees; an opacity wants a hundredth. */
  private static String rounded(String number) {
    double value = Double.parseDouble(number);
    double rounded = value < 1 ? Math.round(value * 100) / 100.0 : Math.round(value * 10) / 10.0;
    return rounded == Math.rint(rounded) ? String.valueOf((long) rounded) : String.valueOf(rounded);
  }
}
