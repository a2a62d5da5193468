package io.mambaspark.engine.bench;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** The rates of a repeated measurement; the highest is the best. */
final class Samples {
  private final List<Double> values = new ArrayList<>();

  void add(double value) {
    values.add(value);
  }

  List<Double> values() {
    return Collections.unmodifiableList(values);
  }

  double best() {
    return Collections.max(values);
  }

  double median() {
    List<Double> sorted = new ArrayList<>(values);
    Collections.sort(sorted);
    int half = sorted.size() / 2;
    return sorted.size() % 2 == 1
        ? sorted.get(half)
        : (sorted.get(half - 1) + sorted.get(half)) / 2;
  }
}
