package io.mambaspark.engine.kernel;

import static org.bytedeco.dnnl.global.dnnl.*;

import java.lang.ref.Reference;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.Map;
import java.util.SplittableRandom;
import java.util.concurrent.ConcurrentHashMap;
import org.bytedeco.dnnl.dnnl_engine;
import org.bytedeco.dnnl.dnnl_exec_arg_t;
import org.bytedeco.dnnl.dnnl_memory;
import org.bytedeco.dnnl.dnnl_memory_desc;
import org.bytedeco.dnnl.dnnl_primitive;
import org.bytedeco.dnnl.dnnl_primitive_attr;
import org.bytedeco.dnnl.dnnl_primitive_desc;
import org.bytedeco.dnnl.dnnl_stream;
import org.bytedeco.javacpp.BytePointer;
import org.bytedeco.javacpp.IntPointer;
import org.bytedeco.javacpp.LongPointer;
import org.bytedeco.javacpp.Pointer;
import org.bytedeco.javacpp.PointerPointer;

/**
 * The parts of oneDNN's C API that {@link VectorDnnl} uses: products of 8-bit integers, s8 · s8 to
 * s32. Threads may share an object; each has its own {@link Call}s.
 */
final class Dnnl {
  /** Memory at other addresses halves oneDNN's speed. */
  private static final int ALIGNMENT = 64;

  /** The rows of a product are rounded up to a multiple, so that few primitives are compiled. */
  static final int ROWS = 16;

  /** The rows of a typical product, for which oneDNN chooses the layout of weights. */
  static final int CHUNK = 480;

  private final dnnl_engine engine = new dnnl_engine();
  private final Map<Long, Shape> shapes = new ConcurrentHashMap<>();

  Dnnl() {
    check(dnnl_engine_create(engine, dnnl_cpu, 0));
  }

  /** Returns the product of weights of this shape. */
  Shape shape(int k, int n) {
    return shapes.computeIfAbsent((long) k << 32 | n, key -> new Shape(k, n));
  }

  private static String implementation(dnnl_primitive_desc product) {
    PointerPointer<BytePointer> name = new PointerPointer<>(1);
    check(dnnl_primitive_desc_query(product, dnnl_query_impl_info_str, 0, name));
    return name.get(BytePointer.class, 0).getString();
  }

  /** Products of (m, k) and weights (k, n), for any m. */
  final class Shape {
    final int k;
    final int n;
    final String implementation;
    private final dnnl_memory_desc weights;
    private final long[] strides;
    private final long[] blocks;
    private final long[] blockDimensions;
    private final Map<Integer, Primitive> primitives = new ConcurrentHashMap<>();

    Shape(int k, int n) {
      this.k = k;
      this.n = n;
      dnnl_memory_desc any = description(dnnl_s8, dnnl_format_tag_any, k, n);
      dnnl_primitive_desc product = product(CHUNK, any);
      this.weights = new dnnl_memory_desc();
      check(
          dnnl_memory_desc_clone(
              weights, dnnl_primitive_desc_query_md(product, dnnl_query_weights_md, 0)));
      this.implementation = implementation(product);
      dnnl_primitive_desc_destroy(product);
      dnnl_memory_desc_destroy(any);
      IntPointer count = new IntPointer(1);
      check(dnnl_memory_desc_query(weights, dnnl_query_inner_nblks_s32, count));
      this.strides = query(dnnl_query_strides, 2);
      this.blocks = query(dnnl_query_inner_blks, count.get());
      this.blockDimensions = query(dnnl_query_inner_idxs, count.get());
    }

    private long[] query(int what, int count) {
      PointerPointer<Pointer> pointer = new PointerPointer<>(1);
      check(dnnl_memory_desc_query(weights, what, pointer));
      long[] values = new long[count];
      new LongPointer(pointer.get(0)).get(values);
      return values;
    }

    private dnnl_primitive_desc product(int m, dnnl_memory_desc weights) {
      dnnl_primitive_attr attributes = new dnnl_primitive_attr();
      check(dnnl_primitive_attr_create(attributes));
      check(dnnl_primitive_attr_set_scratchpad_mode(attributes, dnnl_scratchpad_mode_user));
      dnnl_memory_desc a = description(dnnl_s8, dnnl_ab, m, k);
      dnnl_memory_desc sums = description(dnnl_s32, dnnl_ab, m, n);
      dnnl_primitive_desc product = new dnnl_primitive_desc();
      check(dnnl_matmul_primitive_desc_create(product, engine, a, weights, null, sums, attributes));
      dnnl_memory_desc_destroy(a);
      dnnl_memory_desc_destroy(sums);
      dnnl_primitive_attr_destroy(attributes);
      return product;
    }

