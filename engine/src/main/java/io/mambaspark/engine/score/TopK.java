package io.mambaspark.engine.score;

/**
 * Selects the K largest logits of a row, which must be offered in the order of their ids. It is a
 * heap whose root is the entry to be evicted next: the smallest logit, and on ties the one with the
 * highest id.
 */
final class TopK {
  private final float[] logits;
  private final int[] ids;
  private int size;

  TopK(int k) {
    this.logits = new float[k];
    this.ids = new int[k];
  }

  void clear() {
    size = 0;
  }

  /**
   * Offers the ids [firstId, firstId + count), whose logits are in {@code row} from {@code at} on.
   */
  void offer(float[] row, int at, int count, int firstId) {
    for (int i = 0; i < count; i++) {
      if (size < ids.length) {
        siftUp(size++, row[at + i], firstId + i);
      } else if (row[at + i] > logits[0]) {
        siftDown(row[at + i], firstId + i);
      }
    }
  }

  /** Empties the heap into arrays of length K, best first. */
  void drain(int[] toIds, float[] toLogits) {
    while (size > 0) {
      toIds[size - 1] = ids[0];
      toLogits[size - 1] = logits[0];
      size--;
      siftDown(logits[size], ids[size]);
    }
  }

  /** Whether entry a is evicted before entry b. */
  private static boolean worse(float logitA, int idA, float logitB, int idB) {
    return logitA < logitB || (logitA == logitB && idA > idB);
  }

  private void siftUp(int at, float logit, int id) {
    while (at > 0) {
      int parent = (at - 1) / 2;
      if (!worse(logit, id, logits[parent], ids[parent])) {
        break;
      }
      set(at, logits[parent], ids[parent]);
      at = parent;
    }
    set(at, logit, id);
  }

  /** Replaces the root by an entry and moves it down to its place. */
  private void siftDown(float logit, int id) {
    int at = 0;
    while (2 * at + 1 < size) {
      int child = 2 * at + 1;
      if (child + 1 < size && worse(logits[child + 1], ids[child + 1], logits[child], ids[child])) {
        child++;
      }
      if (!worse(logits[child], ids[child], logit, id)) {
        break;
      }
      set(at, logits[child], ids[child]);
      at = child;
    }
    set(at, logit, id);
  }

  private void set(int at, float logit, int id) {
    logits[at] = logit;
    ids[at] = id;
  }
}
