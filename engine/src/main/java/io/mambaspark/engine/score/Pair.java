package io.mambaspark.engine.score;

/**
 * One text, tokenized for two models.
 *
 * @param key the caller's key, which the result contains
 * @param a the text's tokens for the first model, including a prefix token if required
 * @param b the text's tokens for the second model; the same array if both read the same tokens
 */
public record Pair<T>(T key, int[] a, int[] b) {}
