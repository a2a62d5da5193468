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
 * The value of a model's broadcast.
 *
 * <p>On the driver it holds an open checkpoint. The driver sends the tensors as stored, with two
 * bytes a weight if the checkpoint stores two. An executor packs each tensor as it arrives, so that
 * it never holds a second copy. This happens once per JVM: Spark deserializes a broadcast once for
 * all tasks, and a model that this JVM has already packed is found by its identity. In local mode
 * Spark returns the driver's own object, which packs the checkpoint for the first task.
 *
 * <p>An executor that is short of storage memory moves broadcasts to disk. The executor then writes
 * no weights: packed weights are large, other tasks wait for memory during the write, and tasks
 * that use the model keep it in memory anyway. It writes a reference: the fingerprint, and the
 * {@link FileDelivery} of the same model. When the reference is read back, it resolves to the model
 * in this JVM, or fetches the model again from the driver if the JVM has collected it meanwhile.
 *
 * <p>A reference on disk must not keep the model in memory, because no event would end that: Spark
 * does not report the removal of a broadcast from disk. It does not report a second move to disk
 * either, because it reuses the file of the first move.
 *
 * <p>The annotation selects Java's serialization; Kryo's default would serialize the fields.
 */
@DefaultSerializer(JavaSerializer.class)
final class ModelBroadcast implements Externalizable, KnownSizeEstimation {
  private static final long serialVersionUID = 1;
  private static final Logger LOG = LoggerFactory.getLogger(ModelBroadcast.class);

  private static final int CHUNK = 1 << 16;

  /** Written in place of the number of tensors when no weights follow. */
  private static final int REFERENCE = -1;

  private String fingerprint;
  private WeightFormat weights;
  private MambaConfig config;

  /** Fetches the model again on an executor. */
  private FileDelivery files;

  /** The open checkpoint; null on executors. */
  private MambaCheckpoint checkpoint;

  private MambaModel model;

  /** For deserialization. */
  public ModelBroadcast() {}

  /**
   * Wraps an open checkpoint, which the caller closes when the broadcast is no longer needed. Reads
   * every weight once for the fingerprint.
   *
   * @param files delivers the same model in the same format
   */
  ModelBroadcast(MambaCheckpoint checkpoint, WeightFormat weights, FileDelivery files) {
    this.checkpoint = checkpoint;
    this.weights = weights;
    this.files = files;
    this.config = checkpoint.config();
    this.fingerprint = checkpoint.fingerprint();
  }

  private String identity() {
    return PackedModels.identity(fingerprint, weights);
  }

  /** Returns the packed model, which all tasks of this JVM share. The first call may pack it. */
  synchronized MambaModel model() {
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

  /** Returns the size for Spark's memory accounting. A mapped checkpoint takes no heap. */
  @Override
  public synchronized long estimatedSize() {
    return model == null ? 1024 : model.packedBytes();
  }

  @Override
  public void writeExternal(ObjectOutput out) throws IOException {
    out.writeUTF(fingerprint);
    out.writeUTF(weights.name());
    out.writeObject(config);
    out.writeObject(files);
    if (checkpoint == null) {
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
    // The files are mapped, so a change to them since they were opened was sent, too.
    checkpoint.checkUnchanged();
  }

  @Override
  public void readExternal(ObjectInput in) throws IOException, ClassNotFoundException {
    fingerprint = in.readUTF();
    weights = WeightFormat.valueOf(in.readUTF());
    config = (MambaConfig) in.readObject();
    files = (FileDelivery) in.readObject();
    int tensors = in.readInt();
    if (tensors == REFERENCE) {
      model = files.model();
      return;
    }
    try {
      // If this JVM has the model, the rest of the stream is not read. Java allows that.
      model = PackedModels.model(identity(), () -> pack(in, tensors));
    } catch (UncheckedIOException e) {
      throw e.getCause();
    }
  }

  private MambaModel pack(ObjectInput in, int tensors) {
    try {
      long start = System.nanoTime();
      MambaModel.Builder builder = new MambaModel.Builder(config, weights);
      for (int i = 0; i < tensors; i++) {
        String name = in.readUTF();
        DType dtype = DType.valueOf(in.readUTF());
        int[] shape = (int[]) in.readObject();
        builder.add(name, shape, dtype, in.readUTF(), floats(in, dtype));
      }
      MambaModel built = builder.build();
      LOG.info(
          "Received and packed model {} ({} MB) in {} ms",
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
