/**
 * The Mamba models: {@link io.mambaspark.engine.model.MambaCheckpoint} opens and validates a
 * checkpoint folder, and {@link io.mambaspark.engine.model.MambaModel} packs its weights and runs
 * the forward pass over chunks of tokens.
 */
package io.mambaspark.engine.model;
