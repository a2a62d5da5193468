/**
 * The report of a finished run. {@link io.mambaspark.jobs.report.ReportData} holds the content and
 * does not depend on Spark. {@link io.mambaspark.jobs.report.Report} renders it as one HTML file
 * that loads nothing and runs no script.
 */
package io.mambaspark.jobs.report;
