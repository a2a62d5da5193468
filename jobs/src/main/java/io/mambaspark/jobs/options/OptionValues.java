package io.mambaspark.jobs.options;

import io.mambaspark.jobs.Refusal;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The values of options. Immutable. */
public final class OptionValues {
  /** Nothing given: every option has its default. */
  public static final OptionValues NONE = new OptionValues(Map.of());

  /** By the names of the options. */
  private final Map<String, Object> given;

  private OptionValues(Map<String, Object> given) {
    this.given = given;
  }

  /** The value that is given, or else the option's default, which may be null. */
  @SuppressWarnings("unchecked")
  public <T> T get(Option<T> option) {
    return isGiven(option) ? (T) given.get(option.name()) : option.defaultValue();
  }

  /** The value of a count, 0 where there is none. */
  public int count(Option<Integer> option) {
    Integer count = get(option);
    return count == null ? 0 : count;
  }

  public boolean isGiven(Option<?> option) {
    return given.containsKey(option.name());
  }

  /**
   * The same with another value.
   *
   * @param value null to give none
   * @throws Refusal if it is a count below 1
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
   * The same with a value of a type that only the option knows.
   *
   * @throws Refusal if it has another type, or is a count below 1
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

  /** The values of options by their names, for a summary; without passwords. */
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
