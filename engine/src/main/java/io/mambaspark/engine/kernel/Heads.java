package io.mambaspark.engine.kernel;

/**
 * The shape of Mamba-2's scan: heads of channels, and groups of heads that share B and C.
 *
 * <p>Head h has the channels [h · headDim, (h + 1) · headDim) and is in group h div (heads /
 * groups). In {@linkplain Panels column panels}, the channels of each group begin in a new panel,
 * and so do its columns of B and of C. The last panel of a group is padded with zeros. A head may
 * begin and end within a panel.
 *
 * @param heads H, the number of heads
 * @param headDim P, the number of channels per head
 * @param groups G, the number of groups; it divides {@code heads}
 * @param dState N, the number of states of the scan per channel
 */
public record Heads(int heads, int headDim, int groups, int dState) {
  /** The rows of scratch memory for the decays of each channel of two panels. */
  static final int SCRATCH_ROWS = 128;

  /** Throws IllegalArgumentException unless all are positive and the groups divide the heads. */
  public Heads {
    if (heads < 1 || headDim < 1 || groups < 1 || dState < 1 || heads % groups != 0) {
      throw new IllegalArgumentException(
          "Cannot lay out %d heads of %d channels and %d states in %d groups: expected positive"
                  .formatted(heads, headDim, dState, groups)
              + " numbers, and groups that divide the heads");
    }
  }

  /** The number of channels per group, without padding. */
  public int channelsPerGroup() {
    return heads / groups * headDim;
  }

  /** The number of panels of channels per group. */
  public int panelsPerGroup() {
    return Panels.count(channelsPerGroup());
  }

  /** The number of panels of channels. */
  public int panels() {
    return groups * panelsPerGroup();
  }

  /** The number of panels of one group's B, and of one group's C. */
  public int statePanels() {
    return Panels.count(dState);
  }

  /** The number of panels of arrays with one column per head, such as dt. */
  public int headPanels() {
    return Panels.count(heads);
  }

  /** The number of floats of the scan's state, (panels, dState, 16). */
  public int stateFloats() {
    return panels() * dState * Panels.WIDTH;
  }

  /** The number of floats of the scratch memory of {@link Kernels#headScan}. */
  public int scratchFloats(int stride) {
    return (headPanels() * stride + SCRATCH_ROWS) * Panels.WIDTH;
  }

  /** The head of a channel in a lane of a panel; -1 if the lane is padding. */
  int head(int panel, int lane) {
    int group = panel / panelsPerGroup();
    int channel = panel % panelsPerGroup() * Panels.WIDTH + lane;
    return channel < channelsPerGroup() ? group * (heads / groups) + channel / headDim : -1;
  }
}
