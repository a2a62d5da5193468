package io.mambaspark.engine.fuzz;

/** What must become of a folder after a mutation. */
enum Expected {
  /** It loads, and its fingerprint is the original's: the mutation changed no weight's meaning. */
  SAME,

  /** It loads. */
  LOADED,

  /** It is refused by a CheckpointException. */
  REFUSED,

  /** It loads right or is refused. */
  EITHER;

  /** What must become of a folder after two mutations, one after the other. */
  Expected and(Expected other) {
    if (this == SAME && other == SAME) {
      return SAME;
    }
    boolean bothLoad = (this == SAME || this == LOADED) && (other == SAME || other == LOADED);
    // A second mutation may take back what the first one was to be refused for.
    return bothLoad ? LOADED : EITHER;
  }
}
