/**
 * Carries out one request: score, stream, compare or tokenize, or a dry run. Shows its progress,
 * prints and writes its summary, and draws its page.
 */
package io.mambaspark.jobs.job;
