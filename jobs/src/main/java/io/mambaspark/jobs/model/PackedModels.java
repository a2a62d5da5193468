package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import java.lang.ref.SoftReference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * The packed models of this JVM: one copy of each model for all tasks. Only tasks and broadcasts in
 * memory keep a model from being collected. A model that none of them uses stays for the next job
 * until the JVM needs its memory.
 */
public final class PackedModels {
  private static final Map<String, SoftReference<MambaModel>> MODELS = new ConcurrentHashMap<>();

  private static final AtomicLong LOADS = new AtomicLong();
  private static final AtomicLong LOAD_NANOS = new AtomicLong();

  private PackedModels() {}

  /** Identifies a packed model by its stored weights and the format in which they are packed. */
  public static String identity(String fingerprint, WeightFormat weights) {
    return fingerprint + " " + weights;
  }

  /** The model of an identity, packed unless this JVM has it. Concurrent callers wait. */
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

  /** Forgets a model, as the JVM does when it needs memory; its users keep it. */
  static void drop(String identity) {
    MODELS.remove(identity);
  }

  /** The number of times that this JVM has packed a model. */
  public static long loads() {
    return LOADS.get();
  }

  /** The total time of all loads: reading or receiving weights, and packing them. */
  public static double loadSeconds() {
    return LOAD_NANOS.get() / 1e9;
  }

  /** Bytes of packed weights in this JVM. Takes no lock: metrics must not wait for a load. */
  public static long residentBytes() {
    long bytes = 0;
    for (SoftReference<MambaModel> reference : MODELS.values()) {
      MambaModel model = reference.get();
      bytes += model == null ? 0 : model.packedBytes();
    }
    return bytes;
  }
}
