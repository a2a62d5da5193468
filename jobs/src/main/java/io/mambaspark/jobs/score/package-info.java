/**
 * Rows to scored rows, without input or output: which columns are read and added, how a document
 * becomes tokens, and how the rows of a partition stream through the engine.
 */
package io.mambaspark.jobs.score;
