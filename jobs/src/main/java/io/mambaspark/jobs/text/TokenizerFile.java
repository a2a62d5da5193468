package io.mambaspark.jobs.text;

import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.core.json.JsonWriteFeature;
import com.fasterxml.jackson.databind.DeserializationFeature;
import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Refusal;
import java.io.IOException;
import java.io.Serializable;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.HexFormat;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A tokenizer.json of Hugging Face's tokenizers. The driver validates the file and sends it to the
 * tasks unchanged.
 */
public final class TokenizerFile implements Serializable {
  private static final long serialVersionUID = 1;

  private static final Logger LOG = LoggerFactory.getLogger(TokenizerFile.class);
  private static final String DROPOUT = "dropout";
  private static final String PARSED = "tokenizer.json was parsed before";

  private static final ObjectMapper MAPPER =
      new ObjectMapper().enable(DeserializationFeature.FAIL_ON_TRAILING_TOKENS);
  private static final String EXPECTED = "expected the tokenizer.json of Hugging Face's tokenizers";

  private final String name;
  private final byte[] json;
  private final String fingerprint;
  private final int largestId;
  private final boolean splittable;
  private final boolean dropout;

  private TokenizerFile(
      String name, byte[] json, int largestId, boolean splittable, boolean dropout) {
    this.name = name;
    this.json = json;
    this.fingerprint = sha256(json);
    this.largestId = largestId;
    this.splittable = splittable;
    this.dropout = dropout;
  }

  /**
   * Validates a tokenizer.json as far as possible without the native library, which may still
   * refuse it in {@link #tokenizer}. Logs a warning if the tokenizer has dropout, which is not
   * applied.
   *
   * @param name the file's name in messages
   * @throws Refusal if the file is not a tokenizer.json
   */
  public static TokenizerFile parse(String name, byte[] json) {
    JsonNode tokenizer = read(name, json);
    if (!tokenizer.isObject()) {
      throw refused(name, "its JSON is not an object", "");
    }
    JsonNode model = tokenizer.path("model");
    if (!model.path("vocab").isContainerNode()) {
      throw refused(name, "it has no model.vocab", hint(tokenizer));
    }
    int largest = Math.max(largestOfModel(name, model), largestOfAdded(name, tokenizer));
    if (largest < 0) {
      throw refused(name, "its vocabulary is empty", "");
    }
    boolean dropout = hasDropout(model);
    if (dropout) {
      LOG.warn(
          "Tokenizer {} skips merges at random, which is meant for training (model.dropout {}). The"
              + " dropout is not applied, so that a text has the same tokens in every run",
          name,
          model.get(DROPOUT));
    }
    return new TokenizerFile(
        name, json.clone(), largest, SplitPoints.allowedBy(tokenizer), dropout);
  }

  /** Whether a model would skip merges at random. Only BPE models use random numbers. */
  private static boolean hasDropout(JsonNode model) {
    // Old files do not name the type. Only a Unigram model has a list.
    boolean bpe = model.path("type").asText("BPE").equals("BPE") && model.path("vocab").isObject();
    double dropout = model.path(DROPOUT).doubleValue();
    // The library refuses a value that is not a probability.
    return bpe && dropout > 0 && dropout <= 1;
  }

  private static JsonNode read(String name, byte[] json) {
    if (json.length == 0) {
      throw refused(name, "the file is empty", "");
    }
    try {
      return MAPPER.readTree(Utf8.decode(json));
    } catch (Utf8.Malformed e) {
      throw refused(name, "not JSON: byte " + e.offset() + " is not UTF-8", hint(name, json));
    } catch (JsonProcessingException e) {
      // Drop the irrelevant parts of Jackson's message: the location in a Java object, and the list
      // of tokens that it would accept.
      String why = e.getOriginalMessage().replaceFirst("(?s)(: (was )?expect|\\n| \\(start).*", "");
      String place =
          e.getLocation() == null
              ? ""
              : " (line %d, column %d)"
                  .formatted(e.getLocation().getLineNr(), e.getLocation().getColumnNr());
      throw refused(name, "not JSON: " + why + place, hint(name, json));
    }
  }

  private static Refusal refused(String name, String why, String hint) {
    return Refusal.because("Cannot read tokenizer %s: %s; %s%s", name, why, EXPECTED, hint);
  }

  /** Returns a sentence about the kind of a file that is not JSON, or an empty string. */
  private static String hint(String name, byte[] bytes) {
    String start = new String(bytes, 0, Math.min(bytes.length, 200), StandardCharsets.ISO_8859_1);
    // A SentencePiece model is a protocol buffer that begins with its first piece.
    if (name.endsWith(".model") || start.matches("(?s)\\n.\\n.*")) {
      return ". A SentencePiece model can be converted: in Python, save_pretrained of its fast"
          + " tokenizer writes a tokenizer.json";
    }
    if (start.startsWith("version https://git-lfs")) {
      return ". This is a Git LFS pointer: fetch the file itself with git lfs pull";
    }
    return "";
  }

  /**
   * Returns a sentence about the kind of a JSON object that is not a tokenizer, or an empty string.
   */
  private static String hint(JsonNode object) {
    if (object.has("tokenizer_class") || object.has("added_tokens_decoder")) {
      return ". This is a tokenizer_config.json: use the tokenizer.json in its folder";
    }
    if (object.has("model_type") || object.has("architectures") || object.has("d_model")) {
      return ". This is a model's config.json: use the tokenizer.json in its folder";
    }
    if (object.size() > 0 && object.elements().next().isInt()) {
      return ". This is a vocab.json: in Python, save_pretrained of the fast tokenizer writes a"
          + " tokenizer.json";
    }
    return "";
  }

