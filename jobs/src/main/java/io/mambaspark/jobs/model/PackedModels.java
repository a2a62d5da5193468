package io.mambaspark.jobs.model;

import io.mambaspark.engine.kernel.Kernels;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaModel;
import io.mambaspark.jobs.spark.NativeProducts;
import java.lang.ref.Reference;
import java.lang.ref.SoftReference;
import java.lang.ref.WeakReference;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;

/**
 * The packed models of this JVM: one copy of each model for all tasks. Tasks and broadcasts in
 * memory hold strong references to their model. A model without such references stays for the next
 * job until the JVM needs its memory.
 */
public final class PackedModels {
  private static final Map<String, Reference<MambaModel>> MODELS = new ConcurrentHashMap<>();

  private static final AtomicLong LOADS = new AtomicLong();
  private static final AtomicLong LOAD_NANOS = new AtomicLong();

  private PackedModels() {}

  /** Identifies a packed model by the fingerprint of its weights and its format in memory. */
  public static String identity(String fingerprint, WeightFormat weights) {
    return fingerprint + " " + weights;
  }

  /** Returns a model of this JVM, or packs it if it is absent. Concurrent callers wait. */
  public static synchronized MambaModel model(String identity, Supplier<MambaModel> pack) {
    Reference<MambaModel> present = MODELS.get(identity);
    MambaModel model = present == null ? null : present.get();
    if (model == null) {
      MODELS.values().removeIf(reference -> reference.get() == null);
      NativeProducts.configure();
      if (Kernels.best().hasNativeProducts()) {
        // The JVM clears soft references when the heap is full, but these weights are outside it.
        MODELS.replaceAll((other, reference) -> new WeakReference<>(reference.get()));
      }
      long start = System.nanoTime();
      model = pack.get();
      LOAD_NANOS.addAndGet(System.nanoTime() - start);
      LOADS.incrementAndGet();
      MODELS.put(identity, new SoftReference<>(model));
    }
    return model;
  }

  /** Drops the reference to a model, as the JVM does when it needs memory. */
  static void drop(String identity) {
    MODELS.remove(identity);
  }

  /** Counts how often this JVM has packed a model. */
  public static long loads() {
    return LOADS.get();
  }

  /** Returns the total time of all loads: reading or receiving weights, and packing them. */
  public static double loadSeconds() {
    return LOAD_NANOS.get() / 1e9;
  }

  /** Returns the bytes of packed weights. Takes no lock, as metrics must not wait for a load. */
  public static long residentBytes() {
    long bytes = 0;
    for (Reference<MambaModel> reference : MODELS.values()) {
      MambaModel model = reference.get();
      bytes += model == null ? 0 : model.packedBytes();
    }
    return bytes;
  }
}
