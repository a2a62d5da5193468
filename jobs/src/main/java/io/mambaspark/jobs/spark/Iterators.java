package io.mambaspark.jobs.spark;

import java.util.Iterator;
import java.util.function.Function;

/** Lazy iterators for tasks, which read one row at a time. */
public final class Iterators {
  private Iterators() {}

  /** Returns an iterator that applies a function to each element. */
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