    /** The size of the weights in bytes. */
    long weightBytes() {
      return dnnl_memory_desc_get_size(weights);
    }

    /** The index of a weight. */
    int offset(long i, long j) {
      long[] position = {i, j};
      long offset = 0;
      long stride = 1;
      for (int block = blocks.length - 1; block >= 0; block--) {
        int dimension = (int) blockDimensions[block];
        offset += position[dimension] % blocks[block] * stride;
        position[dimension] /= blocks[block];
        stride *= blocks[block];
      }
      return (int) (offset + position[0] * strides[0] + position[1] * strides[1]);
    }

    /** Returns the product of so many rows, or of a few more. */
    Primitive primitive(int rows) {
      int m = (rows + ROWS - 1) / ROWS * ROWS;
      return primitives.computeIfAbsent(m, key -> new Primitive(this, m));
    }
  }

  /** A product that oneDNN has compiled for a number of rows, and whose sums were found exact. */
  final class Primitive {
    final Shape shape;
    final int m;
    private final dnnl_primitive primitive = new dnnl_primitive();
    private final dnnl_memory_desc a;
    private final dnnl_memory_desc sums;
    private final dnnl_memory_desc scratch = new dnnl_memory_desc();

    Primitive(Shape shape, int m) {
      this.shape = shape;
      this.m = m;
      this.a = description(dnnl_s8, dnnl_ab, m, shape.k);
      this.sums = description(dnnl_s32, dnnl_ab, m, shape.n);
      dnnl_primitive_desc product = shape.product(m, shape.weights);
      String implementation = implementation(product);
      check(dnnl_primitive_create(primitive, product));
      check(
          dnnl_memory_desc_clone(
              scratch, dnnl_primitive_desc_query_md(product, dnnl_query_scratchpad_md, 0)));
      dnnl_primitive_desc_destroy(product);
      if (implementation.startsWith("ref")) {
        throw new IllegalStateException("oneDNN has no fast product for this CPU");
      }
      verify(implementation, -127);
      verify(implementation, 64);
    }

    /**
     * Compares some sums with exact ones. Without VNNI, oneDNN adds pairs of products in 16 bits,
     * which saturate. Random digits show it, and digits of one sign give the largest sums.
     *
     * @param smallest the smallest digit; the largest is 127
     */
    private void verify(String implementation, int smallest) {
      int k = shape.k;
      int n = shape.n;
      byte[] left = digits(smallest, m * k);
      byte[] right = digits(smallest, n * k);
      ByteBuffer weights = allocate(shape.weightBytes());
      ByteBuffer found = allocate((long) m * n * Integer.BYTES);
      ByteBuffer rows = allocate(left.length).put(0, left);
      Call call = new Call(this, rows, found, allocate(scratchBytes()));
      call.run(0, reorder(shape, allocate(right.length).put(0, right), weights));
      for (int row = 0; row < m; row += 1 + m / 8) {
        for (int column = 0; column < n; column += 1 + n / 16) {
          int expected = 0;
          for (int i = 0; i < k; i++) {
            expected += left[row * k + i] * right[column * k + i];
          }
          int sum = found.getInt((row * n + column) * Integer.BYTES);
          if (sum != expected) {
            throw new IllegalStateException(
                "oneDNN's products are not exact on this CPU (%s, k %d: expected %d, found %d)"
                    .formatted(implementation, k, expected, sum));
          }
        }
      }
    }

    private static byte[] digits(int smallest, int length) {
      byte[] digits = new byte[length];
      new SplittableRandom(length).nextBytes(digits);
      for (int i = 0; i < length; i++) {
        digits[i] = (byte) (smallest + (digits[i] & 0xff) % (128 - smallest));
      }
      return digits;
    }

    long scratchBytes() {
      return dnnl_memory_desc_get_size(scratch);
    }

    /** Binds the product to memory. */
    Call call(ByteBuffer digits, ByteBuffer into, ByteBuffer scratchBytes) {
      return new Call(this, digits, into, scratchBytes);
    }
  }

  /** A product with its arguments in memory. One thread uses it. */
  final class Call {
    private final Primitive primitive;
    private final BytePointer a;
    private final Stream stream = new Stream(engine);
    private final dnnl_exec_arg_t arguments = new dnnl_exec_arg_t(4);
    private final Memory[] memories;

