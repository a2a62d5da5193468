/**
 * A model that a user names becomes one packed model in each JVM: it is located, opened on the
 * driver, sent as a broadcast or as files, and held within the memory that there is.
 */
package io.mambaspark.jobs.model;
