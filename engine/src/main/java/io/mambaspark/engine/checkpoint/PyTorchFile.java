package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;

/**
 * Reads the files that {@code torch.save(state_dict)} writes since torch 1.6. Such a file is a zip
 * archive with a pickle, {@code NAME/data.pkl}, and an entry {@code NAME/data/KEY} for each storage
 * to which the pickle refers.
 */
final class PyTorchFile {
  private static final String PICKLE = "/data.pkl";
  private static final String STORAGES = "/data/";

  private PyTorchFile() {}

  static List<StoredTensor> read(MappedFile file) {
    String source = file.name();
    if (!file.startsWith("PK\u0003\u0004")) {
      throw refused(
          source,
          "it is not a zip archive; if torch before 1.6 wrote it, load it with a newer torch and"
              + " save it again, or convert it to safetensors");
    }
    ZipDirectory zip = ZipDirectory.read(file);
    String root = root(zip, source);
    checkByteOrder(zip.entry(root + "/byteorder"), file);

    ZipDirectory.Entry pickle = zip.entry(root + PICKLE);
    if (pickle.size() > Pickle.MAX_BYTES) {
      throw refused(
          source,
          "its data.pkl has %d bytes, expected at most %d"
              .formatted(pickle.size(), Pickle.MAX_BYTES));
    }
    // Each key is looked up once: a key may be long, and many tensors may share its storage.
    Map<String, ZipDirectory.Entry> found = new HashMap<>();
    Function<String, ZipDirectory.Entry> storages =
        key -> found.computeIfAbsent(key, k -> zip.entry(root + STORAGES + k));
    List<StoredTensor> tensors = new ArrayList<>();
    Pickle.read(file.slice(pickle.begin(), (int) pickle.size()), source)
        .forEach((name, tensor) -> tensors.add(locate(name, tensor, root, storages, file)));
    checkShared(tensors, file);
    return tensors;
  }

  private static String root(ZipDirectory zip, String source) {
    List<String> roots = new ArrayList<>();
    for (String name : zip.names()) {
      if (name.endsWith(PICKLE)) {
        roots.add(name.substring(0, name.length() - PICKLE.length()));
      }
    }
    if (roots.size() != 1) {
      throw refused(source, "expected exactly one entry NAME/data.pkl, found " + roots.size());
    }
    return roots.get(0);
  }

  private static void checkByteOrder(ZipDirectory.Entry entry, MappedFile file) {
    if (entry == null) {
      return;
    }
    ByteBuffer bytes = file.slice(entry.begin(), (int) Math.min(entry.size(), 16));
    String order = StandardCharsets.ISO_8859_1.decode(bytes).toString();
    if (!order.equals("little")) {
      throw refused(file.name(), "its byte order is " + order + ", expected little");
    }
  }

  /**
   * Limits how many tensors may share bytes. A tied head is two tensors that share the same bytes
   * of the file, so twice the file's size is allowed. Without this limit, loading a small file
   * could take a large amount of memory.
   */
  private static void checkShared(List<StoredTensor> tensors, MappedFile file) {
    long bytes = 0;
    for (StoredTensor tensor : tensors) {
      bytes += tensor.byteSize();
    }
    if (bytes > 2 * file.size()) {
      throw refused(
          file.name(),
          "its tensors share storages and total %d bytes, expected at most twice the file's %d"
              .formatted(bytes, file.size()));
    }
  }

  /** Finds the bytes of a tensor in the file; all of its elements must be within its storage. */
  private static StoredTensor locate(
      String name,
      Pickle.Tensor tensor,
      String root,
      Function<String, ZipDirectory.Entry> storages,
      MappedFile file) {
    String source = file.name();
    Pickle.Storage storage = tensor.storage();
    DType dtype = storage.type().dtype();
    if (dtype == null) {
      throw StoredTensor.refused(
          name,
          source,
          "found dtype "
              + storage.type().name()
              + ", expected float32, float16, bfloat16 or float64");
    }
    int[] shape = StoredTensor.checkedShape(name, tensor.shape(), source);
    if (tensor.strides().size() != shape.length) {
      throw StoredTensor.refused(
          name,
          source,
          "found shape %s with strides %s, expected one stride per dimension"
              .formatted(tensor.shape(), tensor.strides()));
    }

    ZipDirectory.Entry entry = storages.apply(storage.key());
    if (entry == null) {
      throw StoredTensor.refused(
          name,
          source,
          "its storage %s is missing"
              .formatted(CheckpointException.shown(root + STORAGES + storage.key())));
    }
    if (storage.elements() < 0
        || entry.size() % dtype.bytes() != 0
        || storage.elements() != entry.size() / dtype.bytes()) {
      throw StoredTensor.refused(
          name,
          source,
          "expected %d %s elements in its storage, found %d bytes"
              .formatted(storage.elements(), storage.type().name(), entry.size()));
    }
    if (!fits(shape, tensor, storage.elements())) {
      throw StoredTensor.refused(
          name,
          source,
          "shape %s with strides %s from element %d exceeds its storage of %d elements"
              .formatted(tensor.shape(), tensor.strides(), tensor.offset(), storage.elements()));
    }
    return new StoredTensor(
        name,
        dtype,
        shape,
        file,
        entry.begin() + tensor.offset() * dtype.bytes(),
        strides(shape, tensor.strides()));
  }

  /** Whether a storage of {@code elements} elements contains all elements of a tensor. */
  private static boolean fits(int[] shape, Pickle.Tensor tensor, long elements) {
    if (tensor.offset() < 0 || tensor.offset() > elements) {
      return false;
    }
    if (Arrays.stream(shape).anyMatch(dimension -> dimension == 0)) {
      return true;
    }
    // The largest allowed distance, in elements, from the first element to the last.
    long room = elements - tensor.offset() - 1;
    for (int i = 0; i < shape.length && room >= 0; i++) {
      // The stride of a dimension of size 1 is never used.
      if (shape[i] > 1) {
        long stride = tensor.strides().get(i);
        // Division, because the product could overflow.
        if (stride < 0 || stride > room / (shape[i] - 1)) {
          return false;
        }
        room -= stride * (shape[i] - 1);
      }
    }
    return room >= 0;
  }

  /** The strides, with 0 for dimensions of size 1; null if the elements are row-major. */
  private static long[] strides(int[] shape, List<Long> claimed) {
    long[] strides = new long[shape.length];
    boolean contiguous = true;
    long expected = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = shape[i] == 1 ? 0 : claimed.get(i);
      contiguous &= shape[i] == 1 || strides[i] == expected;
      expected *= shape[i];
    }
    return contiguous || expected == 0 ? null : strides;
  }

  private static CheckpointException refused(String source, String why) {
    return new CheckpointException("Cannot read " + source + ": " + why);
  }
}
