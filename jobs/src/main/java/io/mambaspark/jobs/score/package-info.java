/**
 * Scores rows, independent of the source and the target of the rows: selects the columns, converts
 * documents to tokens, and streams the rows of a partition through the engine.
 */
package io.mambaspark.jobs.score;
