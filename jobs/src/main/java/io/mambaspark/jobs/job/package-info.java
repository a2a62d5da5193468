/**
 * Carries out one request: score, stream, compare or tokenize, or a dry run; and what a job tells
 * of itself: its progress, its summary and its page.
 */
package io.mambaspark.jobs.job;
