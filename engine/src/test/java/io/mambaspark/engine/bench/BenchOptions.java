package io.mambaspark.engine.bench;

import java.util.ArrayDeque;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;

/**
 * What is measured, and for how long.
 *
 * @param threads the number of threads of the runs on all cores
 * @param repeats the number of samples of each run
 * @param coldWarmUp the seconds of warm-up of the first run
 * @param warmUp the seconds of warm-up of each other run
 * @param sample the maximum seconds of a sample of more than one chunk
 */
record BenchOptions(
    List<Shape> shapes, int threads, int repeats, double coldWarmUp, double warmUp, double sample) {

  static BenchOptions parse(String... args) {
    Deque<String> left = new ArrayDeque<>(Arrays.asList(args));
    List<Shape> shapes = null;
    int threads = Runtime.getRuntime().availableProcessors();
    int repeats = 0;
    boolean brief = false;
    while (!left.isEmpty()) {
      String option = left.remove();
      switch (option) {
        case "--short" -> brief = true;
        case "--shapes" ->
            shapes = Arrays.stream(value(option, left).split(",")).map(Shape::of).toList();
        case "--threads" -> threads = number(option, value(option, left));
        case "--repeats" -> repeats = number(option, value(option, left));
        default -> throw new IllegalArgumentException("Unknown option " + option);
      }
    }
    if (shapes == null) {
      shapes = brief ? List.of(Shape.SMALLEST) : Shape.DEFAULT;
    }
    return brief
        ? new BenchOptions(shapes, threads, repeats > 0 ? repeats : 3, 8, 1, 2)
        : new BenchOptions(shapes, threads, repeats > 0 ? repeats : 4, 15, 2, 4);
  }

  private static String value(String option, Deque<String> left) {
    if (left.isEmpty()) {
      throw new IllegalArgumentException(option + " requires a value");
    }
    return left.remove();
  }

  private static int number(String option, String value) {
    if (!value.matches("[1-9][0-9]{0,3}")) {
      throw new IllegalArgumentException(
          "%s %s: expected an integer from 1 to 9999".formatted(option, value));
    }
    return Integer.parseInt(value);
  }
}
