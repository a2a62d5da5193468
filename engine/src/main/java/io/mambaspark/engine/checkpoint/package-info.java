/**
 * Reads a model folder's {@code config.json}, and its weights as named tensors, in every layout
 * that Mamba checkpoints use. This package does not depend on the layers of a model.
 *
 * <p>A folder is untrusted data. Whatever its files hold, opening the folder either returns the
 * tensors or throws {@link io.mambaspark.engine.checkpoint.CheckpointException} with a message of
 * one readable line. Nothing in a file is executed. No path in a file can refer to a file outside
 * the folder. Constants ({@code MAX_…} in each reader) bound the memory that is allocated, whatever
 * size a file claims.
 */
package io.mambaspark.engine.checkpoint;
