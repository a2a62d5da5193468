package io.mambaspark.jobs.job;

import java.util.ArrayList;
import java.util.List;

/**
 * A list of at most {@value #CAPACITY} elements, evenly sampled from all added ones. Whenever the
 * list is full, it drops every second element and halves the rate at which it stores later ones.
 * For charts, not for sums.
 */
final class EvenSample<T> {
  private static final int CAPACITY = 2000;

  private final List<T> values = new ArrayList<>();
  private long added;
  private long interval = 1;

  synchronized void add(T value) {
    if (added++ % interval != 0) {
      return;
    }
    values.add(value);
    if (values.size() == CAPACITY) {
      for (int i = CAPACITY - 1; i > 0; i -= 2) {
        values.remove(i);
      }
      interval *= 2;
    }
  }

  synchronized List<T> values() {
    return List.copyOf(values);
  }
}
