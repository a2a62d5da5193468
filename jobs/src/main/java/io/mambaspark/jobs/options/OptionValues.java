package io.mambaspark.jobs.options;

import io.mambaspark.jobs.Refusal;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The values of options. Immutable. */
public final class OptionValues {
  /** No option is given: every option has its default. */
  public static final OptionValues NONE = new OptionValues(Map.of());

  /** The values by the names of the options. */
  private final Map<String, Object> given;

  private OptionValues(Map<String, Object> given) {
    this.given = given;
  }

  /** Returns the given value or else the option's default, which may be null. */
  @SuppressWarnings("unchecked")
  public <T> T get(Option<T> option) {
    return isGiven(option) ? (T) given.get(option.name()) : option.defaultValue();
  }

  /** Returns the value of a count; 0 if it has none. */
  public int count(Option<Integer> option) {
    Integer count = get(option);
    return count == null ? 0 : count;
  }

  public boolean isGiven(Option<?> option) {
    return given.containsKey(option.name());
  }

  /**
   * Returns a copy with another value.
   *
   * @param value null to remove the value
   * @throws Refusal if the option is a count and the value is below 1
   */
  public <T> OptionValues with(Option<T> option, T value) {
    boolean count = option.kind() == Option.Kind.COUNT || option.kind() == Option.Kind.LONG_COUNT;
    if (count && value != null && ((Number) value).longValue() < 1) {
      throw Refusal.wrongUsage("%s %d: expected at least 1", option.flag(), value);
    }
    Map<String, Object> changed = new HashMap<>(given);
    if (value == null) {
      changed.remove(option.name());
    } else {
      changed.put(option.name(), value instanceof List<?> list ? List.copyOf(list) : value);
    }
    return new OptionValues(changed);
  }

  /**
   * Returns a copy with another value whose type is checked at run time.
   *
   * @throws Refusal if the value has the wrong type, or is a count below 1
   */
  @SuppressWarnings("unchecked")
  public <T> OptionValues withUnchecked(Option<T> option, Object value) {
    boolean texts =
        !(value instanceof List<?> list) || list.stream().allMatch(String.class::isInstance);
    if (value != null && (!option.kind().type().isInstance(value) || !texts)) {
      throw Refusal.wrongUsage(
          "%s is %s; expected a value of type %s",
          option.flag(), value, option.kind().type().getSimpleName());
    }
    return with(option, (T) value);
  }

  /** Returns the values of options by their names, for a summary, without passwords. */
  public Map<String, Object> recorded(List<Option<?>> options) {
    Map<String, Object> values = new LinkedHashMap<>();
    for (Option<?> option : options) {
      if (Options.UNRECORDED.stream().noneMatch(other -> other.name().equals(option.name()))) {
        values.put(option.name(), redacted(get(option)));
      }
    }
    return values;
  }

  private static Object redacted(Object value) {
    if (value instanceof List<?> list) {
      return list.stream().map(OptionValues::redacted).toList();
    }
    return value instanceof String text ? Refusal.redacted(text) : value;
  }
}
