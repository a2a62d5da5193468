package io.mambaspark.engine.score;

/**
 * The K largest of a row of logits that come in the order of their ids. A heap whose root is the
 * entry to go next: the smallest logit, of equal ones the highest id.
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

  /** Takes the next ids, whose logits stand in {@code row}. */
  void offer(float[] row, int at, int count, int firstId) {
    for (int i = 0; i < count; i++) {
      if (size < ids.length) {
        up(size++, row[at + i], firstId + i);
      } else if (row[at + i] > logits[0]) {
        down(row[at + i], firstId + i);
      }
    }
  }

  /** Empties the heap into arrays of length K, best first. */
  void drain(int[] toIds, float[] toLogits) {
    while (size > 0) {
      toIds[size - 1] = ids[0];
      toLogits[size - 1] = logits[0];
      size--;
      down(logits[size], ids[size]);
    }
  }

  /** Whether entry a goes before entry b. */
  private static boolean worse(float logitA, int idA, float logitB, int idB) {
    return logitA < logitB || (logitA == logitB && idA > idB);
  }

  private void up(int at, float logit, int id) {
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

  /** Puts an entry in the place of the root and lets it sink. */
  private void down(float logit, int id) {
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
