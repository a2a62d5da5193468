/** Perplexity as a stage of a Spark ML pipeline. */
package io.mambaspark.jobs.ml;
