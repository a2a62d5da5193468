/** Scores as functions that a session has from its start. */
package io.mambaspark.jobs.sql;
