package io.mambaspark.engine.model;

import java.io.Serializable;

/**
 * The shape of a Mamba-1 mixer, the same in all layers of a model.
 *
 * @param dState N, the number of states of the scan per channel
 * @param dConv K, the width of the causal convolution
 * @param dInner the number of channels inside a layer
 * @param dtRank the rank of the projection to dt
 * @param convBias whether the convolution has a bias
 * @param bias whether in_proj and out_proj have a bias
 * @param normEps epsilon of Falcon-Mamba's norms of dt, B and C; null if the model lacks these
 *     norms
 */
public record MixerConfig(
    int dState, int dConv, int dInner, int dtRank, boolean convBias, boolean bias, Float normEps)
    implements Serializable {}
