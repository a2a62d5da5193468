package io.mambaspark.jobs.spark;

/** Why a task cannot go on, as a user is told it: which row or file, and what is wrong with it. */
public final class TaskFailure extends RuntimeException {
  private static final long serialVersionUID = 1;

  public TaskFailure(String message, Throwable cause) {
    // Where in our code this was noticed says nothing about the row, and Spark logs it many times.
    super(message, cause, false, false);
  }
}
