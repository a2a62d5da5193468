package io.mambaspark.jobs.spark;

import java.util.Iterator;
import java.util.function.Function;

/** Iterators of tasks, which read a row at a time. */
public final class Iterators {
  private Iterators() {}

  /** An iterator over the results of a function. */
  public static <A, B> Iterator<B> map(Iterator<A> from, Function<A, B> function) {
    return new Iterator<>() {
      @Override
      public boolean hasNext() {
        return from.hasNext();
      }

      @Override
      public B next() {
        return function.apply(from.next());
      }
    };
  }
}
