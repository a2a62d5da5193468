/**
 * The options of all commands, each declared once in {@link io.mambaspark.jobs.options.Options}.
 * The command line and its help, the scorer, the pipeline stage, a run's identity, the summary and
 * the documentation read these declarations.
 */
package io.mambaspark.jobs.options;
