package io.mambaspark.engine.checkpoint;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reads a torch state dict from a pickle, and refuses any other pickle.
 *
 * <p>A pickle is a program for a stack machine that may call any Python function. This machine
 * implements only the opcodes that build plain containers, and emulates four functions: {@code
 * torch._utils._rebuild_tensor_v2}, {@code torch._utils._rebuild_parameter}, {@code
 * torch._utils._rebuild_parameter_with_state} and {@code collections.OrderedDict}. It refuses
 * everything else with a message that names it. Opcodes: Python's Lib/pickletools.py. Torch writes
 * protocol 2; pickles of protocols 3 to 5 are read if they use the same opcodes or their newer
 * equivalents.
 */
final class Pickle {
  /** The maximum size of a pickle in bytes. Real ones have about 200 bytes per tensor. */
  static final int MAX_BYTES = 16 << 20;

  /** The maximum number of opcodes, about 40 per tensor. It also bounds the values built. */
  static final int MAX_STEPS = 1_000_000;

  /** The maximum depth of the stack. Python sets at most 1000 items at a time. */
  static final int MAX_STACK = 10_000;

  static final int MAX_MEMO = 1_000_000;

  /** A storage in the archive: the type of its elements, its key, and the number of elements. */
  record Storage(ElementType type, String key, long elements) {}

  /** A view of a storage, in elements. Not yet checked against the archive. */
  record Tensor(Storage storage, long offset, List<Long> shape, List<Long> strides) {}

  /** The type of a storage's elements; {@code dtype} is null if this library cannot read it. */
  record ElementType(String name, DType dtype) {}

  private enum Function {
    REBUILD_TENSOR,
    REBUILD_PARAMETER,
    REBUILD_PARAMETER_WITH_STATE,
    ORDERED_DICT
  }

  private static final Map<String, Object> GLOBALS =
      Map.ofEntries(
          Map.entry("torch._utils._rebuild_tensor_v2", Function.REBUILD_TENSOR),
          Map.entry("torch._utils._rebuild_parameter", Function.REBUILD_PARAMETER),
          Map.entry(
              "torch._utils._rebuild_parameter_with_state", Function.REBUILD_PARAMETER_WITH_STATE),
          Map.entry("collections.OrderedDict", Function.ORDERED_DICT),
          Map.entry("torch.FloatStorage", new ElementType("float32", DType.F32)),
          Map.entry("torch.HalfStorage", new ElementType("float16", DType.F16)),
          Map.entry("torch.BFloat16Storage", new ElementType("bfloat16", DType.BF16)),
          Map.entry("torch.DoubleStorage", new ElementType("float64", DType.F64)),
          Map.entry("torch.LongStorage", new ElementType("int64", DType.I64)),
          Map.entry("torch.IntStorage", new ElementType("int32", DType.I32)),
          Map.entry("torch.ShortStorage", new ElementType("int16", DType.I16)),
          Map.entry("torch.CharStorage", new ElementType("int8", DType.I8)),
          Map.entry("torch.ByteStorage", new ElementType("uint8", DType.U8)),
          Map.entry("torch.BoolStorage", new ElementType("bool", DType.BOOL)),
          Map.entry("torch.ComplexFloatStorage", new ElementType("complex64", null)),
          Map.entry("torch.ComplexDoubleStorage", new ElementType("complex128", null)));

  private record Tuple(List<Object> items) {}

  private static final class Dict {
    final Map<Object, Object> items = new LinkedHashMap<>();
  }

  private static final Object NONE = new Object();

  private final PickleOperands operands;
  private final List<Object> stack = new ArrayList<>();
  private final List<Integer> marks = new ArrayList<>();
  private final Map<Long, Object> memo = new HashMap<>();

  private Pickle(PickleOperands operands) {
    this.operands = operands;
  }

  /** Returns the tensors of a pickled state dict, by name. {@code bytes} must be little-endian. */
  static Map<String, Tensor> read(ByteBuffer bytes, String source) {
    if (bytes.remaining() > MAX_BYTES) {
      throw new CheckpointException(
          "Cannot read data.pkl of %s: found %d bytes, expected at most %d"
              .formatted(source, bytes.remaining(), MAX_BYTES));
    }
    Pickle pickle = new Pickle(new PickleOperands(bytes, source));
    return pickle.tensors(pickle.run());
  }

  private Map<String, Tensor> tensors(Object top) {
    if (!(top instanceof Dict dict)) {
      throw refused("expected a dict of tensors by name, found " + describe(top));
    }
    Map<String, Tensor> tensors = new LinkedHashMap<>();
    dict.items.forEach(
        (key, value) -> {
          if (!(key instanceof String name)) {
            throw refused("expected the names of tensors, found " + describe(key));
          }
          if (value instanceof Tensor tensor) {
            tensors.put(name, tensor);
          } else {
            String found =
                "expected a tensor under " + CheckpointException.shown(name) + ", found ";
            throw refused(
                value instanceof Dict
                    ? found + "a dict; it is a training checkpoint: save only its state dict"
                    : found + describe(value));
          }
        });
    return tensors;
  }

