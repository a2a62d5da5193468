/** The command line: parses options and returns exit codes. Only this package uses picocli. */
package io.mambaspark.jobs.cli;