  /** Returns the largest id of the model's vocabulary; -1 if the vocabulary is empty. */
  private static int largestOfModel(String name, JsonNode model) {
    JsonNode vocab = model.path("vocab");
    String type = model.path("type").asText();
    // Old files do not name the type. Only a Unigram model has a list.
    boolean list = type.isEmpty() ? vocab.isArray() : type.equals("Unigram");
    if (!list && !type.isEmpty() && !type.matches("BPE|WordPiece|WordLevel")) {
      throw refused(
          name,
          "its model.type is %s, not BPE, WordPiece, WordLevel or Unigram".formatted(type),
          "");
    }
    if (vocab.isArray() != list) {
      throw refused(
          name,
          "its model.vocab is %s, but the vocabulary of %s is %s"
              .formatted(
                  vocab.isArray() ? "a list" : "an object", type, list ? "a list" : "an object"),
          "");
    }
    if (list) {
      return vocab.size() - 1;
    }
    int largest = -1;
    for (var token : vocab.properties()) {
      largest = Math.max(largest, id(name, token.getKey(), token.getValue()));
    }
    return largest;
  }

  private static int largestOfAdded(String name, JsonNode tokenizer) {
    int largest = -1;
    for (JsonNode token : tokenizer.path("added_tokens")) {
      largest = Math.max(largest, id(name, token.path("content").asText(), token.path("id")));
    }
    return largest;
  }

  private static int id(String name, String token, JsonNode id) {
    if (!id.isInt() || id.intValue() < 0) {
      throw refused(
          name,
          "token %s has %s".formatted(MAPPER.getNodeFactory().textNode(token), shown(id)),
          " with ids in [0, 2147483648)");
    }
    return id.intValue();
  }

  private static String shown(JsonNode id) {
    if (id.isMissingNode()) {
      return "no id";
    }
    String text = id.toString();
    return "the id " + (text.length() > 40 ? text.substring(0, 40) + "…" : text);
  }

  private static String sha256(byte[] bytes) {
    try {
      return HexFormat.of().formatHex(MessageDigest.getInstance("SHA-256").digest(bytes));
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException("every Java platform has SHA-256", e);
    }
  }

  /** The file's name in messages. */
  public String name() {
    return name;
  }

  /**
   * The SHA-256 of the unchanged file in hexadecimal digits. It includes a dropout that is not
   * applied.
   */
  public String fingerprint() {
    return fingerprint;
  }

  /** The largest id that a text may have, in the vocabulary or in the added tokens. */
  int largestId() {
    return largestId;
  }

  /**
   * A token of the vocabulary or of the added tokens.
   *
   * @param added whether it is an added token, which is matched in texts before all others
   */
  public record Token(int id, boolean added) {}

  /** Returns a token by its text; null if there is none. */
  public Token token(String token) {
    JsonNode tokenizer;
    try {
      tokenizer = MAPPER.readTree(json);
    } catch (IOException e) {
      throw new IllegalStateException(PARSED, e);
    }
    for (JsonNode added : tokenizer.path("added_tokens")) {
      if (added.path("content").asText().equals(token)) {
        return new Token(added.path("id").intValue(), true);
      }
    }
    JsonNode vocab = tokenizer.path("model").path("vocab");
    if (!vocab.isArray()) {
      return vocab.has(token) ? new Token(vocab.get(token).intValue(), false) : null;
    }
    for (int i = 0; i < vocab.size(); i++) {
      if (vocab.path(i).path(0).asText().equals(token)) {
        return new Token(i, false);
      }
    }
    return null;
  }

  /** Whether texts may be split at {@link SplitPoints}. */
  boolean splittable() {
    return splittable;
  }

  /** The file's text. */
  public String json() {
    return new String(json, StandardCharsets.UTF_8);
  }

  /** The file's text without dropout, as it is passed to the library. */
  String deterministicJson() {
    if (!dropout) {
      return json();
    }
    try {
      JsonNode tokenizer = MAPPER.readTree(json);
      ((ObjectNode) tokenizer.get("model")).putNull(DROPOUT);
      // Escapes keep a text that is not valid Unicode, so that the library refuses it as usual.
      return MAPPER.writer().with(JsonWriteFeature.ESCAPE_NON_ASCII).writeValueAsString(tokenizer);
    } catch (IOException e) {
      throw new IllegalStateException(PARSED, e);
    }
  }

  /**
   * Validates that the model has an embedding row for each id. The model may have more rows,
   * because vocabularies are padded.
   *
   * @param vocabSize rows of the model's embedding
   * @throws Refusal if an id has no row
   */
  public void checkFits(String modelName, int vocabSize) {
    if (largestId >= vocabSize) {
      throw Refusal.wrongUsage(
          "Tokenizer %s does not fit model %s: its largest id is %d, but the model's embedding has"
              + " %d rows; use the tokenizer that the model was trained with",
          name, modelName, largestId, vocabSize);
    }
  }

  /**
   * Returns the tokenizer of this JVM for this file. The first call creates it; all tasks share it.
   *
   * @param localFolder the folder into which the native library is unpacked during loading; created
   *     if it does not exist
   * @throws Refusal if the library cannot be loaded or refuses the file
   */
  public Tokenizer tokenizer(Path localFolder) {
    return Tokenizer.of(this, localFolder);
  }
}
