/**
 * The Mamba models: {@link io.mambaspark.engine.model.MambaCheckpoint} opens and validates a
 * checkpoint folder, and {@link io.mambaspark.engine.model.MambaModel} packs its weights and runs
 * the forward pass over chunks of tokens. The {@code Mixer} of a layer is that of Mamba-1 or of
 * Mamba-2.
 */
package io.mambaspark.engine.model;
