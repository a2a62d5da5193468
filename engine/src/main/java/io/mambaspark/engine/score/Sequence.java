package io.mambaspark.engine.score;

/**
 * Token ids to score, with the caller's key, which comes back with the result.
 *
 * @param tokens ids in [0, vocabSize); a prefix token, if there is to be one, stands in front. The
 *     array must not change until the result is there.
 */
public record Sequence<T>(T key, int[] tokens) {}
