package io.mambaspark.jobs.io;

/** What a JSON value is. */
enum JsonKind {
  OBJECT("an object"),
  LIST("a list"),
  STRING("a string"),
  NUMBER("a number"),
  BOOLEAN("a boolean"),
  NULL("null");

  private final String words;

  JsonKind(String words) {
    this.words = words;
  }

  /** The kind as messages name it. */
  String words() {
    return words;
  }
}
