/**
 * The Mamba models: {@link io.mambaspark.engine.model.MambaCheckpoint} opens and validates a
 * checkpoint folder, and {@link io.mambaspark.engine.model.MambaModel} packs its weights and runs
 * the forward pass over chunks of tokens. Each layer has an {@linkplain
 * io.mambaspark.engine.model.Mixer mixer}, Mamba-1 or Mamba-2.
 */
package io.mambaspark.engine.model;
