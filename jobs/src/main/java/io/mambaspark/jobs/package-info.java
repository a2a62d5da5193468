/** Scoring on Spark. */
package io.mambaspark.jobs;
