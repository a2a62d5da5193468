package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.checkpoint.SafetensorsWriter.Tensor;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SplittableRandom;

/** Writes valid files with other tensors than the model has. */
final class TensorMutations {
  private static final String EMBEDDING = "backbone.embedding.weight";
  private static final String EMBEDDINGS = "backbone.embeddings.weight";

  private final Map<String, Tensor> tensors;
  private final HostileFolder folder;
  private final SplittableRandom random;
  private final String name;

  private TensorMutations(HostileFolder folder, SplittableRandom random) {
    this.tensors = new LinkedHashMap<>(folder.original().tensors());
    this.folder = folder;
    this.random = random;
    this.name = pick(random, List.copyOf(folder.original().tensors().keySet()));
  }

  static Expected mutate(HostileFolder folder, SplittableRandom random) {
    TensorMutations mutations = new TensorMutations(folder, random);
    Expected expected = mutations.mutate();
    folder.weights(mutations.tensors);
    return expected;
  }

  private Expected mutate() {
    Tensor tensor = tensors.get(name);
    switch (random.nextInt(15)) {
      case 0 -> {
        String other = HostileValues.text(random);
        // The name for metadata is not valid for a tensor; the other dialect's name is.
        if (tensors.containsKey(other) || other.equals("__metadata__")) {
          return Expected.SAME;
        }
        folder.note("%s is renamed to %s", name, other);
        rename(name, other);
        return normal(other).equals(normal(name)) ? Expected.SAME : Expected.REFUSED;
      }
      case 1 -> {
        String other = random.nextBoolean() ? HostileValues.text(random) : alias(name);
        if (tensors.containsKey(other) || other.equals("__metadata__")) {
          return Expected.SAME;
        }
        folder.note("%s is repeated as %s", name, other);
        tensors.put(other, tensor);
        boolean head = other.equals("lm_head.weight") && normal(name).equals(normal(EMBEDDING));
        return head ? Expected.SAME : Expected.REFUSED;
      }
      case 2 -> {
        folder.note("every tensor under another name");
        List.copyOf(tensors.keySet()).forEach(n -> rename(n, random.nextBoolean() ? alias(n) : n));
        return Expected.SAME;
      }
      case 3 -> {
        folder.note("%s is missing", name);
        tensors.remove(name);
        return Expected.REFUSED;
      }
      case 4 -> {
        return reshaped(tensor);
      }
      case 5 -> {
        return notFinite(tensor);
      }
      case 6 -> {
        folder.note("%s has other bytes", name);
        // A finite number in each dtype.
        byte[] bytes = new byte[tensor.bytes().length];
        Arrays.fill(bytes, (byte) random.nextInt(0x11, 0x34));
        tensors.put(name, new Tensor(tensor.dtype(), tensor.shape(), bytes));
        return Expected.LOADED;
      }
      case 7 -> {
        List<String> names = new ArrayList<>(tensors.keySet());
        Collections.shuffle(names, new Random(random.nextLong()));
        folder.note("tensors in another order");
        names.forEach(n -> tensors.put(n, tensors.remove(n)));
        return Expected.SAME;
      }
      case 8 -> {
        String bias = "backbone.layers.1.mixer." + pick(random, List.of("out_proj", "conv1d", "q"));
        int channels = tensors.get("backbone.layers.1.mixer.conv1d.bias").shape()[0];
        int length = random.nextInt(3) == 0 ? 5 : bias.endsWith("out_proj") ? 4 : channels;
        folder.note("%s.bias of %d elements", bias, length);
        tensors.put(bias + ".bias", Tensor.f32(new int[] {length}, new float[length]));
        // The config has a bias in the convolution, and no other.
        return length == channels && bias.endsWith("conv1d") ? Expected.LOADED : Expected.REFUSED;
      }
      case 9 -> {
        String config = folder.text(HostileFolder.CONFIG);
        int layers = pick(random, List.of(1, 3, 100, 4_096, 4_097));
        folder.note("config of %d layers", layers);
        folder.text(
            HostileFolder.CONFIG,
            config.replaceFirst("(\"num_hidden_layers\"|\"n_layer\"): 2", "$1: " + layers));
        return Expected.REFUSED;
      }
      case 10 -> {
        return wide(tensor);
      }
      case 11 -> {
        String dtype = pick(random, List.of("F64", "F32", "BF16", "I64", "I32", "U8", "BOOL"));
        String other =
            pick(
                random,
                List.of(
                    "v_head.summary.weight",
                    "v_head.",
                    "backbone.layers.7.rotary_emb.inv_freq",
                    "a\nb.num_batches_tracked",
                    "v_head.\u202e\ue000"));
        int size =
            dtype.endsWith("64") ? 8 : dtype.endsWith("32") ? 4 : dtype.equals("BF16") ? 2 : 1;
        int length = random.nextInt(1 << random.nextInt(12));
        byte[] bytes = new byte[size * length];
        Arrays.fill(bytes, (byte) 0xff);
        folder.note("%s of %d %s", other, length, dtype);
        tensors.put(other, new Tensor(dtype, new int[] {length}, bytes));
        return Expected.LOADED;
      }
      case 12 -> {
        String prefix = pick(random, List.of("_orig_mod.", "module.", "x.".repeat(5_000), "\n."));
        folder.note("every name begins with %s", prefix);
        List.copyOf(tensors.keySet()).forEach(n -> rename(n, prefix + n));
        return Expected.REFUSED;
      }
      case 13 -> {
        String embedding = tensors.containsKey(EMBEDDING) ? EMBEDDING : EMBEDDINGS;
        Tensor tied = tensors.get(embedding);
        byte[] bytes = tied.bytes().clone();
        bytes[random.nextInt(bytes.length / 4) * 4] ^= (byte) (1 << random.nextInt(8));
        folder.note("a head that differs from the embedding in a bit");
        tensors.put("lm_head.weight", new Tensor(tied.dtype(), tied.shape(), bytes));
        return Expected.REFUSED;
      }
      default -> {
        int count = 1 + random.nextInt(1 << random.nextInt(10));
        String prefix = pick(random, List.of("t", "backbone.layers.2.", "backbone.layers.0.x"));
        folder.note("%d tensors %s… too many", count, prefix);
        for (int i = 0; i < count; i++) {
          tensors.put(prefix + i, Tensor.f32(new int[] {1}, i));
        }
        return Expected.REFUSED;
      }
    }
  }

