package io.mambaspark.jobs.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.mambaspark.jobs.Refusal;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Turns text into token ids, as {@code tokenizers.Tokenizer.encode(text,
 * add_special_tokens=False).ids} does in Python. What tokenizer.json says about truncation, padding
 * and special tokens around a text does not count.
 *
 * <p>For any number of threads: the native tokenizer is changed only while it is made. Its encode
 * takes a shared reference to it ({@code Tokenizer} is {@code Sync}, and its own batches run on
 * many threads), and its cache of words is behind a lock.
 */
public final class Tokenizer {
  /**
   * Those of this JVM by fingerprint. They stay: a native one may be freed only when no thread is
   * in it, and a job has one.
   */
  private static final Map<String, Tokenizer> TOKENIZERS = new ConcurrentHashMap<>();

  /**
   * Chars of a piece, at least. The library keeps a string, offsets and masks for each token, 150
   * bytes for each byte of text together: 1.5 GB for 10 MB. In pieces of this size it takes next to
   * nothing and, as they fit in the processor's cache, a third of the time.
   */
  private static final int PIECE = 4096;

  private final String name;
  private final boolean cuts;
  private final long handle;

  private Tokenizer(String name, boolean cuts, long handle) {
    this.name = name;
    this.cuts = cuts;
    this.handle = handle;
  }

  /** The tokenizer of this JVM, made for the first who asks; the others wait for it. */
  static Tokenizer of(TokenizerFile file, Path localFolder) {
    Tokenizer known = TOKENIZERS.get(file.fingerprint());
    if (known != null) {
      return known;
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
          "Cannot use tokenizer %s: Hugging Face's tokenizers library does not accept it: %s",
          file.name(),
          e.getMessage());
    }
    TokenizersLibrary.LIB.disableTruncation(handle);
    TokenizersLibrary.LIB.disablePadding(handle);
    return new Tokenizer(file.name(), file.cuts(), handle);
  }

  /**
   * The ids of a text; none for the empty text. Where the tokenizer does not allow to {@linkplain
   * TextCuts cut} it, the native memory taken meanwhile is some 150 times the text's size.
   *
   * @throws IllegalArgumentException if the text has half a surrogate pair, which no UTF-8 has
   */
  public int[] encode(String text) {
    checkSurrogates(text);
    return cuts ? encode(text, PIECE) : encode(text, text.length());
  }

  /** In pieces of that many chars, a little more each. */
  int[] encode(String text, int pieceLength) {
    if (text.length() <= pieceLength) {
      return ints(encodePiece(text), new int[0], 0);
    }
    int[] ids = new int[text.length() / 3];
    int count = 0;
    for (int start = 0; start < text.length(); ) {
      int end = TextCuts.next(text, start + pieceLength);
      long[] piece = encodePiece(text.substring(start, end));
      ids = ints(piece, ids, count);
      count += piece.length;
      start = end;
    }
    return Arrays.copyOf(ids, count);
  }

  /**
   * Only the ids are fetched: the other arrays of an encoding would be Java objects for each token.
   */
  private long[] encodePiece(String text) {
    long encoding;
    try {
      encoding = TokenizersLibrary.LIB.encode(handle, text, false);
    } catch (RuntimeException e) {
      throw Refusal.because(e, "Cannot encode a text with tokenizer %s: %s", name, e.getMessage());
    }
    try {
      return TokenizersLibrary.LIB.getTokenIds(encoding);
    } finally {
      TokenizersLibrary.LIB.deleteEncoding(encoding);
    }
  }

  /** Writes ids behind the first {@code count} of an array, or of a larger copy of it. */
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

  /** With half a pair anywhere, the native side would garble all others too. */
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
