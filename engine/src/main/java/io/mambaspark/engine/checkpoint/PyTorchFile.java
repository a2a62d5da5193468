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
 * Reads what {@code torch.save(state_dict)} writes since torch 1.6: a zip archive with a pickle,
 * {@code NAME/data.pkl}, and one entry {@code NAME/data/KEY} for each storage that the pickle
 * refers to.
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
          "it is not a zip archive. Torch before 1.6 wrote such files: load it with a newer torch"
              + " and save it again, or convert it to safetensors");
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
    // Looked up once each: a key may be long, and the storage of many tensors.
    Map<String, ZipDirectory.Entry> found = new HashMap<>();
    Function<String, ZipDirectory.Entry> storages =
        key -> found.computeIfAbsent(key, k -> zip.entry(root + STORAGES + k));
    List<StoredTensor> tensors = new ArrayList<>();
    Pickle.read(file.slice(pickle.begin(), (int) pickle.size()), source)
        .forEach((name, tensor) -> tensors.add(place(name, tensor, root, storages, file)));
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
      throw refused(source, "expected one entry NAME/data.pkl in it, found " + roots.size());
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
   * A tied head lies in the file once and is two tensors. Any more of that, and loading would take
   * memory for many times the file.
   */
  private static void checkShared(List<StoredTensor> tensors, MappedFile file) {
    long bytes = 0;
    for (StoredTensor tensor : tensors) {
      bytes += tensor.byteSize();
    }
    if (bytes > 2 * file.size()) {
      throw refused(
          file.name(),
          ("its tensors share storages and make %d bytes together, expected at most twice the %d of"
                  + " the file")
              .formatted(bytes, file.size()));
    }
  }

  /** Finds the bytes of a tensor in the file; each of its elements must be within its storage. */
  private static StoredTensor place(
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
          "found shape %s with strides %s, expected as many of both"
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
          "shape %s with strides %s from element %d on is outside of its storage of %d elements"
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

  /** Whether a storage of that many elements holds all of a tensor's. */
  private static boolean fits(int[] shape, Pickle.Tensor tensor, long elements) {
    if (tensor.offset() < 0 || tensor.offset() > elements) {
      return false;
    }
    if (Arrays.stream(shape).anyMatch(dimension -> dimension == 0)) {
      return true;
    }
    // Elements behind the first that the last may be away from it.
    long room = elements - tensor.offset() - 1;
    for (int i = 0; i < shape.length && room >= 0; i++) {
      // The stride of a dimension of one element is never used.
      if (shape[i] > 1) {
        long stride = tensor.strides().get(i);
        // Divided, as a product might overflow.
        if (stride < 0 || stride > room / (shape[i] - 1)) {
          return false;
        }
        room -= stride * (shape[i] - 1);
      }
    }
    return room >= 0;
  }

  /** The strides that are used; null where the elements lie row-major. */
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
