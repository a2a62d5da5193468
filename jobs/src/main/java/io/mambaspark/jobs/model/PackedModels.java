package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import java.lang.ref.SoftReference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * The packed models of this JVM, each there once for all tasks. A model that no task uses stays for
 * the next job until its memory is needed for something else.
 */
public final class PackedModels {
  private static final Map<String, SoftReference<MambaModel>> MODELS = new ConcurrentHashMap<>();
  private static final Map<String, MambaModel> PINNED = new ConcurrentHashMap<>();

  private static final AtomicLong LOADS = new AtomicLong();
  private static final AtomicLong LOAD_NANOS = new AtomicLong();

  private PackedModels() {}

  /** What a model computes depends on these two: the stored weights, and how they are kept. */
  public static String identity(String fingerprint, WeightFormat weights) {
    return fingerprint + " " + weights;
  }

  /** Packs a model unless it is here. Tasks that ask meanwhile wait, as they need it too. */
  public static synchronized MambaModel model(String identity, Supplier<MambaModel> pack) {
    SoftReference<MambaModel> known = MODELS.get(identity);
    MambaModel model = known == null ? null : known.get();
    if (model == null) {
      MODELS.values().removeIf(reference -> reference.get() == null);
      long start = System.nanoTime();
      model = pack.get();
      LOAD_NANOS.addAndGet(System.nanoTime() - start);
      LOADS.incrementAndGet();
      MODELS.put(identity, new SoftReference<>(model));
    }
    return model;
  }

  /** Keeps a model whatever else needs memory, until it is dropped. */
  static void pin(String identity, MambaModel model) {
    PINNED.put(identity, model);
    MODELS.put(identity, new SoftReference<>(model));
  }

  /** Forgets a model; those who use it keep it. */
  static void drop(String identity) {
    PINNED.remove(identity);
    MODELS.remove(identity);
  }

  /** How often this JVM packed a model. */
  public static long loads() {
    return LOADS.get();
  }

  /** The time that packing took, all loads together, with the reading or receiving of weights. */
  public static double loadSeconds() {
    return LOAD_NANOS.get() / 1e9;
  }

  /**
   * Bytes of the packed weights that are here. Asked by metrics, which must not wait for a load.
   */
  public static long residentBytes() {
    long bytes = 0;
    for (SoftReference<MambaModel> reference : MODELS.values()) {
      MambaModel model = reference.get();
      bytes += model == null ? 0 : model.packedBytes();
    }
    return bytes;
  }
}
