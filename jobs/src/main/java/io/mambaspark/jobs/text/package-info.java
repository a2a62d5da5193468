/**
 * Text as the model's tokenizer and Python define it.
 *
 * <ul>
 *   <li>{@link io.mambaspark.jobs.text.TokenizerFile} validates a tokenizer.json and is sent to the
 *       tasks.
 *   <li>{@link io.mambaspark.jobs.text.Tokenizer} encodes text as ids.
 *   <li>{@link io.mambaspark.jobs.text.PairEncoding} encodes a context and its continuation.
 *   <li>{@link io.mambaspark.jobs.text.PythonText} defines words, and {@link
 *       io.mambaspark.jobs.text.Utf8} defines valid text.
 * </ul>
 *
 * <p>Hugging Face's own tokenizers library does the encoding; Deep Java Library (DJL) builds it for
 * the JVM. The only class of DJL in use is the one that declares the native methods, which {@code
 * NativeLibrary} loads. Other classes of DJL keep a cache in the home folder, download files, and
 * report their use over the network.
 */
package io.mambaspark.jobs.text;
