package io.mambaspark.engine.checkpoint;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.engine.Golden;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Random;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Damaged files either load or are refused by a CheckpointException; nothing else escapes. */
class MutationTest {
  @TempDir Path folder;

  @ParameterizedTest
  @CsvSource({
    "state-spaces-bin, pytorch_model.bin, 900, 1",
    "bf16, model.safetensors, 700, 2",
    "bf16, config.json, 200, 3",
    "bf16, model.safetensors.index.json, 200, 4"
  })
  void aMutatedFileLoadsOrIsRefused(String name, String file, int cases, long seed)
      throws IOException {
    Path golden = Golden.folder(name);
    Files.copy(golden.resolve("config.json"), folder.resolve("config.json"));
    Path target = folder.resolve(file);
    byte[] original;
    if (file.endsWith(".index.json")) {
      Files.copy(golden.resolve("model.safetensors"), folder.resolve("one.safetensors"));
      original = index(golden).getBytes(StandardCharsets.UTF_8);
    } else {
      if (!file.equals("model.safetensors") && name.equals("bf16")) {
        Files.copy(golden.resolve("model.safetensors"), folder.resolve("model.safetensors"));
      }
      original = Files.readAllBytes(golden.resolve(file));
    }
    Files.write(target, original);
    Checkpoint.open(folder).close();
    Random random = new Random(seed);
    int refused = 0;
    for (int i = 0; i < cases; i++) {
      byte[] bytes = mutated(original, random);
      Files.write(target, bytes);
      try (Checkpoint checkpoint = Checkpoint.open(folder)) {
        float[] first = new float[1];
        for (StoredTensor tensor : checkpoint.tensors().values()) {
          tensor.forEachChunk(1 << 20, chunk -> chunk.get(chunk.limit() - 1));
          tensor.floats().read(first, 0, (int) Math.min(1, tensor.elementCount()));
        }
      } catch (CheckpointException e) {
        assertThat(e.getMessage()).doesNotContain("\n").hasSizeLessThan(1000);
        refused++;
      } catch (RuntimeException | Error e) {
        throw new AssertionError("Seed " + seed + ", case " + i + " of " + file, e);
      }
    }
    assertThat(refused).as("refused of %d", cases).isGreaterThan(cases / 5);
  }

  /** One to three bits flipped or bytes set, mostly where the structure is; or the end cut off. */
  private static byte[] mutated(byte[] original, Random random) {
    if (random.nextInt(10) == 0) {
      return Arrays.copyOf(original, random.nextInt(original.length));
    }
    byte[] bytes = original.clone();
    for (int n = 1 + random.nextInt(3); n > 0; n--) {
      int structure = Math.min(3000, bytes.length);
      int at =
          switch (random.nextInt(5)) {
            case 0, 1 -> random.nextInt(structure);
            case 2, 3 -> bytes.length - 1 - random.nextInt(structure);
            default -> random.nextInt(bytes.length);
          };
      bytes[at] =
          random.nextBoolean()
              ? (byte) (bytes[at] ^ 1 << random.nextInt(8))
              : (byte) random.nextInt(256);
    }
    return bytes;
  }

  private static String index(Path golden) {
    try (Checkpoint checkpoint = Checkpoint.open(golden)) {
      StringBuilder json = new StringBuilder("{\"weight_map\": {");
      String separator = "";
      for (String tensor : checkpoint.tensors().keySet()) {
        json.append(separator).append("\"").append(tensor).append("\": \"one.safetensors\"");
        separator = ", ";
      }
      return json.append("}}").toString();
    }
  }
}
