package io.mambaspark.jobs;

/** A row that cannot be scored, under {@code --on-error fail}. Thrown in a task. */
final class RowFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  RowFailure(String message) {
    // Where in our code this was noticed says nothing about the row, and Spark logs it many times.
    super(message, null, false, false);
  }
}
