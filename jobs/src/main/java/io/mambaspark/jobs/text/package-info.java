/**
 * Text as the model's tokenizer and Python see it: {@link io.mambaspark.jobs.text.TokenizerFile}
 * checks a tokenizer.json and travels to the tasks, {@link io.mambaspark.jobs.text.Tokenizer} turns
 * text into ids, {@link io.mambaspark.jobs.text.PairEncoding} a context and its continuation,
 * {@link io.mambaspark.jobs.text.PythonText} and {@link io.mambaspark.jobs.text.Utf8} say what a
 * word and what a text is.
 *
 * <p>The encoding is done by Hugging Face's own tokenizers library, which Deep Java Library builds
 * for the JVM. Of DJL only the class that declares the native methods is used ({@code
 * NativeLibrary} loads them): its other classes keep a cache in the home folder, download, and
 * report their use over the network.
 */
package io.mambaspark.jobs.text;
