/**
 * Files become named tensors: a model folder's {@code config.json} and its weights, in every layout
 * that Mamba checkpoints come in. Knows nothing of the layers of a model.
 *
 * <p>A folder is data, never code, and is not trusted: whatever its files hold, opening one either
 * gives the tensors or throws {@link io.mambaspark.engine.checkpoint.CheckpointException} with one
 * readable line. Nothing in a file is executed, no path in a file leads out of the folder, and what
 * is allocated is bounded by constants (see {@code MAX_…} in each reader), not by what a file
 * claims.
 */
package io.mambaspark.engine.checkpoint;
