package io.mambaspark.jobs.job;

import java.util.ArrayList;
import java.util.List;

/**
 * A list that stays short however much is added: when it is full, every second element is dropped,
 * and of those that follow half as many are added. For charts, not for sums.
 */
final class EvenSample<T> {
  private static final int MOST = 2000;

  private final List<T> values = new ArrayList<>();
  private long added;
  private long every = 1;

  synchronized void add(T value) {
    if (added++ % every != 0) {
      return;
    }
    values.add(value);
    if (values.size() == MOST) {
      for (int i = MOST - 1; i > 0; i -= 2) {
        values.remove(i);
      }
      every *= 2;
    }
  }

  synchronized List<T> values() {
    return List.copyOf(values);
  }
}
