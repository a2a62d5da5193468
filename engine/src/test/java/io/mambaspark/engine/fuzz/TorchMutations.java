package io.mambaspark.engine.fuzz;

import static io.mambaspark.engine.fuzz.HostileValues.pick;

import io.mambaspark.engine.checkpoint.TorchWriter;
import io.mambaspark.engine.checkpoint.TorchWriter.Pickler;
import io.mambaspark.engine.fuzz.Original.TorchTensor;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.SplittableRandom;

/** Writes PyTorch archives whose tensors refer to missing data or to far more data than exists. */
final class TorchMutations {
  private static final int REBUILD = 0;
  private static final int ARGUMENTS = 1;

  private TorchMutations() {}

  /** Writes an archive that is valid except for one number, name or type of one tensor. */
  static Expected wrongTensor(HostileFolder folder, SplittableRandom random) {
    String file = pick(random, folder.weights());
    Map<String, TorchTensor> tensors = new LinkedHashMap<>();
    TorchWriter archive = new TorchWriter();
    int index = 0;
    for (var entry : folder.original().tensors().entrySet()) {
      int shard = index++ % Original.SHARDS.size();
      if (!folder.original().shards() || file.startsWith(Original.SHARDS.get(shard))) {
        String key = Integer.toString(tensors.size());
        tensors.put(entry.getKey(), TorchTensor.of(entry.getValue(), key));
        archive.entry("m/data/" + key, entry.getValue().bytes());
      }
    }
    String name = pick(random, List.copyOf(tensors.keySet()));
    TorchTensor right = tensors.get(name);
    TorchTensor wrong = wrong(right, tensors.size(), random);
    folder.note("%s, %s is %s", file, name, wrong.shown());
    tensors.put(name, wrong);
    Pickler pickler = Pickler.protocol2().op('}', '(');
    tensors.forEach((n, tensor) -> tensor.pickle(n, pickler));
    folder.files.put(file, archive.entry("m/data.pkl", pickler.op('u').end()).bytes());
    return wrong.shown().equals(right.shown()) ? Expected.SAME : Expected.EITHER;
  }

  /** Writes the tensors with strides, as parameters or with attributes; may damage one of them. */
  static Expected strided(HostileFolder folder, SplittableRandom random) {
    String file = pick(random, folder.weights());
    TorchWriter archive = new TorchWriter();
    Pickler pickler = Pickler.protocol2().op('}', '(');
    int index = 0;
    int damaged = random.nextBoolean() ? random.nextInt(40) : -1;
    Expected expected = Expected.SAME;
    for (var entry : folder.original().tensors().entrySet()) {
      int shard = index++ % Original.SHARDS.size();
      if (folder.original().shards() && !file.startsWith(Original.SHARDS.get(shard))) {
        continue;
      }
      String key = Integer.toString(index);
      TorchTensor tensor = TorchTensor.of(entry.getValue(), key);
      if (random.nextInt(3) != 0) {
        int size = entry.getValue().bytes().length / (int) tensor.elements();
        TorchTensor strided = withGaps(tensor, random);
        archive.entry("m/data/" + key, withGaps(entry.getValue().bytes(), size, tensor, strided));
        tensor = strided;
      } else {
        archive.entry("m/data/" + key, entry.getValue().bytes());
      }
      if (index == damaged) {
        TorchTensor wrong = wrong(tensor, index, random);
        folder.note("%s instead of %s", wrong.shown(), tensor.shown());
        tensor = wrong;
        expected = Expected.EITHER;
      }
      pickle(entry.getKey(), tensor, pickler, random);
    }
    folder.note("%s with strides", file);
    folder.files.put(file, archive.entry("m/data.pkl", pickler.op('u').end()).bytes());
    return expected;
  }

  /** Writes a tensor as a tensor, as a parameter, or as a parameter with attributes. */
  private static void pickle(
      String name, TorchTensor tensor, Pickler pickler, SplittableRandom random) {
    int form = random.nextInt(3);
    if (form == 0) {
      tensor.pickle(name, pickler);
      return;
    }
    String rebuild = form == 1 ? "_rebuild_parameter" : "_rebuild_parameter_with_state";
    pickler.text(name).global("torch._utils", rebuild).op('(');
    pickler.tensor(
        tensor.type(),
        tensor.key(),
        tensor.elements(),
        tensor.offset(),
        tensor.shape(),
        tensor.strides());
    pickler.op(0x88).global("collections", "OrderedDict").op(')', 'R');
    if (form == 2) {
      pickler.op('}').text("_no_weight_decay").op(0x88, 's');
    }
    pickler.op('t', 'R');
  }

