/**
 * Turns scored rows into sums, groups, percentiles and buckets. Doubles are added exactly, so
 * results do not depend on the order of the rows or on their partitions.
 */
package io.mambaspark.jobs.stats;
