package io.mambaspark.engine.kernel;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Comparator;
import java.util.stream.Stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.Loader;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Loads oneDNN from the class path, and refuses it if its products are not exact. */
final class DnnlLibrary {
  private static final String CACHE = "org.bytedeco.javacpp.cachedir";
  private static final Logger LOG = LoggerFactory.getLogger(DnnlLibrary.class);

  private DnnlLibrary() {}

  /**
   * Loads oneDNN.
   *
   * @param folder where to unpack the libraries; the files are deleted when they are loaded
   * @throws IOException if the libraries cannot be unpacked
   * @throws IllegalStateException if oneDNN does not compute exact products on this machine, or if
   *     it would use other threads
   * @throws LinkageError if the libraries cannot be loaded
   */
  static Dnnl load(Path folder) throws IOException {
    if (Files.readString(Path.of("/proc/self/maps")).contains("libgomp")) {
      // It has read the environment already, so oneDNN would use all cores.
      throw new IllegalStateException("this process has loaded another OpenMP library");
    }
    Path unpacked = Files.createTempDirectory(folder, "mamba-spark-native");
    // JavaCPP's default is a folder in the home, which processes share.
    String before = System.setProperty(CACHE, unpacked.toString());
    try {
      if (!Loader.getCacheDir().toPath().equals(unpacked)) {
        throw new IllegalStateException(
            "this process uses JavaCPP already, with the folder " + Loader.getCacheDir());
      }
      Loader.load(org.bytedeco.javacpp.presets.javacpp.class);
      withOneThread(() -> Loader.load(org.bytedeco.dnnl.global.dnnl.class));
      // JavaCPP looks for the files again whenever it initializes a class. The check uses them all.
      Dnnl dnnl = new Dnnl();
      for (int k : new int[] {64, 768, Quantization.EXACT}) {
        dnnl.shape(k, DnnlMatrix.PANELS * Panels.WIDTH).primitive(1);
      }
      return dnnl;
    } finally {
      if (before == null) {
        System.clearProperty(CACHE);
      } else {
        System.setProperty(CACHE, before);
      }
      delete(unpacked);
    }
  }

  /**
   * Loads a library in an environment where OpenMP has one thread, which it reads when it is
   * loaded: Spark owns the cores. Java cannot change the environment of its own process, so this
   * replaces the array of C's {@code environ} while the library loads. The new array is never
   * freed, because another thread may read it.
   */
  private static void withOneThread(Runnable load) {
    Pointer symbol = Loader.addressof("environ");
    if (symbol == null) {
      throw new IllegalStateException("this platform has no symbol environ");
    }
    PointerPointer<Pointer> environ = new PointerPointer<>(symbol);
    Pointer before = environ.get(0);
    PointerPointer<Pointer> variables = new PointerPointer<>(before);
    int count = 0;
    while (variables.get(count) != null) {
      count++;
    }
    PointerPointer<Pointer> changed = new PointerPointer<>(count + 2);
    changed.retainReference();
    int kept = 0;
    for (int i = 0; i < count; i++) {
      // The settings of OpenMP also include affinities, which would bind this thread to a core.
      if (!new BytePointer(variables.get(i)).getString().matches("(?s)(OMP|GOMP)_.*")) {
        changed.put(kept++, variables.get(i));
      }
    }
    changed.put(kept++, new BytePointer("OMP_NUM_THREADS=1").retainReference());
    changed.put(kept, (Pointer) null);
    environ.put(0, changed);
    try {
      load.run();
    } finally {
      if (environ.get(0).address() == changed.address()) {
        environ.put(0, before);
      }
    }
  }

  private static void delete(Path folder) {
    try (Stream<Path> files = Files.walk(folder)) {
      for (Path file : files.sorted(Comparator.reverseOrder()).toList()) {
        Files.delete(file);
      }
    } catch (IOException | RuntimeException e) {
      LOG.debug("Cannot delete {}", folder, e);
    }
  }
}
