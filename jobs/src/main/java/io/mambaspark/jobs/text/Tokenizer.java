package io.mambaspark.jobs.text;

import ai.djl.huggingface.tokenizers.jni.CharSpan;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.mambaspark.jobs.Refusal;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.LongFunction;

/**
 * Encodes text as token ids, as {@code tokenizers.Tokenizer.encode(text,
 * add_special_tokens=False).ids} does in Python. The settings of tokenizer.json for truncation,
 * padding and special tokens around a text are ignored.
 *
 * <p>Thread-safe: the native tokenizer is modified only during its creation. Its encode takes a
 * shared reference ({@code Tokenizer} is {@code Sync}, and its own batches run on many threads),
 * and its cache of words is protected by a lock.
 */
public final class Tokenizer {
  /**
   * The tokenizers of this JVM by fingerprint. They are never freed: freeing is safe only while no
   * thread runs the native code, and a job uses only one tokenizer.
   */
  private static final Map<String, Tokenizer> TOKENIZERS = new ConcurrentHashMap<>();

  /**
   * The minimum length of a piece in chars. The library stores a string, offsets and masks for each
   * token, in total 150 bytes for each byte of text: 1.5 GB for 10 MB. Pieces of this size need
   * almost no memory and, because they fit in the processor's cache, a third of the time.
   */
  private static final int PIECE = 4096;

  /** A text that shows what a template adds. */
  private static final String SAMPLE = "a";

  private final String name;
  private final boolean splittable;
  private final long handle;

  private Tokenizer(String name, boolean splittable, long handle) {
    this.name = name;
    this.splittable = splittable;
    this.handle = handle;
  }

  /**
   * Returns the tokenizer of this JVM for a file. The first caller creates it; other callers wait.
   */
  static Tokenizer of(TokenizerFile file, Path localFolder) {
    Tokenizer existing = TOKENIZERS.get(file.fingerprint());
    if (existing != null) {
      return existing;
    }
    synchronized (TOKENIZERS) {
      return TOKENIZERS.computeIfAbsent(file.fingerprint(), key -> make(file, localFolder));
    }
  }

  private static Tokenizer make(TokenizerFile file, Path localFolder) {
    NativeLibrary.load(localFolder);
    long handle;
    try {
      handle = TokenizersLibrary.LIB.createTokenizerFromString(file.deterministicJson());
    } catch (RuntimeException e) {
      throw Refusal.because(
          e,
          "Cannot use tokenizer %s: Hugging Face's tokenizers library refuses it: %s",
          file.name(),
          e.getMessage());
    }
    TokenizersLibrary.LIB.disableTruncation(handle);
    TokenizersLibrary.LIB.disablePadding(handle);
    return new Tokenizer(file.name(), file.splittable(), handle);
  }

  /**
   * Returns the ids of a text; an empty array for an empty text. If the tokenizer does not allow
   * {@linkplain SplitPoints splitting}, encoding needs native memory of about 150 times the text's
   * size.
   *
   * @throws IllegalArgumentException if the text has half a surrogate pair, which UTF-8 cannot
   *     represent
   */
  public int[] encode(String text) {
    checkSurrogates(text);
    return splittable ? encode(text, PIECE) : encode(text, text.length());
  }

  /**
   * The tokens of a text.
   *
   * @param ids as {@link #encode(String)} returns them
   * @param starts the offset of each token in the text's UTF-8 bytes, ascending: that of the
   *     character in which the token begins, which may be inside the token before
   */
  public record Located(int[] ids, int[] starts) {}

  /** Encodes a text like {@link #encode(String)}, and also returns where each token begins. */
  public Located locate(String text) {
    checkSurrogates(text);
    return locate(text, splittable ? PIECE : text.length());
  }

