package io.mambaspark.engine.model;

import java.io.Serializable;

/**
 * The shape of a Mamba-1 mixer, alike in all layers of a model.
 *
 * @param dState N, states of the scan for each channel
 * @param dConv K, width of the causal convolution
 * @param dInner channels inside a layer
 * @param dtRank rank of the projection that makes dt
 * @param convBias whether the convolution has a bias
 * @param bias whether in_proj and out_proj have one
 * @param normEps epsilon of Falcon-Mamba's norms of dt, B and C; null where there are none
 */
public record MixerConfig(
    int dState, int dConv, int dInner, int dtRank, boolean convBias, boolean bias, Float normEps)
    implements Serializable {}
