package io.mambaspark.engine.score;

/**
 * The mean μ = Σ p ln p and the variance σ² = Σ p (ln p)² - μ² of the log-probability at each
 * scored position, under the model's own distribution p over the vocabulary.
 *
 * <p>If the probabilities above 2^-126 of the largest are all equal, as those of a certain token
 * are, σ² is 0 and μ is exactly ln p of these tokens.
 *
 * @param mean Σ μ in nats, summed in double in the order of the scored tokens
 * @param variance Σ σ² in nats², summed in double in the same order
 * @param tokenMeans μ at each scored position, (tokenCount); null if not requested
 * @param tokenVariances σ² at each scored position, (tokenCount); null if not requested
 */
public record Moments(double mean, double variance, float[] tokenMeans, float[] tokenVariances) {}