    /**
     * @param a rows of k bytes
     * @param sums receives m rows of n ints
     * @param scratch scratchBytes of the primitive
     */
    Call(Primitive primitive, ByteBuffer a, ByteBuffer sums, ByteBuffer scratch) {
      this.primitive = primitive;
      this.a = new BytePointer(a);
      this.memories =
          new Memory[] {
            memory(primitive.a, a), memory(primitive.sums, sums), memory(primitive.scratch, scratch)
          };
      arguments.position(0).arg(DNNL_ARG_SRC).memory(memories[0]);
      arguments.position(1).arg(DNNL_ARG_WEIGHTS);
      arguments.position(2).arg(DNNL_ARG_DST).memory(memories[1]);
      arguments.position(3).arg(DNNL_ARG_SCRATCHPAD).memory(memories[2]);
      arguments.position(0);
    }

    /** Computes the product of the m rows from byte {@code offset} on and weights. */
    void run(int offset, Memory weights) {
      check(dnnl_memory_set_data_handle(memories[0], a.position(offset)));
      arguments.position(1).memory(weights);
      arguments.position(0);
      try {
        check(dnnl_primitive_execute(primitive.primitive, stream, 4, arguments));
      } finally {
        // Native code sees addresses only: the collector must not free what they refer to.
        Reference.reachabilityFence(this);
        Reference.reachabilityFence(weights);
      }
    }
  }

  /** Converts weights of n rows of k bytes to the layout of the shape. */
  Memory reorder(Shape shape, ByteBuffer rows, ByteBuffer to) {
    dnnl_memory_desc plain = description(dnnl_s8, dnnl_ba, shape.k, shape.n);
    dnnl_primitive_desc description = new dnnl_primitive_desc();
    check(
        dnnl_reorder_primitive_desc_create(
            description, plain, engine, shape.weights, engine, null));
    dnnl_primitive primitive = new dnnl_primitive();
    check(dnnl_primitive_create(primitive, description));
    Memory from = memory(plain, rows);
    Memory weights = memory(shape.weights, to);
    Stream stream = new Stream(engine);
    dnnl_exec_arg_t arguments = new dnnl_exec_arg_t(2);
    arguments.position(0).arg(DNNL_ARG_FROM).memory(from);
    arguments.position(1).arg(DNNL_ARG_TO).memory(weights);
    arguments.position(0);
    try {
      check(dnnl_primitive_execute(primitive, stream, 2, arguments));
    } finally {
      Reference.reachabilityFence(from);
      Reference.reachabilityFence(weights);
      Reference.reachabilityFence(stream);
    }
    dnnl_primitive_destroy(primitive);
    dnnl_primitive_desc_destroy(description);
    dnnl_memory_desc_destroy(plain);
    return weights;
  }

  private Memory memory(dnnl_memory_desc description, ByteBuffer buffer) {
    return new Memory(description, engine, buffer);
  }

  /** Memory that oneDNN knows. It is free when this object is unreachable. */
  static final class Memory extends dnnl_memory {
    /** Keeps the memory while this object is reachable; native code knows its address only. */
    private final transient ByteBuffer buffer;

    Memory(dnnl_memory_desc description, dnnl_engine engine, ByteBuffer buffer) {
      this.buffer = buffer;
      check(dnnl_memory_create(this, description, engine, new Pointer(buffer)));
      deallocator(new Destroy(this));
    }

    /** Refers to the same native object, but not to the Java object. */
    private static final class Destroy extends dnnl_memory implements Deallocator {
      Destroy(dnnl_memory memory) {
        super(memory);
      }

      @Override
      public void deallocate() {
        dnnl_memory_destroy(this);
      }
    }
  }

  /** A stream of one thread, which oneDNN frees when this object is unreachable. */
  private static final class Stream extends dnnl_stream {
    Stream(dnnl_engine engine) {
      check(dnnl_stream_create(this, engine, dnnl_stream_default_flags));
      deallocator(new Destroy(this));
    }

    /** Refers to the same native object, but not to the Java object. */
    private static final class Destroy extends dnnl_stream implements Deallocator {
      Destroy(dnnl_stream stream) {
        super(stream);
      }

      @Override
      public void deallocate() {
        dnnl_stream_destroy(this);
      }
    }
  }

  private static dnnl_memory_desc description(int type, int tag, long... dimensions) {
    dnnl_memory_desc description = new dnnl_memory_desc();
    check(dnnl_memory_desc_create_with_tag(description, dimensions.length, dimensions, type, tag));
    return description;
  }

  /** Allocates memory outside the heap. It is free when the buffer is unreachable. */
  static ByteBuffer allocate(long bytes) {
    // A slice ends at a multiple of the alignment, too.
    long rounded = (bytes + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
    return ByteBuffer.allocateDirect(Math.toIntExact(rounded + ALIGNMENT))
        .alignedSlice(ALIGNMENT)
        .order(ByteOrder.nativeOrder());
  }

  private static void check(int status) {
    if (status != dnnl_success) {
      throw new IllegalStateException("oneDNN returned status " + status);
    }
  }
}