  /** Returns a tensor with its dimensions stored in another order, with gaps between them. */
  private static TorchTensor withGaps(TorchTensor tensor, SplittableRandom random) {
    List<Integer> order = new ArrayList<>();
    for (int i = 0; i < tensor.shape().length; i++) {
      order.add(random.nextInt(i + 1), i);
    }
    long[] strides = new long[order.size()];
    long extent = 1;
    for (int i : order) {
      strides[i] = extent;
      extent *= tensor.shape()[i] + random.nextInt(2);
    }
    long offset = random.nextInt(4);
    return new TorchTensor(
        tensor.type(), tensor.key(), offset + extent, offset, tensor.shape(), strides);
  }

  /** Copies the tensor's bytes to its strides, and fills the gaps with non-finite numbers. */
  private static byte[] withGaps(byte[] bytes, int size, TorchTensor from, TorchTensor to) {
    byte[] copy = new byte[(int) to.elements() * size];
    Arrays.fill(copy, (byte) 0xff);
    for (int i = 0; i < from.elements(); i++) {
      long at = to.offset();
      for (int d = 0; d < from.shape().length; d++) {
        at += i / from.strides()[d] % from.shape()[d] * to.strides()[d];
      }
      System.arraycopy(bytes, i * size, copy, (int) at * size, size);
    }
    return copy;
  }

  private static TorchTensor wrong(TorchTensor t, int keys, SplittableRandom random) {
    long[] shape = t.shape();
    long[] strides = t.strides();
    String type = t.type();
    String key = t.key();
    long elements = t.elements();
    long offset = t.offset();
    switch (random.nextInt(9)) {
      case 0 ->
          type =
              pick(
                  random,
                  List.of(
                      "FloatStorage",
                      "HalfStorage",
                      "BFloat16Storage",
                      "DoubleStorage",
                      "LongStorage",
                      "BoolStorage",
                      "UntypedStorage"));
      case 1 ->
          key =
              random.nextBoolean()
                  ? Integer.toString(random.nextInt(keys))
                  : HostileValues.text(random);
      case 2 -> elements = HostileValues.number(random, elements);
      case 3 -> offset = HostileValues.number(random, random.nextBoolean() ? 0 : elements);
      case 4 -> shape = wrong(shape, random);
      case 5 -> strides = wrong(strides, random);
      case 6 -> {
        shape = wrong(shape, random);
        strides = wrong(strides, random);
      }
      case 7 -> {
        // All elements share one number, so a few bytes are enough for any number of elements.
        strides = new long[shape.length];
        shape = wrong(shape, random);
      }
      default -> {
        int rank = pick(random, List.of(0, 15, 16, 17, 100, 5_000));
        shape = new long[rank];
        strides = new long[rank];
        Arrays.fill(shape, pick(random, List.of(0L, 1L, (long) Integer.MAX_VALUE, Long.MAX_VALUE)));
        Arrays.fill(strides, 1);
      }
    }
    return new TorchTensor(type, key, elements, offset, shape, strides);
  }

  private static long[] wrong(long[] right, SplittableRandom random) {
    int length = random.nextInt(4) == 0 ? random.nextInt(right.length + 3) : right.length;
    long[] wrong = Arrays.copyOf(right, length);
    if (length > 0) {
      int at = random.nextInt(length);
      wrong[at] = HostileValues.number(random, wrong[at]);
    }
    return wrong;
  }

  /** Writes small files that refer to the same data many times. */
  static Expected bomb(HostileFolder folder, SplittableRandom random) {
    if (folder.original().shards()) {
      return wrongTensor(folder, random);
    }
    String file = folder.original().format().file();
    switch (random.nextInt(3)) {
      case 0 -> folder.files.put(file, longShapes(folder, random));
      case 1 -> folder.files.put(file, longKeys(folder, random));
      default -> folder.files.put(file, sharedStorage(folder, random));
    }
    return Expected.REFUSED;
  }

  /** Uses one tuple of many numbers as the shape of many tensors. */
  private static byte[] longShapes(HostileFolder folder, SplittableRandom random) {
    int rank = pick(random, List.of(17, 1_000, 9_000));
    int tensors = random.nextInt(1, 3_000);
    folder.note("%d tensors with one shape of %d numbers", tensors, rank);
    Pickler pickler = memoized(Pickler.protocol2(), "0", 1, ones(rank), ones(rank));
    pickler.op('}');
    for (int i = 0; i < tensors; i++) {
      pickler.op('M', i & 0xff, i >> 8, 'h', REBUILD, 'h', ARGUMENTS, 'R', 's');
    }
    return new TorchWriter()
        .entry("m/data/0", new byte[4])
        .entry("m/data.pkl", pickler.end())
        .bytes();
  }

