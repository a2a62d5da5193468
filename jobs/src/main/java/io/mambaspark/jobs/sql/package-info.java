/** Scoring functions of Spark SQL, which an extension registers in every session. */
package io.mambaspark.jobs.sql;
