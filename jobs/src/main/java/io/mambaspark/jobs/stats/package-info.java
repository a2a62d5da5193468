/**
 * Scored rows to sums, groups, percentiles and buckets. Every double is added exactly, so neither
 * the order of rows nor their partitions show in a result.
 */
package io.mambaspark.jobs.stats;
