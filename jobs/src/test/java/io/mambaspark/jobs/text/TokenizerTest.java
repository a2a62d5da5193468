package io.mambaspark.jobs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.JsonNode;
import com.fasterxml.jackson.databind.node.ArrayNode;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.Refusal;
import java.math.BigDecimal;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.security.MessageDigest;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TokenizerTest {
  private final Tokenizer tokenizer = DemoTokenizer.tokenizer();

  @Test
  void ids_of_the_demo_s_texts_equal_those_in_its_corpus() {
    int compared = 0;
    for (JsonNode row : DemoTokenizer.corpus()) {
      if (row.path("kind").asText().equals("real")) {
        assertThat(tokenizer.encode(row.path("text").asText()))
            .as(row.path("id").asText())
            .containsExactly(DemoTokenizer.ints(row.path("tokens")));
        compared++;
      }
    }
    assertThat(compared).isGreaterThan(100);
  }

  /** The Python package tokenizers 0.23.3 has written tricky.jsonl. */
  @Test
  void ids_of_tricky_texts_equal_python_s() throws Exception {
    for (JsonNode row : DemoTokenizer.lines(getClass().getResourceAsStream("tricky.jsonl"))) {
      int[] ids = tokenizer.encode(row.path("text").asText().repeat(row.path("times").intValue()));
      assertThat(ids).as(row.toString()).hasSize(row.path("count").intValue());
      if (row.has("ids")) {
        assertThat(ids).as(row.toString()).containsExactly(DemoTokenizer.ints(row.path("ids")));
      } else {
        String list = Arrays.stream(ids).mapToObj(String::valueOf).collect(Collectors.joining(","));
        byte[] digest =
            MessageDigest.getInstance("SHA-256").digest(list.getBytes(StandardCharsets.UTF_8));
        assertThat(HexFormat.of().formatHex(digest)).isEqualTo(row.path("sha256").asText());
      }
    }
  }

  /** A token of the demo's byte-level tokenizer has one character for each byte. */
  @Test
  void a_token_starts_at_the_character_of_its_first_byte() {
    Map<Integer, String> tokens = new HashMap<>();
    DemoTokenizer.with(
        json ->
            json.at("/model/vocab")
                .properties()
                .forEach(entry -> tokens.put(entry.getValue().intValue(), entry.getKey())));
    String[] parts = {
      "It ", "was", " é", "😀", "\n", " ", "\r\n", "日本", "\u0301", "the best ", "0"
    };
    long seed = 2100;
    Random random = new Random(seed);
    for (int i = 0; i < 300; i++) {
      StringBuilder text = new StringBuilder();
      random.ints(i, 0, parts.length).forEach(part -> text.append(parts[part]));
      byte[] utf8 = text.toString().getBytes(StandardCharsets.UTF_8);
      int[] ids = tokenizer.encode(text.toString());
      int[] starts = new int[ids.length];
      int at = 0;
      for (int t = 0; t < ids.length; t++) {
        starts[t] = at;
        while (starts[t] < utf8.length && (utf8[starts[t]] & 0xC0) == 0x80) {
          starts[t]--;
        }
        at += tokens.get(ids[t]).length();
      }
      assertThat(at).isEqualTo(utf8.length);
      for (int length : new int[] {1, 7, 4096}) {
        Tokenizer.Located located = tokenizer.locate(text.toString(), length);
        assertThat(located.ids()).as("seed %d, text %d", seed, i).containsExactly(ids);
        assertThat(located.starts()).as("seed %d, text %d", seed, i).containsExactly(starts);
      }
    }
  }

  @Test
  void starts_count_the_bytes_of_the_text_before_its_normalization() {
    Tokenizer nfc =
        DemoTokenizer.with(
                json ->
                    json.set(
                        "normalizer", DemoTokenizer.JSON.createObjectNode().put("type", "NFC")))
            .tokenizer(DemoTokenizer.FOLDER);
    // An e and an acute accent of 3 bytes become one character of 2 bytes.
    Tokenizer.Located located = nfc.locate("e\u0301\ne\u0301");
    assertThat(located.ids()).containsExactly(tokenizer.encode("é\né"));
    assertThat(located.starts()[0]).isZero();
    assertThat(located.starts()).contains(3, 4).doesNotContain(2, 5);
  }

  @Test
  void half_a_surrogate_pair_is_refused_with_its_position() {
    assertThatThrownBy(() -> tokenizer.encode("😀 a\ud83d b"))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessage("Text has half a surrogate pair, U+D83D, at position 4; expected Unicode");
    assertThatThrownBy(() -> tokenizer.encode("\ude00")).hasMessageContaining("at position 0");
    assertThatThrownBy(() -> tokenizer.encode("a\ud83d")).hasMessageContaining("at position 1");
  }

  @Test
  void settings_for_truncation_padding_and_special_tokens_are_ignored() throws Exception {
    JsonNode truncation =
        DemoTokenizer.JSON.readTree(
            "{\"direction\":\"Right\",\"max_length\":3,\"strategy\":\"LongestFirst\",\"stride\":0}");
    JsonNode padding =
        DemoTokenizer.JSON.readTree(
            "{\"strategy\":{\"Fixed\":64},\"direction\":\"Left\",\"pad_to_multiple_of\":8,"
                + "\"pad_id\":0,\"pad_type_id\":0,\"pad_token\":\"<|endoftext|>\"}");
    JsonNode postProcessor =
        DemoTokenizer.JSON.readTree(
            "{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
                + "\"<|endoftext|>\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],"
                + "\"pair\":[{\"Sequence\":{\"id\":\"A\",\"type_id\":0}},{\"Sequence\":{\"id\":"
                + "\"B\",\"type_id\":1}}],\"special_tokens\":{\"<|endoftext|>\":{\"id\":"
                + "\"<|endoftext|>\",\"ids\":[0],\"tokens\":[\"<|endoftext|>\"]}}}");
    Tokenizer changed =
        DemoTokenizer.with(
                file ->
                    file.<ObjectNode>set("truncation", truncation)
                        .<ObjectNode>set("padding", padding)
                        .set("post_processor", postProcessor))
            .tokenizer(DemoTokenizer.FOLDER);
    String text = "It was the best of times, it was the worst of times.";
    assertThat(changed.encode(text)).containsExactly(tokenizer.encode(text)).hasSizeGreaterThan(8);
    assertThat(changed.encode("")).isEmpty();
  }

  @ParameterizedTest
  @ValueSource(strings = {"0.5", "1.0", "1", "1e-3"})
  void dropout_is_not_applied(String dropout) throws Exception {
    TokenizerFile file =
        DemoTokenizer.with(
            json -> ((ObjectNode) json.get("model")).put("dropout", new BigDecimal(dropout)));
    Tokenizer changed = file.tokenizer(DemoTokenizer.FOLDER);
    String text = "It was the best of times, it was the worst of times.";
    for (int i = 0; i < 20; i++) {
      assertThat(changed.encode(text)).containsExactly(tokenizer.encode(text));
    }
    // The file's text is unchanged.
    assertThat(DemoTokenizer.JSON.readTree(file.json()).at("/model/dropout").decimalValue())
        .isEqualByComparingTo(dropout);
    assertThat(file.fingerprint())
        .isNotEqualTo(TokenizerFile.parse("demo", DemoTokenizer.json()).fingerprint());
  }

  @Test
  void dropout_of_an_old_file_without_types_is_not_applied() throws Exception {
    TokenizerFile file =
        DemoTokenizer.with(
            json -> ((ObjectNode) json.get("model")).put("dropout", 0.5).remove("type"));
    String text = "It was the best of times, it was the worst of times.";
    assertThat(file.tokenizer(DemoTokenizer.FOLDER).encode(text))
        .containsExactly(tokenizer.encode(text));
  }

  @Test
  void the_library_refuses_a_dropout_that_is_not_a_probability() {
    TokenizerFile file =
        DemoTokenizer.with(json -> ((ObjectNode) json.get("model")).put("dropout", 1.5));
    assertThatThrownBy(() -> file.tokenizer(DemoTokenizer.FOLDER))
        .isInstanceOf(Refusal.class)
        .hasMessageContaining("Dropout should be between 0 and 1");
  }

  @Test
  void a_jvm_creates_one_tokenizer_per_file() {
    assertThat(DemoTokenizer.tokenizer()).isSameAs(tokenizer);
    assertThat(TokenizerFile.parse("other name", DemoTokenizer.json()).tokenizer(Path.of("x")))
        .isSameAs(tokenizer);
  }

  @Test
  void concurrent_threads_get_the_same_ids() throws Exception {
    List<String> texts =
        DemoTokenizer.corpus().stream().limit(200).map(row -> row.path("text").asText()).toList();
    List<int[]> alone = texts.stream().map(tokenizer::encode).toList();
    Tokenizer fresh =
        DemoTokenizer.with(
                file -> ((ObjectNode) file.path("pre_tokenizer")).put("trim_offsets", false))
            .tokenizer(DemoTokenizer.FOLDER);
    ExecutorService threads = Executors.newFixedThreadPool(8);
    try {
      Callable<List<int[]>> all = () -> texts.stream().map(fresh::encode).toList();
      for (Future<List<int[]>> found :
          threads.invokeAll(Stream.generate(() -> all).limit(16).toList())) {
        for (int i = 0; i < texts.size(); i++) {
          assertThat(found.get().get(i)).containsExactly(alone.get(i));
        }
      }
    } finally {
      threads.shutdownNow();
    }
  }

  @Test
  void a_text_of_ten_megabytes_has_the_ids_of_its_parts() {
    // Each part ends with a line feed and the next part begins with a visible character, so
    // encoding the parts separately does not change the ids.
    String part = "Chapter\n" + DemoTokenizer.prose().strip() + "\n\n.";
    int[] ids = tokenizer.encode(part);
    String text = (part + "\n").repeat(1 + 10_000_000 / part.length());
    int[] lineFeed = tokenizer.encode("\n");
    int[] all = tokenizer.encode(text);
    int period = ids.length + 1;
    assertThat(lineFeed).hasSize(1);
    assertThat(all.length % period).isZero();
    for (int i = 0; i < all.length; i++) {
      int expected = i % period == ids.length ? lineFeed[0] : ids[i % period];
      if (all[i] != expected) {
        assertThat(all[i]).as("id %d", i).isEqualTo(expected);
      }
    }
  }

  @Test
  void split_texts_have_the_ids_of_the_complete_text() {
    TokenizerFile neoX =
        DemoTokenizer.with(
            file -> {
              file.putObject("normalizer").put("type", "NFC");
              for (int spaces = 2; spaces < 9; spaces++) {
                added(file, 4094 + spaces, " ".repeat(spaces));
              }
            });
    assertThat(neoX.splittable()).isTrue();
    List<Tokenizer> tokenizers = List.of(tokenizer, neoX.tokenizer(DemoTokenizer.FOLDER));
    String[] material =
        (" |  |    |\n|\n\n|\r\n|\t|\u000b|\u001c|\u0085|\u00a0|\u2003|\u3000|\u200b|a|'s|'|'ll|it|I've"
                + "|1|23|٣|½|.|...|--|é|e\u0301|\u0301|\u0327|\u0958|\u212b|ḍ\u0307|가|ᄀ|ᅡ|今日|。|😀|\0|\u1fef"
                + "|<|endoftext|>|<e|Привет|שלום|\ufeff|word")
            .split("\\|");
    for (long seed = 0; seed < 300; seed++) {
      Random random = new Random(seed);
      String text =
          IntStream.range(0, 1 + random.nextInt(120))
              .mapToObj(i -> material[random.nextInt(material.length)])
              .map(piece -> random.nextInt(40) == 0 ? "<|endoftext|>" : piece)
              .collect(Collectors.joining());
      for (Tokenizer each : tokenizers) {
        int[] complete = each.encode(text, text.length());
        for (int length : new int[] {1, 2, 7, 31}) {
          assertThat(each.encode(text, length)).as("seed %d", seed).containsExactly(complete);
        }
      }
    }
    String prose = DemoTokenizer.prose().substring(0, 100_000);
    assertThat(tokenizer.encode(prose, 1)).containsExactly(tokenizer.encode(prose, 100_000));
  }

  @Test
  void texts_are_not_split_if_a_step_of_the_tokenizer_may_cross_the_position() {
    assertThat(DemoTokenizer.with(file -> {}).splittable()).isTrue();
    assertThat(DemoTokenizer.with(file -> added(file, 4096, "a b")).splittable()).isFalse();
    assertThat(DemoTokenizer.with(file -> added(file, 4096, "a").put("lstrip", true)).splittable())
        .isFalse();
    assertThat(DemoTokenizer.with(file -> added(file, 4096, "a").put("rstrip", true)).splittable())
        .isFalse();
    assertThat(
            DemoTokenizer.with(file -> added(file, 4096, "a").put("single_word", true))
                .splittable())
        .isFalse();
    assertThat(
            DemoTokenizer.with(file -> file.putObject("normalizer").put("type", "NFKC"))
                .splittable())
        .isFalse();
    for (String change :
        List.of("add_prefix_space:true", "use_regex:false", "type:\"Metaspace\"")) {
      String[] setting = change.split(":");
      assertThat(
              DemoTokenizer.with(
                      file ->
                          ((ObjectNode) file.path("pre_tokenizer"))
                              .set(setting[0], DemoTokenizer.JSON.valueToTree(value(setting[1]))))
                  .splittable())
          .as(change)
          .isFalse();
    }
  }

  private static Object value(String json) {
    return switch (json) {
      case "true" -> true;
      case "false" -> false;
      default -> json.replace("\"", "");
    };
  }

  private static ObjectNode added(ObjectNode file, int id, String content) {
    return ((ArrayNode) file.path("added_tokens"))
        .addObject()
        .put("id", id)
        .put("content", content)
        .put("single_word", false)
        .put("lstrip", false)
        .put("rstrip", false)
        .put("normalized", true)
        .put("special", false);
  }

  @Test
  void an_error_that_only_the_library_finds_is_reported_in_one_line() {
    TokenizerFile wrong =
        DemoTokenizer.with(file -> file.putObject("pre_tokenizer").put("type", "Nonsense"));
    assertThatThrownBy(() -> wrong.tokenizer(DemoTokenizer.FOLDER))
        .isInstanceOf(Refusal.class)
        .hasMessageStartingWith(
            "Cannot use tokenizer changed: Hugging Face's tokenizers library refuses it: ")
        .hasMessageNotContaining("\n");
  }
}
