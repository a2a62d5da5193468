package io.mambaspark.jobs.ml;

import io.mambaspark.jobs.options.Option;
import io.mambaspark.jobs.options.Options;
import java.util.LinkedHashMap;
import java.util.Map;
import org.apache.spark.ml.Transformer;
import org.apache.spark.ml.param.BooleanParam;
import org.apache.spark.ml.param.IntParam;
import org.apache.spark.ml.param.Param;
import org.apache.spark.ml.param.ParamValidators;

/** The parameters of the stage: the options of {@link Options#STAGE}, and how to save the stage. */
abstract class StageParams extends Transformer {
  private static final long serialVersionUID = 1;

  private final String uid;
  private final Map<String, Param<?>> byOption = new LinkedHashMap<>();
  private final Param<String> fingerprint;
  private final BooleanParam saveModel;

  StageParams(String uid) {
    this.uid = uid;
    Options.STAGE.forEach(this::declare);
    this.fingerprint =
        new Param<>(this, "fingerprint", "SHA-256 that the model must have; set when saved");
    this.saveModel =
        new BooleanParam(
            this, "saveModel", "whether saving the stage copies the model's files into it");
    setDefault(saveModel, false);
  }

  private <T> void declare(Option<T> option) {
    if (option.kind().type() == Integer.class) {
      byOption.put(
          option.name(),
          new IntParam(this, option.property(), option.brief(), ParamValidators.gt(0)));
      return;
    }
    if (option.kind() == Option.Kind.FLAG) {
      BooleanParam flag = new BooleanParam(this, option.property(), option.brief());
      byOption.put(option.name(), flag);
      setDefault(flag, option.defaultValue());
      return;
    }
    Param<T> param = new Param<>(this, option.property(), option.brief());
    byOption.put(option.name(), param);
    if (option.defaultValue() != null) {
      setDefault(param, option.defaultValue());
    }
  }

  @SuppressWarnings("unchecked")
  private Param<String> text(Option<String> option) {
    return (Param<String>) byOption.get(option.name());
  }

  private BooleanParam flag(Option<Boolean> option) {
    return (BooleanParam) byOption.get(option.name());
  }

  private IntParam number(Option<Integer> option) {
    return (IntParam) byOption.get(option.name());
  }

  /** Returns the scorer options that are set, by their names on the command line. */
  Map<String, Object> values() {
    Map<String, Object> values = new LinkedHashMap<>();
    byOption.forEach(
        (option, param) -> {
          if (isSet(param) && !option.equals(Options.MODEL.name())) {
            values.put(option, getOrDefault(param));
          }
        });
    // If both columns are set, the stage scores the text.
    if (values.containsKey(Options.TEXT_COLUMN.name())) {
      values.remove(Options.TOKENS_COLUMN.name());
    }
    return values;
  }

  @Override
  public String uid() {
    return uid;
  }

  String value(Param<String> param) {
    return getOrDefault(param);
  }

  /** Parameter {@code fingerprint}. */
  public Param<String> fingerprint() {
    return fingerprint;
  }

  /** Parameter {@code saveModel}. */
  public BooleanParam saveModel() {
    return saveModel;
  }

  /** Parameter {@code model}. */
  public Param<String> model() {
    return text(Options.MODEL);
  }

  /** Parameter {@code weights}. */
  public Param<String> weights() {
    return text(Options.WEIGHTS);
  }

  /** Parameter {@code modelDelivery}. */
  public Param<String> modelDelivery() {
    return text(Options.MODEL_DELIVERY);
  }

  /** Parameter {@code tokensColumn}. */
  public Param<String> tokensColumn() {
    return text(Options.TOKENS_COLUMN);
  }

  /** Parameter {@code textColumn}. */
  public Param<String> textColumn() {
    return text(Options.TEXT_COLUMN);
  }

  /** Parameter {@code contextColumn}. */
  public Param<String> contextColumn() {
    return text(Options.CONTEXT_COLUMN);
  }

  /** Parameter {@code continuationColumn}. */
  public Param<String> continuationColumn() {
    return text(Options.CONTINUATION_COLUMN);
  }

  /** Parameter {@code tokenizer}. */
  public Param<String> tokenizer() {
    return text(Options.TOKENIZER);
  }

  /** Parameter {@code addSpecialTokens}. */
  public BooleanParam addSpecialTokens() {
    return flag(Options.ADD_SPECIAL_TOKENS);
  }

  /** Parameter {@code emit}. */
  public Param<String> emit() {
    return text(Options.EMIT);
  }

  /** Parameter {@code segmentBy}. */
  public Param<String> segmentBy() {
    return text(Options.SEGMENT_BY);
  }

  /** Parameter {@code prefixToken}. */
  public Param<String> prefixToken() {
    return text(Options.PREFIX_TOKEN);
  }

  /** Parameter {@code maxTokens}. */
  public IntParam maxTokens() {
    return number(Options.MAX_TOKENS);
  }

  /** Parameter {@code maxLength}. */
  public IntParam maxLength() {
    return number(Options.MAX_LENGTH);
  }

  /** Parameter {@code window}. */
  public Param<String> window() {
    return text(Options.WINDOW);
  }

  /** Parameter {@code windowTokens}. */
  public IntParam windowTokens() {
    return number(Options.WINDOW_TOKENS);
  }

  /** Parameter {@code stride}. */
  public IntParam stride() {
    return number(Options.STRIDE);
  }

  /** Parameter {@code onError}. */
  public Param<String> onError() {
    return text(Options.ON_ERROR);
  }
}
