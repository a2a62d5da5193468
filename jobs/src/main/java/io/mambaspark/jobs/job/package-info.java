/**
 * Carries out one request: score, stream, compare, tokenize, or a dry run. The jobs display their
 * progress, print and write a summary, and draw the report page.
 */
package io.mambaspark.jobs.job;
