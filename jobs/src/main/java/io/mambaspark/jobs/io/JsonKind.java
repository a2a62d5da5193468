package io.mambaspark.jobs.io;

/** The kind of a JSON value. */
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

  /** Returns the name of the kind in messages. */
  String words() {
    return words;
  }
}
