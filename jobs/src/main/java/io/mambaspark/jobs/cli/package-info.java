/** The command line: options to a request, and exit codes. Only this room knows picocli. */
package io.mambaspark.jobs.cli;
