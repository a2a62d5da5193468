package io.mambaspark.jobs.score;

import io.mambaspark.engine.score.Windows;
import io.mambaspark.engine.score.Windows.Policy;
import io.mambaspark.jobs.Refusal;
import io.mambaspark.jobs.model.ModelConventions;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.stream.Collectors;

/**
 * The options that split documents into windows; see {@link Windows}.
 *
 * @param tokens the number of tokens in a window; 0 for {@link Policy#FULL}, and for {@link
 *     Policy#ROLLING} until the model's length is known
 * @param stride the stride of {@link Policy#STRIDED}; 0 for the others
 */
public record WindowOptions(Policy policy, int tokens, int stride) {
  /** One window with the complete document. */
  public static final WindowOptions FULL = new WindowOptions(Policy.FULL, 0, 0);

  /**
   * Parses the values of the command line. The default lengths are those of the programs that
   * define the policies: Hugging Face's guide and llama.cpp; for lm-evaluation-harness see {@link
   * #resolved}.
   *
   * @param tokens null for the default
   * @param stride null for the default
   */
  public static WindowOptions parse(String name, Integer tokens, Integer stride) {
    Policy policy =
        Arrays.stream(Policy.values())
            .filter(p -> p.label().equals(name))
            .findFirst()
            .orElseThrow(
                () ->
                    Refusal.wrongUsage(
                        "--window %s: expected one of %s",
                        name,
                        Arrays.stream(Policy.values())
                            .map(Policy::label)
                            .collect(Collectors.joining(", "))));
    if (tokens != null && policy == Policy.FULL) {
      throw Refusal.wrongUsage("--window-tokens needs --window rolling, strided or chunked");
    }
    if (stride != null && policy != Policy.STRIDED) {
      throw Refusal.wrongUsage("--stride needs --window strided");
    }
    int length =
        tokens != null
            ? tokens
            : switch (policy) {
              case FULL, ROLLING -> 0;
              case STRIDED -> 1024;
              case CHUNKED -> 512;
            };
    int step = policy != Policy.STRIDED ? 0 : stride != null ? stride : (length + 1) / 2;
    if ((tokens != null || policy != Policy.ROLLING) && !policy.allowsTokens(length)) {
      throw Refusal.wrongUsage(
          "--window-tokens %d: expected at least %d for --window %s, so that something is scored",
          length, policy.leastTokens(), name);
    }
    if (!policy.allowsStride(step, length)) {
      throw Refusal.wrongUsage(
          "--stride %d: expected 1 to %d, the number of tokens in a window", step, length);
    }
    return new WindowOptions(policy, length, step);
  }

  /** Returns these options; rolling windows without a length get that of the model. */
  WindowOptions resolved(ModelConventions model) {
    return policy == Policy.ROLLING && tokens == 0
        ? new WindowOptions(policy, model.maxLength().value(), stride)
        : this;
  }

  /** Returns the name of the policy on the command line. */
  public String name() {
    return policy.label();
  }

  /** Returns how often a token of a long document is processed. */
  public double runs() {
    return policy == Policy.STRIDED ? (double) tokens / stride : 1;
  }

  /** Returns the options for the summary and the ledger. */
  public Map<String, Object> described() {
    Map<String, Object> described = new LinkedHashMap<>();
    described.put("policy", name());
    described.put("tokens", tokens == 0 ? null : tokens);
    described.put("stride", stride == 0 ? null : stride);
    return described;
  }

  /** Returns a text such as {@code rolling, 2048 tokens}. */
  @Override
  public String toString() {
    return name()
        + (tokens == 0 ? "" : ", " + tokens + " tokens")
        + (stride == 0 ? "" : ", stride " + stride);
  }

  /**
   * Returns the windows for the engine.
   *
   * @param prefix the id of {@code --prefix-token}; in chunked windows it replaces the first token,
   *     as in llama.cpp
   */
  Windows windows(int prefix) {
    boolean replaces = policy == Policy.CHUNKED && prefix != TokenOptions.NO_PREFIX;
    return new Windows(policy, tokens, stride, replaces ? prefix : Windows.AS_IT_IS);
  }
}