  /** Encodes a text in pieces of at least {@code pieceLength} chars. */
  Located locate(String text, int pieceLength) {
    int[] ids = new int[0];
    int[] starts = new int[0];
    int count = 0;
    int bytes = 0;
    for (int start = 0; start < text.length(); ) {
      int end = SplitPoints.next(text, start + pieceLength);
      String piece = text.substring(start, end);
      Spans spans =
          encodePiece(
              piece,
              false,
              encoding ->
                  new Spans(
                      TokenizersLibrary.LIB.getTokenIds(encoding),
                      TokenizersLibrary.LIB.getTokenCharSpans(encoding)));
      ids = ints(spans.ids, ids, count);
      long[] offsets = new long[spans.ids.length];
      Utf8.Offsets inPiece = new Utf8.Offsets(piece);
      for (int i = 0; i < offsets.length; i++) {
        // A token that is not from the text, as a post-processor may add it, has no span.
        offsets[i] =
            bytes + inPiece.byteOffset(spans.chars[i] == null ? 0 : spans.chars[i].getStart());
      }
      starts = ints(offsets, starts, count);
      count += offsets.length;
      bytes += inPiece.byteOffset(Integer.MAX_VALUE);
      start = end;
    }
    return new Located(Arrays.copyOf(ids, count), Arrays.copyOf(starts, count));
  }

  /** The parts of an encoding; spans count Unicode code points. */
  private record Spans(long[] ids, CharSpan[] chars) {}

  /**
   * Returns the ids that the template of tokenizer.json adds around every text.
   *
   * @param prefix the id of the model's prefix token; negative if it has none
   */
  public SpecialTokens specialTokens(int prefix) {
    int[] plain = ints(encodePiece(SAMPLE, false), new int[0], 0);
    int[] all = ints(encodePiece(SAMPLE, true), new int[0], 0);
    int before = Collections.indexOfSubList(boxed(all), boxed(plain));
    if (before < 0 || plain.length == 0) {
      throw Refusal.because(
          "Cannot use the special tokens of tokenizer %s: its template changes the tokens of the"
              + " text, or the text \"a\" has no token",
          name);
    }
    return new SpecialTokens(
        Arrays.copyOf(all, before),
        Arrays.copyOfRange(all, before + plain.length, all.length),
        prefix < 0 ? "" : TokenizersLibrary.LIB.decode(handle, new long[] {prefix}, false));
  }

  private static List<Integer> boxed(int[] ids) {
    return Arrays.stream(ids).boxed().toList();
  }

  /** Encodes a text in pieces of at least {@code pieceLength} chars. */
  int[] encode(String text, int pieceLength) {
    if (text.length() <= pieceLength) {
      return ints(encodePiece(text, false), new int[0], 0);
    }
    int[] ids = new int[text.length() / 3];
    int count = 0;
    for (int start = 0; start < text.length(); ) {
      int end = SplitPoints.next(text, start + pieceLength);
      long[] piece = encodePiece(text.substring(start, end), false);
      ids = ints(piece, ids, count);
      count += piece.length;
      start = end;
    }
    return Arrays.copyOf(ids, count);
  }

  /**
   * Encodes one piece. Only the ids are fetched: other parts of an encoding would need Java objects
   * for each token.
   */
  private long[] encodePiece(String text, boolean specialTokens) {
    return encodePiece(text, specialTokens, TokenizersLibrary.LIB::getTokenIds);
  }

  /** Encodes one piece and returns what {@code read} fetches from the native encoding. */
  private <R> R encodePiece(String text, boolean specialTokens, LongFunction<R> read) {
    long encoding;
    try {
      encoding = TokenizersLibrary.LIB.encode(handle, text, specialTokens);
    } catch (RuntimeException e) {
      throw Refusal.because(e, "Cannot encode a text with tokenizer %s: %s", name, e.getMessage());
    }
    try {
      return read.apply(encoding);
    } finally {
      TokenizersLibrary.LIB.deleteEncoding(encoding);
    }
  }

  /** Writes ids after the first {@code count} of an array, or of a larger copy of the array. */
  private static int[] ints(long[] ids, int[] target, int count) {
    int[] result = target;
    if (count + ids.length > target.length) {
      int grown = count == 0 ? ids.length : count + Math.max(ids.length, count / 2);
      result = Arrays.copyOf(target, grown);
    }
    for (int i = 0; i < ids.length; i++) {
      result[count + i] = (int) ids[i];
    }
    return result;
  }

  /**
   * Refuses half a surrogate pair: with one of them, the native library would also garble every
   * complete pair of the text.
   */
  private static void checkSurrogates(String text) {
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (Character.isSurrogate(c)) {
        boolean pair =
            Character.isHighSurrogate(c)
                && i + 1 < text.length()
                && Character.isLowSurrogate(text.charAt(i + 1));
        if (!pair) {
          throw new IllegalArgumentException(
              String.format(
                  "Text has half a surrogate pair, U+%04X, at position %d; expected Unicode",
                  (int) c, i));
        }
        i++;
      }
    }
  }
}
