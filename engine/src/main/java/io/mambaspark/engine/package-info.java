/**
 * The Mamba forward pass and its scores, on CPU. No Spark, no Hadoop.
 *
 * <p>The packages, in the order in which data passes through them:
 *
 * <ol>
 *   <li>{@code checkpoint} reads safetensors, shards, {@code pytorch_model.bin} and {@code
 *       config.json} into named tensors. It does not depend on Mamba's layers.
 *   <li>{@code kernel} does the arithmetic on arrays in column panels. It has two implementations,
 *       plain loops and the Vector API, whose results are equal bit for bit. It does not depend on
 *       models.
 *   <li>{@code model} holds the hyper-parameters and the packed weights, and runs the forward pass
 *       over chunks. A chunk is pieces of one or many sequences, laid end to end.
 *   <li>{@code score} turns token ids into log-probabilities, perplexities, most probable tokens
 *       and logits.
 * </ol>
 *
 * <p>A package imports only packages above it in this list. An example:
 *
 * <pre>{@code
 * MambaModel model = MambaModel.load(Path.of("mamba-130m-hf"));
 * Outputs outputs = new Outputs(true, false, false, 0, false);
 * Iterator<Scores<String>> scores =
 *     new Scorer(model).score(List.of(new Sequence<>("first", tokens)).iterator(), outputs);
 * System.out.println(scores.next().perplexity());
 * }</pre>
 *
 * <p>Glossary, from the paper (arXiv:2312.00752) and mamba-minimal: {@code dModel} width of the
 * residual stream; {@code dInner} channels inside a layer; {@code dState} (N) states of the scan
 * per channel; {@code dConv} (K) width of the convolution; {@code dtRank} rank of the projection to
 * dt; {@code x, z} the two halves of in_proj's result; {@code dt} the step size; {@code A, B, C, D}
 * the parameters of the state-space model; {@code m, n, k} rows, columns and depth of a product.
 */
package io.mambaspark.engine;
