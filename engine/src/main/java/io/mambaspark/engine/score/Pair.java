package io.mambaspark.engine.score;

/**
 * One text as two models read it.
 *
 * @param key the caller's, which comes back with the result
 * @param a its tokens for the first model, a prefix token in front if there is to be one
 * @param b its tokens for the second model; the same array where both read the same tokens
 */
public record Pair<T>(T key, int[] a, int[] b) {}
