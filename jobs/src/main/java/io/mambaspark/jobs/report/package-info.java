/**
 * The page that shows a finished run: {@link io.mambaspark.jobs.report.ReportData} holds all that
 * it shows, without Spark, and {@link io.mambaspark.jobs.report.Report} makes one HTML file of
 * that, which loads nothing and runs no script.
 */
package io.mambaspark.jobs.report;