  private Object run() {
    for (int step = 0; step < MAX_STEPS; step++) {
      int opcode = operands.u8();
      if (opcode == '.') {
        Object top = pop();
        if (!stack.isEmpty() || !marks.isEmpty() || operands.hasRemaining()) {
          throw refused("found data after its end");
        }
        return top;
      }
      execute(opcode);
      if (stack.size() > MAX_STACK || marks.size() > MAX_STACK) {
        throw refused("its stack holds more than " + MAX_STACK + " values");
      }
    }
    throw refused("it has more than " + MAX_STEPS + " opcodes");
  }

  private void execute(int opcode) {
    switch (opcode) {
      case 0x80 -> checkProtocol(operands.u8()); // PROTO
      case 0x95 -> operands.take(8); // FRAME
      case '(' -> marks.add(stack.size());
      case '0' -> pop();
      case 'N' -> stack.add(NONE);
      case 0x88 -> stack.add(true);
      case 0x89 -> stack.add(false);
      case 'K' -> stack.add((long) operands.u8());
      case 'M' -> stack.add((long) operands.take(2).getShort() & 0xffff);
      case 'J' -> stack.add((long) operands.take(4).getInt());
      case 0x8a -> stack.add(operands.longInteger(operands.u8())); // LONG1
      case 'G' -> stack.add(Double.longBitsToDouble(Long.reverseBytes(operands.take(8).getLong())));
      case 'X' -> stack.add(operands.text(operands.u32()));
      case 0x8c -> stack.add(operands.text(operands.u8())); // SHORT_BINUNICODE
      case 0x8d -> stack.add(operands.text(operands.take(8).getLong())); // BINUNICODE8
      case ')' -> stack.add(new Tuple(List.of()));
      case 't' -> stack.add(new Tuple(popMark()));
      case 0x85 -> stack.add(new Tuple(popTop(1)));
      case 0x86 -> stack.add(new Tuple(popTop(2)));
      case 0x87 -> stack.add(new Tuple(popTop(3)));
      case ']' -> stack.add(new ArrayList<>());
      case 'a' -> append(popTop(1));
      case 'e' -> append(popMark());
      case '}' -> stack.add(new Dict());
      case 's' -> setItems(popTop(2));
      case 'u' -> setItems(popMark());
      case 'q' -> remember(operands.u8());
      case 'r' -> remember(operands.u32());
      case 0x94 -> remember(memo.size()); // MEMOIZE
      case 'h' -> recall(operands.u8());
      case 'j' -> recall(operands.u32());
      case 'c' -> stack.add(global(operands.line(), operands.line()));
      case 0x93 -> stack.add(stackGlobal(pop(), pop())); // STACK_GLOBAL
      case 'R' -> {
        Object arguments = pop();
        stack.add(call(pop(), arguments));
      }
      case 'Q' -> stack.add(storage(pop()));
      case 'b' -> {
        Object state = pop();
        build(peek(), state);
      }
      default ->
          throw refused(
              "opcode 0x%02x at byte %d does not describe tensors; nothing was executed"
                  .formatted(opcode, operands.position() - 1));
    }
  }

  private void checkProtocol(int protocol) {
    if (protocol < 2 || protocol > 5) {
      throw refused("found protocol " + protocol + ", expected 2 to 5");
    }
  }

  private Object stackGlobal(Object name, Object module) {
    if (!(module instanceof String m && name instanceof String n)) {
      throw refused("a global's name is not a string");
    }
    return global(m, n);
  }

  private Object global(String module, String name) {
    Object known = GLOBALS.get(module + "." + name);
    if (known == null) {
      throw refused(
          "it refers to "
              + CheckpointException.shown(module + "." + name)
              + "; only plain float tensors are read, and nothing was executed");
    }
    return known;
  }

  private Object call(Object callable, Object arguments) {
    List<Object> items = arguments instanceof Tuple tuple ? tuple.items : null;
    if (callable instanceof Function function && items != null) {
      switch (function) {
        case ORDERED_DICT -> {
          if (items.isEmpty()) {
            return new Dict();
          }
        }
        case REBUILD_PARAMETER -> {
          // (data, requires_grad, backward_hooks)
          if (items.size() == 3 && items.get(0) instanceof Tensor) {
            return items.get(0);
          }
        }
        case REBUILD_PARAMETER_WITH_STATE -> {
          // (data, requires_grad, backward_hooks, state). The state holds Python attributes for an
          // optimizer, such as _no_weight_decay. It is a dict, None, or a pair of those, and is
          // ignored.
          if (items.size() == 4
              && items.get(0) instanceof Tensor
              && (items.get(3) == NONE
                  || items.get(3) instanceof Dict
                  || items.get(3) instanceof Tuple)) {
            return items.get(0);
          }
        }
        case REBUILD_TENSOR -> {
          // (storage, storage_offset, size, stride, requires_grad, backward_hooks[, metadata])
          if ((items.size() == 6 || items.size() == 7)
              && items.get(0) instanceof Storage storage
              && items.get(1) instanceof Long offset) {
            return new Tensor(storage, offset, integers(items.get(2)), integers(items.get(3)));
          }
        }
      }
      throw refused("the arguments of " + function + " are not what torch writes");
    }
    throw refused("it calls " + describe(callable) + "; nothing was executed");
  }