  /** Creates many views of a storage with a long name. */
  private static byte[] longKeys(HostileFolder folder, SplittableRandom random) {
    String key = "k".repeat(pick(random, List.of(1_000, 60_000)));
    int tensors = random.nextInt(1, 3_000);
    folder.note("%d tensors of a storage with a name of %d characters", tensors, key.length());
    Pickler pickler = memoized(Pickler.protocol2(), key, 1, ones(1), ones(1));
    pickler.op('}');
    for (int i = 0; i < tensors; i++) {
      pickler.text("t" + i).op('h', REBUILD, 'h', ARGUMENTS, 'R', 's');
    }
    return new TorchWriter()
        .entry("m/data/" + key, new byte[4])
        .entry("m/data.pkl", pickler.end())
        .bytes();
  }

  /** Makes all tensors of many layers views of one storage. */
  private static byte[] sharedStorage(HostileFolder folder, SplittableRandom random) {
    int layers = random.nextInt(10, 300);
    int width = 128;
    folder.note("%d layers in one storage", layers);
    folder.text(
        HostileFolder.CONFIG,
        "{\"d_model\": %d, \"n_layer\": %d, \"vocab_size\": 8}".formatted(width, layers));
    int elements = 4 * width * width;
    Map<String, long[]> layer = new LinkedHashMap<>();
    layer.put("norm.weight", new long[] {width});
    layer.put("mixer.A_log", new long[] {2 * width, 16});
    layer.put("mixer.D", new long[] {2 * width});
    layer.put("mixer.in_proj.weight", new long[] {4 * width, width});
    layer.put("mixer.conv1d.weight", new long[] {2 * width, 1, 4});
    layer.put("mixer.x_proj.weight", new long[] {width / 16 + 32, 2 * width});
    layer.put("mixer.dt_proj.weight", new long[] {2 * width, width / 16});
    layer.put("mixer.dt_proj.bias", new long[] {2 * width});
    layer.put("mixer.out_proj.weight", new long[] {width, 2 * width});
    Pickler pickler = Pickler.protocol2();
    int memo = 0;
    for (long[] shape : layer.values()) {
      memoized(pickler, memo, "0", elements, shape, strides(shape));
      memo += 2;
    }
    pickler.op('}');
    pickler.text("backbone.embedding.weight");
    pickler.tensor("FloatStorage", "0", elements, 0, new long[] {8, width}, new long[] {width, 1});
    pickler.op('s').text("backbone.norm_f.weight");
    pickler.tensor("FloatStorage", "0", elements, 0, new long[] {width}, ones(1)).op('s');
    for (int i = 0; i < layers; i++) {
      int view = 0;
      for (String name : layer.keySet()) {
        pickler.text("backbone.layers." + i + "." + name);
        pickler.op('h', view + REBUILD, 'h', view + ARGUMENTS, 'R', 's');
        view += 2;
      }
    }
    return new TorchWriter()
        .entry("m/data/0", new byte[4 * elements])
        .entry("m/data.pkl", pickler.end())
        .entry("m/version", "3\n".getBytes(StandardCharsets.US_ASCII))
        .bytes();
  }

  private static Pickler memoized(
      Pickler pickler, String key, long elements, long[] shape, long[] strides) {
    return memoized(pickler, 0, key, elements, shape, strides);
  }

  /** Stores a tensor's function and arguments in the memo; the stack stays unchanged. */
  private static Pickler memoized(
      Pickler pickler, int memo, String key, long elements, long[] shape, long[] strides) {
    return pickler
        .global("torch._utils", "_rebuild_tensor_v2")
        .op('q', memo + REBUILD, '0', '(')
        .storage("FloatStorage", key, elements)
        .integer(0)
        .integers(shape)
        .integers(strides)
        .op(0x89)
        .global("collections", "OrderedDict")
        .op(')', 'R', 't', 'q', memo + ARGUMENTS, '0');
  }

  private static long[] ones(int length) {
    long[] ones = new long[length];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static long[] strides(long[] shape) {
    long[] strides = new long[shape.length];
    long elements = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = elements;
      elements *= shape[i];
    }
    return strides;
  }
}
