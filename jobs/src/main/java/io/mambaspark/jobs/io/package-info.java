/**
 * Where rows come from and where they go: files are listed once, before Spark starts; their schema
 * is decided before data is read; outputs are placed, recovered and written so that nothing is
 * lost.
 */
package io.mambaspark.jobs.io;