  private List<Long> integers(Object value) {
    List<Long> integers = new ArrayList<>();
    if (value instanceof Tuple tuple) {
      // Many tensors may share one tuple as their shape, and each copies it, so its length is
      // limited.
      if (tuple.items.size() > StoredTensor.MAX_RANK) {
        throw refused(
            "found a shape or stride of %d numbers, expected at most %d"
                .formatted(tuple.items.size(), StoredTensor.MAX_RANK));
      }
      for (Object item : tuple.items) {
        if (!(item instanceof Long integer)) {
          throw refused("expected the integers of a shape or stride, found " + describe(item));
        }
        integers.add(integer);
      }
      return List.copyOf(integers);
    }
    throw refused("expected a shape or stride, found " + describe(value));
  }

  private Storage storage(Object id) {
    // ('storage', type, key, device, elements). The device is that of the process that saved the
    // file, and is ignored.
    if (id instanceof Tuple tuple
        && tuple.items.size() == 5
        && "storage".equals(tuple.items.get(0))
        && tuple.items.get(1) instanceof ElementType type
        && tuple.items.get(2) instanceof String key
        && tuple.items.get(3) instanceof String
        && tuple.items.get(4) instanceof Long elements) {
      return new Storage(type, key, elements);
    }
    throw refused("a persistent id does not describe a storage");
  }

  /**
   * Ignores the attribute {@code _metadata}, the version numbers of the modules, which torch adds
   * to every state dict. Refuses any other attribute.
   */
  private void build(Object target, Object state) {
    if (!(target instanceof Dict
        && state instanceof Dict attributes
        && attributes.items.keySet().stream().allMatch("_metadata"::equals))) {
      throw refused("it sets attributes of " + describe(target) + " other than _metadata");
    }
  }

  private void append(List<Object> items) {
    if (!(peek() instanceof ArrayList<?>)) {
      throw refused("it appends to " + describe(peek()));
    }
    @SuppressWarnings("unchecked")
    List<Object> list = (List<Object>) peek();
    list.addAll(items);
  }

  private void setItems(List<Object> items) {
    if (!(peek() instanceof Dict dict) || items.size() % 2 != 0) {
      throw refused("it sets items of " + describe(peek()));
    }
    for (int i = 0; i < items.size(); i += 2) {
      // Other keys could contain themselves, and hashing such a key would not terminate.
      if (!(items.get(i) instanceof String || items.get(i) instanceof Long)) {
        throw refused("a dict has " + describe(items.get(i)) + " as a key");
      }
      if (dict.items.put(items.get(i), items.get(i + 1)) != null) {
        throw refused("a dict has the key %s twice".formatted(describe(items.get(i))));
      }
    }
  }

  private void remember(long index) {
    if (index >= MAX_MEMO) {
      throw refused("memo index " + index + " is not below " + MAX_MEMO);
    }
    memo.put(index, peek());
  }

  private void recall(long index) {
    Object value = memo.get(index);
    if (value == null) {
      throw refused("memo index " + index + " is not set");
    }
    stack.add(value);
  }

  /** The stack size at the innermost mark; opcodes may not pop below it. */
  private int floor() {
    return marks.isEmpty() ? 0 : marks.get(marks.size() - 1);
  }

  private Object peek() {
    if (stack.size() <= floor()) {
      throw refused("its stack is empty at byte " + operands.position());
    }
    return stack.get(stack.size() - 1);
  }

  private Object pop() {
    Object top = peek();
    stack.remove(stack.size() - 1);
    return top;
  }

  private List<Object> popTop(int count) {
    if (stack.size() - floor() < count) {
      throw refused("its stack is empty at byte " + operands.position());
    }
    return popFrom(stack.size() - count);
  }

  private List<Object> popMark() {
    if (marks.isEmpty()) {
      throw refused("its stack has no mark at byte " + operands.position());
    }
    return popFrom(marks.remove(marks.size() - 1));
  }

  private List<Object> popFrom(int start) {
    List<Object> top = stack.subList(start, stack.size());
    List<Object> items = List.copyOf(top);
    top.clear();
    return items;
  }

  private String describe(Object value) {
    if (value instanceof String text) {
      return "the string " + CheckpointException.shown(text);
    } else if (value instanceof Dict) {
      return "a dict";
    } else if (value instanceof Tuple || value instanceof List<?>) {
      return "a sequence";
    } else if (value instanceof Tensor) {
      return "a tensor";
    } else if (value instanceof Storage) {
      return "a storage";
    } else if (value instanceof ElementType || value instanceof Function) {
      return "a class or function";
    }
    return value == NONE ? "None" : "the value " + value;
  }

  private CheckpointException refused(String why) {
    return operands.refused(why);
  }
}
