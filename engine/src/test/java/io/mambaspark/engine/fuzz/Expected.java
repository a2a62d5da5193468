package io.mambaspark.engine.fuzz;

/** The required result of reading a folder after a mutation. */
enum Expected {
  /** It loads with the original's fingerprint: the mutation did not change the weights. */
  SAME,

  /** It loads. */
  LOADED,

  /** It is refused by a CheckpointException. */
  REFUSED,

  /** It loads correctly or is refused. */
  EITHER;

  /** Returns the required result after two mutations. */
  Expected and(Expected other) {
    if (this == SAME && other == SAME) {
      return SAME;
    }
    boolean bothLoad = (this == SAME || this == LOADED) && (other == SAME || other == LOADED);
    // A second mutation may undo the damage for which the first one would be refused.
    return bothLoad ? LOADED : EITHER;
  }
}
