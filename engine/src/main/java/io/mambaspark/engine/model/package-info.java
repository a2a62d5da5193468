/**
 * From a checkpoint to a forward pass: {@link io.mambaspark.engine.model.MambaCheckpoint} checks
 * what a folder holds, {@link io.mambaspark.engine.model.MambaModel} packs it and runs chunks of
 * tokens.
 */
package io.mambaspark.engine.model;
