package io.mambaspark.engine.model;

/**
 * Neighbouring tokens of one sequence within a chunk.
 *
 * @param length number of tokens, at least 1
 * @param from the sequence's state before the piece, or null at its beginning; only read
 * @param to takes the state after the piece, or null if nobody needs it. Pieces run in their order:
 *     {@code to} may be {@code from}, or the {@code from} of an earlier piece of the chunk, and a
 *     later piece whose {@code from} it is goes on from it
 */
public record Piece(int length, MambaState from, MambaState to) {}
