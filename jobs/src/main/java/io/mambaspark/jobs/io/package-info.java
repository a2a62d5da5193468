/**
 * Input and output of rows. Files are listed once, before Spark starts; their schema is decided
 * before data is read; outputs are placed, repaired and written so that no data is lost.
 */
package io.mambaspark.jobs.io;
