/**
 * Opens a model that a user names, and delivers it to the tasks as one packed model per JVM:
 *
 * <ol>
 *   <li>{@code ModelLocation} locates the model, {@code ModelDownload} copies it to the driver's
 *       disk if necessary, {@code ModelSource} opens its checkpoint, and {@code TokenizerSource}
 *       opens its tokenizer.
 *   <li>{@code OpenModel} owns these on the driver, and all deliveries to executors.
 *   <li>{@code ModelDelivery} transports the model to the tasks: by {@code BroadcastDelivery} or
 *       {@code FileDelivery}, as {@code ModelMemory} decides.
 *   <li>{@code PackedModels} holds the models of a JVM.
 * </ol>
 */
package io.mambaspark.jobs.model;