  private void rename(String from, String to) {
    // Keep the position, because the shards distribute tensors by their order.
    for (String n : List.copyOf(tensors.keySet())) {
      Tensor tensor = tensors.remove(n);
      tensors.put(n.equals(from) ? to : n, tensor);
    }
  }

  /** Returns another name for the same tensor. */
  private String alias(String of) {
    if (of.equals(EMBEDDING) || of.equals(EMBEDDINGS)) {
      return pick(
          random, List.of(EMBEDDING, EMBEDDINGS, EMBEDDING.substring(9), EMBEDDINGS.substring(9)));
    }
    return of.startsWith("backbone.") ? of.substring(9) : "backbone." + of;
  }

  private static String normal(String of) {
    String plain = of.startsWith("backbone.") ? of.substring(9) : of;
    return plain.replace("embeddings.", "embedding.");
  }

  private Expected reshaped(Tensor tensor) {
    int[] right = tensor.shape();
    List<Integer> shape = new ArrayList<>();
    for (int size : right) {
      shape.add(size);
    }
    switch (random.nextInt(4)) {
      case 0 -> Collections.reverse(shape);
      case 1 -> shape.add(random.nextInt(shape.size() + 1), 1);
      case 2 -> {
        int elements = shape.stream().reduce(1, Math::multiplyExact);
        shape.clear();
        shape.add(elements);
      }
      default -> {
        // The same bytes, but fewer or more elements.
        String dtype = tensor.dtype().equals("F32") ? "BF16" : "F32";
        int size = shape.get(0);
        if (dtype.equals("F32") && size % 2 != 0) {
          return Expected.SAME;
        }
        shape.set(0, dtype.equals("F32") ? size / 2 : 2 * size);
        tensor = new Tensor(dtype, right, tensor.bytes());
      }
    }
    int[] wrong = shape.stream().mapToInt(Integer::intValue).toArray();
    folder.note("%s is a %s%s", name, tensor.dtype(), shape);
    tensors.put(name, new Tensor(tensor.dtype(), wrong, tensor.bytes()));
    return Arrays.equals(right, wrong) ? Expected.SAME : Expected.REFUSED;
  }

  /** Writes the tensor in F64, with one value that may not be a finite float. */
  private Expected wide(Tensor tensor) {
    int count = Arrays.stream(tensor.shape()).reduce(1, Math::multiplyExact);
    ByteBuffer doubles = ByteBuffer.allocate(8 * count).order(ByteOrder.LITTLE_ENDIAN);
    for (int i = 0; i < count; i++) {
      doubles.putDouble(8 * i, random.nextDouble() - 0.5);
    }
    double odd =
        pick(
            random,
            List.of(
                0.25,
                Double.MIN_VALUE,
                -0.0,
                (double) Float.MAX_VALUE,
                0x1.ffffffp127,
                -1e300,
                Double.NaN,
                Double.NEGATIVE_INFINITY));
    doubles.putDouble(8 * random.nextInt(count), odd);
    folder.note("%s in F64 with %s", name, odd);
    tensors.put(name, new Tensor("F64", tensor.shape(), doubles.array()));
    return Float.isFinite((float) odd) ? Expected.LOADED : Expected.REFUSED;
  }

  private Expected notFinite(Tensor tensor) {
    byte[] bytes = tensor.bytes().clone();
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    boolean nan = random.nextBoolean();
    int size = tensor.dtype().equals("F32") ? 4 : 2;
    int at = random.nextInt(bytes.length / size);
    switch (tensor.dtype()) {
      case "F32" -> buffer.putInt(at * 4, nan ? 0x7f800001 : 0xff800000);
      case "F16" -> buffer.putShort(at * 2, (short) (nan ? 0xfe00 : 0x7c00));
      default -> buffer.putShort(at * 2, (short) (nan ? 0xffff : 0x7f80));
    }
    folder.note("%s has a number that is not finite at %d", name, at);
    tensors.put(name, new Tensor(tensor.dtype(), tensor.shape(), bytes));
    return Expected.REFUSED;
  }
}
