/**
 * The Mamba forward pass and its scores, on CPU. No Spark, no Hadoop.
 *
 * <p>Bytes become a checkpoint, a checkpoint becomes weights, weights a model, a model a scorer:
 *
 * <ol>
 *   <li>{@code checkpoint}: safetensors, shards, {@code pytorch_model.bin} and {@code config.json}
 *       to named tensors. Knows nothing of Mamba's layers.
 *   <li>{@code kernel}: the arithmetic on arrays in column panels, once in plain loops and once on
 *       the Vector API, equal bit for bit. Knows nothing of models.
 *   <li>{@code model}: the hyper-parameters, the packed weights and the forward pass over chunks,
 *       pieces of one or many sequences laid end to end.
 *   <li>{@code score}: token ids to log-probabilities, perplexities, most probable tokens and
 *       logits.
 * </ol>
 *
 * <p>Nothing imports against that direction. In ten lines:
 *
 * <pre>{@code
 * MambaModel model = MambaModel.load(Path.of("mamba-130m-hf"));
 * Wanted wanted = new Wanted(true, false, false, 0, false);
 * Iterator<Scores<String>> scores =
 *     new Scorer(model).score(List.of(new Sequence<>("first", tokens)).iterator(), wanted);
 * System.out.println(scores.next().perplexity());
 * }</pre>
 *
 * <p>Glossary, after the paper (arXiv:2312.00752) and mamba-minimal: {@code dModel} width of the
 * residual stream; {@code dInner} channels inside a layer; {@code dState} (N) states of the scan
 * for each channel; {@code dConv} (K) width of the convolution; {@code dtRank} rank of the
 * projection to dt; {@code x, z} the two halves of in_proj's result; {@code dt} the step; {@code A,
 * B, C, D} the state space; {@code m, n, k} rows, columns and depth of a product.
 */
package io.mambaspark.engine;
