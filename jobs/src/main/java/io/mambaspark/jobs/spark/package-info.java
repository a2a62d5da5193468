/**
 * What is asked of Spark and Hadoop: sessions and their settings, versions, paths, tasks, and what
 * a user is told of their failures.
 */
package io.mambaspark.jobs.spark;
