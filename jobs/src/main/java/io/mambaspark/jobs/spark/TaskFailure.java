package io.mambaspark.jobs.spark;

/** The reason why a task fails, as the user reads it: which row or file, and what is wrong. */
public final class TaskFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  public TaskFailure(String message, Throwable cause) {
    // No stack trace: it says nothing about the row, and Spark logs it many times.
    super(message, cause, false, false);
  }
}
