package io.mambaspark.jobs.io;

import java.util.List;

/**
 * Which columns of the input are used.
 *
 * @param columns what a document is read from
 * @param kept the columns to carry over; null for all but those of tokens and counts
 */
public record DocumentOptions(DocumentColumns columns, List<String> kept) {}
