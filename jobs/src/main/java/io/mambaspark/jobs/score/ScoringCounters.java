package io.mambaspark.jobs.score;

import java.util.concurrent.atomic.LongAdder;

/**
 * The numbers of tokens, documents and errors of all tasks since this JVM started, for Spark's
 * metrics. Retries are counted again.
 */
public final class ScoringCounters {
  private static final LongAdder TOKENS = new LongAdder();
  private static final LongAdder DOCUMENTS = new LongAdder();
  private static final LongAdder ERRORS = new LongAdder();

  private ScoringCounters() {}

  static void addTokens(int tokens) {
    TOKENS.add(tokens);
  }

  static void addDocument() {
    DOCUMENTS.increment();
  }

  static void addError() {
    ERRORS.increment();
  }

  public static long tokens() {
    return TOKENS.sum();
  }

  public static long documents() {
    return DOCUMENTS.sum();
  }

  public static long errors() {
    return ERRORS.sum();
  }
}
