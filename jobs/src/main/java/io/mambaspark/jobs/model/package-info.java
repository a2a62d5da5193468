/**
 * From a model that a user names to one packed model in each JVM:
 *
 * <ol>
 *   <li>{@code ModelLocation} is where the model is, {@code ModelDownload} copies one that is not
 *       on the driver's disk, {@code ModelSource} is its open checkpoint, {@code TokenizerSource}
 *       finds its tokenizer.
 *   <li>{@code OpenModel} owns these on the driver, with all that was sent to executors.
 *   <li>{@code ModelDelivery} brings the model to the tasks: by {@code BroadcastDelivery} or by
 *       {@code FileDelivery}, as {@code ModelMemory} decides.
 *   <li>{@code PackedModels} are the models of a JVM.
 * </ol>
 */
package io.mambaspark.jobs.model;
