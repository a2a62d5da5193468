/**
 * What is told of a finished run: {@link io.mambaspark.jobs.report.Distributions} computes with
 * Spark what a page shows of written scores, {@link io.mambaspark.jobs.report.ReportData} holds all
 * of it without Spark, and {@link io.mambaspark.jobs.report.Report} makes one HTML file of that,
 * which loads nothing and runs no script.
 */
package io.mambaspark.jobs.report;
