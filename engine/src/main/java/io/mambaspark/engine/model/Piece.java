package io.mambaspark.engine.model;

/**
 * Consecutive tokens of one sequence within a chunk.
 *
 * @param length number of tokens, at least 1
 * @param from the sequence's state before the piece, which is only read; null at the beginning of
 *     the sequence
 * @param to receives the state after the piece; null if it is not needed. Pieces run in order, so
 *     this may be the {@code from} of this piece or of an earlier piece of the chunk. A later piece
 *     continues from it if its {@code from} is the same object
 */
public record Piece(int length, MambaState from, MambaState to) {}
