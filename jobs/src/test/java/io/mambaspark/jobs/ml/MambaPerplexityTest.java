package io.mambaspark.jobs.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.node.ObjectNode;
import io.mambaspark.jobs.MambaScorer;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.TestSpark;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.attribute.FileTime;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.apache.spark.ml.Pipeline;
import org.apache.spark.ml.PipelineModel;
import org.apache.spark.ml.PipelineStage;
import org.apache.spark.ml.feature.SQLTransformer;
import org.apache.spark.ml.param.ParamMap;
import org.apache.spark.sql.Dataset;
import org.apache.spark.sql.Row;
import org.apache.spark.sql.RowFactory;
import org.apache.spark.sql.SparkSession;
import org.apache.spark.sql.types.StructType;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class MambaPerplexityTest {
  private static final Path DEMO =
      Path.of("src/main/resources/io/mambaspark/jobs/demo/tiny-books").toAbsolutePath();

  @TempDir Path folder;

  private static Dataset<Row> texts() {
    SparkSession spark = SparkSession.builder().master("local[2]").getOrCreate();
    return spark.createDataFrame(
        List.of(
            RowFactory.create("a", "It was the best of times, it was the worst of times."),
            RowFactory.create("b", "times worst the was it times best of the of It was."),
            RowFactory.create("c", "")),
        new StructType().add("id", "string").add("text", "string"));
  }

  @BeforeAll
  static void startSession() {
    TestSpark.session();
  }

  @Test
  void a_stage_adds_the_same_scores_as_a_scorer_and_keeps_all_columns() {
    MambaPerplexity stage =
        new MambaPerplexity()
            .setModel("demo")
            .setTextColumn("text")
            .setPrefixToken("bos")
            .setWindow("rolling")
            .setWindowTokens(16)
            .setEmit("entropy,min-k=20,min-k-plus-plus=20,curvature,longest-greedy-run");
    Dataset<Row> scored = stage.transform(texts());
    try (MambaScorer scorer =
        MambaScorer.load("demo")
            .textColumn("text")
            .prefixToken("bos")
            .window("rolling", 16, null)
            .emit("entropy,min-k=20,min-k-plus-plus=20,curvature,longest-greedy-run")) {
      assertThat(scored.collectAsList()).isEqualTo(scorer.score(texts()).collectAsList());
    }
    assertThat(scored.columns()).startsWith("id", "text", "nll");
    assertThat(scored.columns()).contains("min_k", "curvature", "longest_greedy_run");
    assertThat(stage.transformSchema(texts().schema()).fieldNames()).isEqualTo(scored.columns());
  }

  @Test
  void a_pipeline_with_a_stage_is_saved_and_loaded() throws IOException {
    MambaPerplexity stage = new MambaPerplexity().setModel(DEMO.toString()).setTextColumn("text");
    SQLTransformer best =
        new SQLTransformer().setStatement("SELECT id, perplexity FROM __THIS__ WHERE nll > 0");
    PipelineModel fitted = new Pipeline().setStages(new PipelineStage[] {stage, best}).fit(texts());
    List<Row> expected = fitted.transform(texts()).collectAsList();
    assertThat(expected).hasSize(2);
    assertThat(expected.get(0).getDouble(1)).isLessThan(expected.get(1).getDouble(1));

    Path saved = folder.resolve("pipeline");
    fitted.save(saved.toString());

    PipelineModel loaded = PipelineModel.load(saved.toString());
    assertThat(loaded.transform(texts()).collectAsList()).isEqualTo(expected);
    MambaPerplexity again = (MambaPerplexity) loaded.stages()[0];
    assertThat(again.uid()).isEqualTo(stage.uid());
    assertThat(again.getOrDefault(again.fingerprint())).matches("[0-9a-f]{64}");
    // The saved stage names the model and does not contain it.
    try (var files = Files.walk(saved)) {
      assertThat(files.filter(Files::isRegularFile).mapToLong(f -> f.toFile().length()).sum())
          .isLessThan(100_000);
    }
  }

  @Test
  void a_different_model_at_the_saved_path_is_refused() throws IOException {
    Path model = model("model");
    MambaPerplexity stage = new MambaPerplexity().setModel(model.toString()).setTextColumn("text");
    Path saved = folder.resolve("stage");
    stage.save(saved.toString());
    MambaPerplexity loaded = MambaPerplexity.load(saved.toString());
    assertThat(loaded.transform(texts()).count()).isEqualTo(3);
    change(model.resolve("model.safetensors"));
    assertThatThrownBy(() -> loaded.transform(texts()))
        .isInstanceOf(Refusal.class)
        .hasMessageStartingWith(
            "Model " + model + " is not the model that stage " + stage.uid() + " was saved with: ");
    assertThat(stage.transform(texts()).count()).isEqualTo(3);
  }

  /** A copy of the demo's model. */
  private Path model(String name) throws IOException {
    Path model = Files.createDirectory(folder.resolve(name));
    for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
      Files.copy(DEMO.resolve(file), model.resolve(file));
    }
    return model;
  }

  /** Changes a checkpoint as training would: replaces the file by a new one with other weights. */
  private static void change(Path weights) throws IOException {
    byte[] bytes = Files.readAllBytes(weights);
    bytes[bytes.length - 4] ^= 1;
    Path other = Files.write(weights.resolveSibling("other"), bytes);
    Files.setLastModifiedTime(other, FileTime.fromMillis(System.currentTimeMillis() + 5_000));
    Files.move(other, weights, StandardCopyOption.REPLACE_EXISTING);
  }

  private static void delete(Path folder) throws IOException {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    }
  }

  private static List<String> names(Path folder) throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      return files
          .map(file -> file.getFileName().toString())
          .filter(name -> !name.startsWith("."))
          .sorted()
          .toList();
    }
  }

  private static MambaPerplexity stageWithModel(String model) {
    return new MambaPerplexity().setModel(model).setTextColumn("text").setSaveModel(true);
  }

  private static List<Row> scores(MambaPerplexity stage) {
    return stage.transform(texts()).collectAsList();
  }

  /** The scores of {@link #DEMO}. */
  private static List<Row> scores() {
    return scores(new MambaPerplexity().setModel(DEMO.toString()).setTextColumn("text"));
  }

  @Test
  void a_stage_saved_with_its_model_loads_after_a_move_and_without_the_original_model()
      throws IOException {
    Path model = model("model");
    MambaPerplexity stage = stageWithModel(model.toString());
    stage.save(folder.resolve("saved").toString());
    assertThat(stage.getOrDefault(stage.model())).isEqualTo(model.toString());
    assertThat(stage.isSet(stage.fingerprint())).isFalse();

    delete(model);
    Path moved = Files.move(folder.resolve("saved"), folder.resolve("moved to a place"));
    assertThat(names(moved.resolve("model")))
        .containsExactly("config.json", "model.safetensors", "tokenizer.json");
    MambaPerplexity loaded = MambaPerplexity.load(moved.toString());
    assertThat(loaded.getOrDefault(loaded.model())).isEqualTo("file:" + moved.resolve("model"));
    assertThat(loaded.getOrDefault(loaded.fingerprint())).matches("[0-9a-f]{64}");
    assertThat(scores(loaded)).isEqualTo(scores());

    loaded.save(folder.resolve("again").toString());
    delete(moved);
    assertThat(scores(MambaPerplexity.load(folder.resolve("again").toString())))
        .isEqualTo(scores());
  }

  @ParameterizedTest
  @ValueSource(strings = {"stage [v1]", "a*b?{c}%20#ä\\x"})
  void a_stage_is_saved_and_loaded_with_its_model_under_any_folder_name(String name)
      throws IOException {
    // Folders that the names would match as globs.
    for (String other : List.of("stage v", "aXbYc #äx")) {
      Files.writeString(
          Files.createDirectories(folder.resolve(other + "/metadata")).resolve("p"), "x");
    }
    Path model = model("model " + name);
    Path saved = folder.resolve(name);
    stageWithModel(model.toString()).save(saved.toString());
    delete(model);

    MambaPerplexity loaded = MambaPerplexity.load(saved.toString());

    assertThat(loaded.getOrDefault(loaded.model())).isEqualTo("file:" + saved.resolve("model"));
    assertThat(scores(loaded)).isEqualTo(scores());
  }

  @Test
  void a_sharded_model_is_saved_without_unrelated_files_of_its_folder() throws IOException {
    Path model = model("model");
    Path shard = model.resolve("model-00001-of-00001.safetensors");
    Files.move(model.resolve("model.safetensors"), shard);
    ByteBuffer bytes = ByteBuffer.wrap(Files.readAllBytes(shard)).order(ByteOrder.LITTLE_ENDIAN);
    byte[] header = new byte[(int) bytes.getLong()];
    bytes.get(header);
    Map<String, String> shards = new HashMap<>();
    new ObjectMapper()
        .readTree(header)
        .fieldNames()
        .forEachRemaining(name -> shards.put(name, shard.getFileName().toString()));
    shards.remove("__metadata__");
    Path index = model.resolve("model.safetensors.index.json");
    new ObjectMapper().writeValue(index.toFile(), Map.of("weight_map", shards));
    for (String stray : List.of("pytorch_model.bin", "README.md")) {
      Files.writeString(model.resolve(stray), "x");
    }

    stageWithModel(model.toString()).save(folder.resolve("saved").toString());
    assertThat(names(folder.resolve("saved/model")))
        .containsExactly(
            "config.json",
            shard.getFileName().toString(),
            index.getFileName().toString(),
            "tokenizer.json");
    assertThat(scores(MambaPerplexity.load(folder.resolve("saved").toString())))
        .isEqualTo(scores());
  }

  @Test
  void the_tokenizer_of_the_stage_is_saved_instead_of_that_of_the_model() throws IOException {
    Path model = model("model");
    String own = Files.readString(model.resolve("tokenizer.json"));
    Files.writeString(model.resolve("tokenizer.json"), "{}");
    Path tokenizer = Files.writeString(folder.resolve("other.json"), own + "\n");
    MambaPerplexity stage = stageWithModel(model.toString()).setTokenizer(tokenizer.toString());
    stage.save(folder.resolve("saved").toString());

    Files.delete(tokenizer);
    assertThat(folder.resolve("saved/model/tokenizer.json")).hasContent(own + "\n");
    MambaPerplexity loaded = MambaPerplexity.load(folder.resolve("saved").toString());
    assertThat(loaded.isSet(loaded.tokenizer())).isFalse();
    assertThat(scores(loaded)).isEqualTo(scores());

    MambaPerplexity none = stageWithModel(model.toString()).setTokenizer("/no/such.json");
    assertThatThrownBy(() -> none.save(folder.resolve("none").toString()))
        .hasMessageStartingWith("Cannot open tokenizer /no/such.json: no such file");
  }

  @Test
  void special_tokens_and_the_tokenizers_settings_are_saved_with_the_stage() throws IOException {
    Path model = model("model");
    Path tokenizer = model.resolve("tokenizer.json");
    String template =
        "{'type': 'TemplateProcessing', 'pair': [], 'single': [{'SpecialToken': {'id': 'A', 'type_id':"
            + " 0}}, {'Sequence': {'id': 'A', 'type_id': 0}}], 'special_tokens': {'A': {'id': 'A',"
            + " 'ids': [33], 'tokens': ['A']}}}";
    ObjectNode json = (ObjectNode) new ObjectMapper().readTree(Files.readAllBytes(tokenizer));
    json.set("post_processor", new ObjectMapper().readTree(template.replace('\'', '"')));
    Files.write(tokenizer, new ObjectMapper().writeValueAsBytes(json));
    Files.writeString(model.resolve("tokenizer_config.json"), "{\"bos_token\": \"B\"}");
    MambaPerplexity stage =
        stageWithModel(model.toString()).setAddSpecialTokens(true).setPrefixToken("bos");
    List<Row> scores = scores(stage);
    assertThat(scores).isNotEqualTo(scores(stageWithModel(model.toString()).setPrefixToken("bos")));
    stage.save(folder.resolve("saved").toString());
    delete(model);
    assertThat(folder.resolve("saved/model/tokenizer_config.json")).exists();
    assertThat(scores(MambaPerplexity.load(folder.resolve("saved").toString()))).isEqualTo(scores);
  }

  @Test
  void pairs_have_the_scores_of_a_scorer() {
    Dataset<Row> pairs =
        texts().selectExpr("substring(text, 1, 60) AS context", "substring(text, 61, 9) AS choice");
    try (MambaScorer scorer = MambaScorer.load("demo")) {
      assertThat(
              new MambaPerplexity()
                  .setModel("demo")
                  .setContextColumn("context")
                  .setContinuationColumn("choice")
                  .setMaxLength(8)
                  .transform(pairs)
                  .collectAsList())
          .isEqualTo(
              scorer
                  .contextAndContinuationColumns("context", "choice")
                  .maxLength(8)
                  .score(pairs)
                  .collectAsList());
    }
  }

  @Test
  void a_changed_or_missing_model_of_a_saved_stage_is_refused_on_loading() throws IOException {
    Path saved = folder.resolve("saved");
    stageWithModel("demo").save(saved.toString());
    change(saved.resolve("model/model.safetensors"));
    assertThatThrownBy(() -> MambaPerplexity.load(saved.toString()))
        .isInstanceOf(Refusal.class)
        .hasMessageStartingWith("Model file:" + saved.resolve("model") + " is not the model that ");
    delete(saved.resolve("model"));
    Path moved = Files.move(saved, folder.resolve("without"));
    assertThatThrownBy(() -> MambaPerplexity.load(moved.toString()))
        .hasMessage("Cannot open model file:%s/model: no such folder", moved);
  }

  @Test
  void an_existing_path_is_refused_before_anything_is_copied_unless_it_is_overwritten()
      throws IOException {
    Path saved = Files.createDirectory(folder.resolve("saved"));
    Files.writeString(saved.resolve("mine"), "x");
    assertThatThrownBy(() -> stageWithModel("demo").save(saved.toString()))
        .isInstanceOf(IOException.class)
        .hasMessageStartingWith("Path " + saved + " already exists; ");
    assertThat(names(saved)).containsExactly("mine");
    stageWithModel("demo").write().overwrite().save(saved.toString());
    assertThat(names(saved)).containsExactly("metadata", "model");
  }

  @Test
  void a_loaded_stage_may_overwrite_its_own_folder() throws IOException {
    String saved = folder.resolve("saved").toString();
    stageWithModel("demo").save(saved);
    MambaPerplexity loaded = MambaPerplexity.load(saved);
    assertThatThrownBy(
            () -> loaded.copy(new ParamMap()).setSaveModel(false).write().overwrite().save(saved))
        .isInstanceOf(Refusal.class)
        .hasMessage(
            "Cannot save stage %s to %s: that folder contains the stage's model, which would be"
                + " deleted; set saveModel, or choose another path",
            loaded.uid(), saved);
    assertThat(names(folder.resolve("saved"))).containsExactly("metadata", "model");

    loaded.setOnError("fail").write().overwrite().save(saved);
    MambaPerplexity again = MambaPerplexity.load(saved);
    assertThat(again.getOrDefault(again.onError())).isEqualTo("fail");
    assertThat(scores(again)).isEqualTo(scores());
  }

  @Test
  void a_loaded_pipeline_may_overwrite_its_own_folder() throws IOException {
    Path saved = folder.resolve("pipeline");
    new Pipeline()
        .setStages(new PipelineStage[] {stageWithModel("demo")})
        .fit(texts())
        .save(saved.toString());
    // Spark deletes the folder before it calls the writer of the stage, which was not used yet.
    PipelineModel.load(saved.toString()).write().overwrite().save(saved.toString());

    Path moved = Files.move(saved, folder.resolve("moved"));
    PipelineModel loaded = PipelineModel.load(moved.toString());
    assertThat(loaded.transform(texts()).collectAsList()).isEqualTo(scores());
    assertThat(Pipeline.load(pipeline(loaded)).getStages()).hasSize(1);
  }

  /** Saves the first stage as a pipeline that is not fitted, and returns the path. */
  private String pipeline(PipelineModel fitted) throws IOException {
    String path = folder.resolve("unfitted").toString();
    new Pipeline().setStages(new PipelineStage[] {fitted.stages()[0]}).save(path);
    return path;
  }

  @Test
  void parameters_are_documented_and_validated() {
    MambaPerplexity stage = new MambaPerplexity();
    assertThat(stage.explainParams())
        .contains("model: checkpoint: a folder, any Hadoop URI, or demo (undefined)")
        .contains(
            "saveModel: whether saving the stage copies the model's files into it (default: false)")
        .contains("emit: values to write, such as perplexity,top-k=5 (default: perplexity)");
    assertThatThrownBy(() -> stage.setMaxTokens(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> stage.transform(texts()))
        .hasMessage("Stage " + stage.uid() + " has no model; set it with setModel");
    MambaPerplexity copy = stage.setModel("demo").copy(new ParamMap());
    assertThat(copy.uid()).isEqualTo(stage.uid());
    assertThat(copy.getOrDefault(copy.model())).isEqualTo("demo");
  }
}
