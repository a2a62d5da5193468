/**
 * Computes scores from token ids: {@link io.mambaspark.engine.score.Scorer} packs sequences into
 * chunks, runs the model, and applies the head fused with the log-softmax.
 */
package io.mambaspark.engine.score;
