package io.mambaspark.jobs.text;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.Refusal;
import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import org.junit.jupiter.api.Test;

class TokenizerFileTest {
  private static final String EXPECTED =
      "; expected the tokenizer.json of Hugging Face's tokenizers";

  private static String refusal(String json) {
    return refusal("t.json", json.getBytes(StandardCharsets.UTF_8));
  }

  private static String refusal(String name, byte[] bytes) {
    try {
      TokenizerFile.parse(name, bytes);
    } catch (Refusal e) {
      assertThat(e.isWrongUsage()).isFalse();
      assertThat(e.getMessage()).startsWith("Cannot read tokenizer " + name + ": ");
      assertThat(e.getMessage()).contains(EXPECTED).doesNotContain("\n");
      return e.getMessage().substring(("Cannot read tokenizer " + name + ": ").length());
    }
    throw new AssertionError("the file was not refused");
  }

  @Test
  void the_demo_s_tokenizer_is_accepted() {
    TokenizerFile file = TokenizerFile.parse("demo", DemoTokenizer.json());
    assertThat(file.largestId()).isEqualTo(4092);
    assertThat(file.fingerprint()).matches("[0-9a-f]{64}");
    assertThat(file.name()).isEqualTo("demo");
  }

  @Test
  void a_tokenizer_file_can_be_serialized() throws Exception {
    TokenizerFile file = TokenizerFile.parse("demo", DemoTokenizer.json());
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    try (ObjectOutputStream out = new ObjectOutputStream(bytes)) {
      out.writeObject(file);
    }
    try (ObjectInputStream in =
        new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()))) {
      TokenizerFile copy = (TokenizerFile) in.readObject();
      assertThat(copy.fingerprint()).isEqualTo(file.fingerprint());
      assertThat(copy.tokenizer(DemoTokenizer.FOLDER)).isSameAs(DemoTokenizer.tokenizer());
    }
  }

  @Test
  void the_largest_id_includes_added_tokens_and_positions_in_a_list() {
    assertThat(largest("{\"model\":{\"type\":\"WordLevel\",\"vocab\":{\"a\":7,\"b\":3}}}"))
        .isEqualTo(7);
    assertThat(largest("{\"model\":{\"vocab\":{\"a\":7}},\"added_tokens\":[{\"id\":9}]}"))
        .isEqualTo(9);
    assertThat(largest("{\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",0],[\"b\",-1]]}}"))
        .isEqualTo(1);
    assertThat(largest("{\"model\":{\"vocab\":[[\"a\",0.0]]},\"added_tokens\":null}")).isZero();
  }

  private static int largest(String json) {
    return TokenizerFile.parse("t", json.getBytes(StandardCharsets.UTF_8)).largestId();
  }

  @Test
  void each_id_requires_an_embedding_row() {
    TokenizerFile file = TokenizerFile.parse("a/tokenizer.json", DemoTokenizer.json());
    assertThatCode(() -> file.checkFits("m", 4093)).doesNotThrowAnyException();
    assertThatCode(() -> file.checkFits("m", 50280)).doesNotThrowAnyException();
    assertThatThrownBy(() -> file.checkFits("b/model", 4092))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Tokenizer a/tokenizer.json does not fit model b/model: its largest id is 4092, but the"
                + " model's embedding has 4092 rows; use the tokenizer that the model was trained"
                + " with");
  }

  @Test
  void a_file_that_is_not_json_is_refused() {
    assertThat(refusal("")).isEqualTo("the file is empty" + EXPECTED);
    assertThat(refusal("hello"))
        .isEqualTo("not JSON: Unrecognized token 'hello' (line 1, column 1)" + EXPECTED);
    assertThat(refusal("\ufeff{}")).startsWith("not JSON: ");
    assertThat(refusal("{} {}")).startsWith("not JSON: ");
    byte[] truncated = Arrays.copyOf(DemoTokenizer.json(), 100_000);
    assertThat(refusal("truncated.json", truncated))
        .startsWith("not JSON: Unexpected end-of-input");
    assertThat(refusal("b", new byte[] {'{', (byte) 0xFF}))
        .startsWith("not JSON: byte 1 is not UTF-8;");
    assertThat(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:12\n"))
        .endsWith(". This is a Git LFS pointer: fetch the file itself with git lfs pull");
  }

  @Test
  void a_sentencepiece_model_is_recognized() {
    byte[] piece =
        "\n\u000e\n\u0005<unk>\u0015\0\0\0\0\u0018\u0002".getBytes(StandardCharsets.UTF_8);
    assertThat(refusal("spiece", piece))
        .endsWith(
            ". A SentencePiece model can be converted: in Python, save_pretrained of its fast"
                + " tokenizer writes a tokenizer.json");
    assertThat(refusal("tokenizer.model", new byte[] {1, 2})).contains("A SentencePiece model");
  }

  @Test
  void json_that_is_not_a_tokenizer_is_refused() {
    assertThat(refusal("[1, 2]")).isEqualTo("its JSON is not an object" + EXPECTED);
    assertThat(refusal("null")).isEqualTo("its JSON is not an object" + EXPECTED);
    assertThat(refusal("{}")).isEqualTo("it has no model.vocab" + EXPECTED);
    assertThat(refusal("{\"model\":{\"vocab\":5}}")).startsWith("it has no model.vocab");
    assertThat(refusal("{\"tokenizer_class\":\"GPTNeoXTokenizer\"}"))
        .endsWith("This is a tokenizer_config.json: use the tokenizer.json in its folder");
    assertThat(refusal("{\"model_type\":\"mamba\"}")).contains("This is a model's config.json");
    assertThat(refusal("{\"a\":0,\"b\":1}"))
        .endsWith(
            ". This is a vocab.json: in Python, save_pretrained of the fast tokenizer writes a"
                + " tokenizer.json");
    assertThat(refusal("{\"model\":{\"type\":\"BPE\",\"vocab\":{}}}"))
        .startsWith("its vocabulary is empty");
    assertThat(refusal("{\"model\":{\"type\":\"Magic\",\"vocab\":{}}}"))
        .startsWith("its model.type is Magic, not BPE, WordPiece, WordLevel or Unigram;");
    assertThat(refusal("{\"model\":{\"type\":\"BPE\",\"vocab\":[]}}"))
        .startsWith("its model.vocab is a list, but the vocabulary of BPE is an object;");
    assertThat(refusal("{\"model\":{\"type\":\"Unigram\",\"vocab\":{}}}"))
        .startsWith("its model.vocab is an object, but the vocabulary of Unigram is a list;");
    assertThat(refusal("{\"model\":{\"vocab\":{\"a\":0}},\"added_tokens\":[{\"content\":\"b\"}]}"))
        .startsWith("token \"b\" has no id;");
    for (String id : new String[] {"-1", "1.5", "\"1\"", "2147483648", "null"}) {
      assertThat(refusal("{\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":" + id + "}}}"))
          .startsWith("token \"a\" has the id " + id + ";");
    }
  }
}
