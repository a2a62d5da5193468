package io.mambaspark.jobs.model;

import com.esotericsoftware.kryo.DefaultSerializer;
import com.esotericsoftware.kryo.serializers.JavaSerializer;
import io.mambaspark.engine.checkpoint.DType;
import io.mambaspark.engine.checkpoint.FloatReader;
import io.mambaspark.engine.checkpoint.StoredTensor;
import io.mambaspark.engine.kernel.WeightFormat;
import io.mambaspark.engine.model.MambaCheckpoint;
import io.mambaspark.engine.model.MambaConfig;
import io.mambaspark.engine.model.MambaModel;
import java.io.Externalizable;
import java.io.IOException;
import java.io.ObjectInput;
import java.io.ObjectOutput;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.apache.spark.util.KnownSizeEstimation;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A model on its way to the executors.
 *
 * <p>On the driver it holds an open checkpoint. What is sent is the tensors as stored, two bytes a
 * weight where the checkpoint has two; an executor packs them one by one as they arrive, so that no
 * second copy lives. It does so once per JVM: Spark unpacks a broadcast once for all tasks, and
 * models that this JVM already has are found by their identity. In local mode Spark hands back the
 * driver's own object, which then packs the checkpoint when the first task asks.
 *
 * <p>Kryo would look at the fields; it is told to leave the work to Java's serialization.
 */
@DefaultSerializer(JavaSerializer.class)
public final class ModelBroadcast implements Externalizable, KnownSizeEstimation {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(ModelBroadcast.class);

  private static final int CHUNK = 1 << 16;

  /** Written for the number of tensors where only the reference is written. */
  private static final int REFERENCE = -1;

  private String fingerprint;
  private WeightFormat weights;
  private MambaConfig config;
  private MambaCheckpoint checkpoint;
  private MambaModel model;

  /** For deserialization. */
  public ModelBroadcast() {}

  /**
   * Wraps an open checkpoint, which the caller closes when the broadcast is no longer needed. Reads
   * every weight once for the fingerprint.
   */
  public ModelBroadcast(MambaCheckpoint checkpoint, WeightFormat weights) {
    this.checkpoint = checkpoint;
    this.weights = weights;
    this.config = checkpoint.config();
    this.fingerprint = checkpoint.fingerprint();
  }

  private String identity() {
    return PackedModels.identity(fingerprint, weights);
  }

  /** The packed model, shared by all tasks of this JVM. The first call may pack it. */
  public synchronized MambaModel model() {
    if (model == null) {
      model =
          PackedModels.model(
              identity(),
              () -> {
                MambaModel packed = checkpoint.load(weights);
                checkpoint.checkUnchanged();
                return packed;
              });
    }
    return model;
  }

  /** What the object weighs in Spark's memory accounts. A mapped checkpoint weighs nothing. */
  @Override
  public synchronized long estimatedSize() {
    return model == null ? 1024 : model.packedBytes();
  }

  @Override
  public void writeExternal(ObjectOutput out) throws IOException {
    out.writeUTF(fingerprint);
    out.writeUTF(weights.name());
    out.writeObject(config);
    if (checkpoint == null) {
      // An executor that is short of storage memory moves the broadcast to disk and back: the
      // weights would come back to this JVM's memory with the next task, so they stay there and a
      // reference to them is enough.
      PackedModels.pin(identity(), model);
      out.writeInt(REFERENCE);
      return;
    }
    out.writeInt(checkpoint.tensors().size());
    byte[] bytes = new byte[CHUNK];
    for (StoredTensor tensor : checkpoint.tensors().values()) {
      out.writeUTF(tensor.name());
      out.writeUTF(tensor.dtype().name());
      out.writeObject(tensor.shape());
      out.writeUTF(tensor.source());
      try {
        tensor.forEachChunk(
            CHUNK,
            chunk -> {
              int count = chunk.remaining();
              chunk.get(bytes, 0, count);
              try {
                out.write(bytes, 0, count);
              } catch (IOException e) {
                throw new UncheckedIOException(e);
              }
            });
      } catch (UncheckedIOException e) {
        throw e.getCause();
      }
    }
    // The files are mapped: what was sent is what they hold now.
    checkpoint.checkUnchanged();
  }

  @Override
  public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
    fingerprint = in.readUTF();
    weights = WeightFormat.valueOf(in.readUTF());
    config = (MambaConfig) in.readObject();
    int tensors = in.readInt();
    try {
      // Where the model is already here the rest of the stream stays unread, which Java allows.
      model = PackedModels.model(identity(), () -> pack(in, tensors));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private MambaModel pack(ObjectInput in, int tensors) {
    if (tensors == REFERENCE) {
      throw new IllegalStateException("Model " + fingerprint + " is no longer in this JVM");
    }
    try {
      long start = System.nanoTime();
      MambaModel.Builder builder = new MambaModel.Builder(config, weights);
      for (int i = 0; i < tensors; i++) {
        String name = in.readUTF();
        DType dtype = DType.valueOf(in.readUTF());
        int[] shape = (int[]) in.readObject();
        builder.add(name, shape, in.readUTF(), floats(in, dtype));
      }
      MambaModel built = builder.build();
      LOG.info(
          "Unpacked model {} ({} MB) in {} ms",
          fingerprint.substring(0, 12),
          built.packedBytes() >> 20,
          (System.nanoTime() - start) / 1_000_000);
      return built;
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } catch (ClassNotFoundException e) {
      throw new IllegalStateException(e);
    }
  }

  private static FloatReader floats(ObjectInput in, DType dtype) {
    byte[] bytes = new byte[CHUNK];
    ByteBuffer buffer = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
    return (into, offset, count) -> {
      int perChunk = CHUNK / dtype.bytes();
      try {
        for (int done = 0; done < count; ) {
          int now = Math.min(perChunk, count - done);
          in.readFully(bytes, 0, now * dtype.bytes());
          buffer.clear().limit(now * dtype.bytes());
          dtype.decode(buffer, into, offset + done, now);
          done += now;
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    };
  }
}
