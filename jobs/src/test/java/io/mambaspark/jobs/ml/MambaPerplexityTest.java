package io.mambaspark.jobs.ml;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.mambaspark.jobs.MambaScorer;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
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
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

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

  @Test
  void a_stage_gives_the_scores_of_a_scorer_and_keeps_all_columns() {
    MambaPerplexity stage =
        new MambaPerplexity()
            .setModel("demo")
            .setTextColumn("text")
            .setPrefixToken("bos")
            .setWindow("rolling")
            .setWindowTokens(16);
    Dataset<Row> scored = stage.transform(texts());
    try (MambaScorer scorer =
        MambaScorer.load("demo")
            .textColumn("text")
            .prefixToken("bos")
            .window("rolling", 16, null)) {
      assertThat(scored.collectAsList()).isEqualTo(scorer.score(texts()).collectAsList());
    }
    assertThat(scored.columns()).startsWith("id", "text", "nll");
    assertThat(stage.transformSchema(texts().schema()).fieldNames()).isEqualTo(scored.columns());
  }

  @Test
  void a_pipeline_with_it_is_saved_and_loaded() throws IOException {
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
    // The model is named, not copied.
    try (var files = Files.walk(saved)) {
      assertThat(files.filter(Files::isRegularFile).mapToLong(f -> f.toFile().length()).sum())
          .isLessThan(100_000);
    }
  }

  @Test
  void another_model_in_the_place_of_the_saved_one_is_refused() throws IOException {
    Path model = Files.createDirectory(folder.resolve("model"));
    for (String file : List.of("config.json", "model.safetensors", "tokenizer.json")) {
      Files.copy(DEMO.resolve(file), model.resolve(file));
    }
    MambaPerplexity stage = new MambaPerplexity().setModel(model.toString()).setTextColumn("text");
    Path saved = folder.resolve("stage");
    MambaPerplexity other = stage.copy(new ParamMap());
    other.set(other.fingerprint(), "0".repeat(64));
    stage.save(saved.toString());
    assertThat(MambaPerplexity.load(saved.toString()).transform(texts()).count()).isEqualTo(3);
    assertThatThrownBy(() -> other.transform(texts()))
        .isInstanceOf(IllegalArgumentException.class)
        .hasMessageStartingWith(
            "Model " + model + " is not the one that stage " + stage.uid() + " was saved with: ");
  }

  @Test
  void parameters_are_documented_and_checked() {
    MambaPerplexity stage = new MambaPerplexity();
    assertThat(stage.explainParams())
        .contains("model: checkpoint: a folder, any Hadoop URI, or demo (undefined)")
        .contains("emit: what to add, such as perplexity,top-k=5 (default: perplexity)");
    assertThatThrownBy(() -> stage.setMaxTokens(0)).isInstanceOf(IllegalArgumentException.class);
    assertThatThrownBy(() -> stage.transform(texts()))
        .hasMessage("Stage " + stage.uid() + " has no model; set it with setModel");
    MambaPerplexity copy = stage.setModel("demo").copy(new ParamMap());
    assertThat(copy.uid()).isEqualTo(stage.uid());
    assertThat(copy.getOrDefault(copy.model())).isEqualTo("demo");
  }
}
