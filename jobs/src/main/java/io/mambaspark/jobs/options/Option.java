package io.mambaspark.jobs.options;

import java.util.Arrays;
import java.util.List;
import java.util.Locale;
import java.util.stream.Collectors;

/**
 * The declaration of an option: its name, its type, its default and its explanation.
 *
 * @param <T> the type of its values
 */
public final class Option<T> {
  /** The placeholder of the default in an explanation. */
  private static final String DEFAULT = "{default}";

  /** The form of an option's value on the command line. */
  public enum Kind {
    /** A word. */
    TEXT(String.class),
    /** A word that may be omitted; an omitted word means the option's fallback. */
    OPTIONAL_TEXT(String.class),
    /** Words, separated by commas. */
    LIST(List.class),
    /** Words, separated by spaces or given by repeating the option. */
    WORDS(List.class),
    /** One word; the option is given several times. */
    REPEATED(List.class),
    /** An integer, whose limits depend on other options. */
    INTEGER(Integer.class),
    /** An integer of at least 1. */
    COUNT(Integer.class),
    /** An integer of at least 1 that may need 64 bits. */
    LONG_COUNT(Long.class),
    /** A number. */
    NUMBER(Double.class),
    /** No value: the option is given or not. */
    FLAG(Boolean.class);

    private final Class<?> type;

    Kind(Class<?> type) {
      this.type = type;
    }

    /** The class of the values. */
    public Class<?> type() {
      return type;
    }
  }

  private final String name;
  private final Kind kind;
  private final String label;
  private final T value;
  private final String note;
  private final String text;
  private final String fallback;
  private final boolean required;
  private final String noIdentity;
  private final String brief;

  private Option(
      String name, Kind kind, String label, String text, T value, String note, Extras extras) {
    this.name = name;
    this.kind = kind;
    this.label = label;
    this.text = text;
    this.value = value;
    this.note = note;
    this.fallback = extras.fallback;
    this.required = extras.required;
    this.noIdentity = extras.noIdentity;
    this.brief = extras.brief;
  }

  /** The properties that few options have. */
  private record Extras(boolean required, String fallback, String noIdentity, String brief) {
    static final Extras NONE = new Extras(false, null, null, null);
  }

  private static <T> Option<T> of(String name, Kind kind, String label, String text, T value) {
    return new Option<>(name, kind, label, text, value, null, Extras.NONE);
  }

  static Option<String> text(String name, String label, String text) {
    return of(name, Kind.TEXT, label, text, null);
  }

  /** Declares an option whose value may be omitted. */
  static Option<String> optionalText(String name, String label, String fallback, String text) {
    return new Option<>(
        name, Kind.OPTIONAL_TEXT, label, text, null, null, new Extras(false, fallback, null, null));
  }

  static Option<List<String>> list(String name, String label, String text) {
    return of(name, Kind.LIST, label, text, null);
  }

  static Option<List<String>> words(String name, String label, String text) {
    return of(name, Kind.WORDS, label, text, List.of());
  }

  static Option<List<String>> repeated(String name, String label, String text) {
    return of(name, Kind.REPEATED, label, text, List.of());
  }

  static Option<Integer> integer(String name, String label, String text) {
    return of(name, Kind.INTEGER, label, text, null);
  }

  static Option<Integer> count(String name, String label, String text) {
    return of(name, Kind.COUNT, label, text, null);
  }

  static Option<Long> longCount(String name, String label, String text) {
    return of(name, Kind.LONG_COUNT, label, text, null);
  }

  static Option<Double> number(String name, String label, String text) {
    return of(name, Kind.NUMBER, label, text, null);
  }

  static Option<Boolean> flag(String name, String text) {
    return of(name, Kind.FLAG, "", text, false);
  }

  private Extras extras() {
    return new Extras(required, fallback, noIdentity, brief);
  }

  /** Returns a copy with a default. */
  Option<T> withDefault(T other) {
    return new Option<>(name, kind, label, text, other, String.valueOf(other), extras());
  }

  /** Returns a copy whose default depends on other things; {@code words} describes it. */
  Option<T> defaultInWords(String words) {
    return new Option<>(name, kind, label, text, value, words, extras());
  }

  /** Returns a copy that a command requires. */
  Option<T> asRequired() {
    return new Option<>(
        name, kind, label, text, value, note, new Extras(true, fallback, noIdentity, brief));
  }

  /** Returns a copy with the explanation of another command. */
  Option<T> help(String other) {
    return new Option<>(name, kind, label, other, value, note, extras());
  }

  /**
   * Returns a copy on whose value scores depend, so that it is part of a run's identity.
   *
   * @param none the text in the identity if the option has no value
   */
  Option<T> partOfIdentity(String none) {
    return new Option<>(
        name, kind, label, text, value, note, new Extras(required, fallback, none, brief));
  }

  /** Returns a copy with an explanation for the parameter of the pipeline stage. */
  Option<T> shortHelp(String words) {
    return new Option<>(
        name, kind, label, text, value, note, new Extras(required, fallback, noIdentity, words));
  }

  /** The name on the command line, without dashes. */
  public String name() {
    return name;
  }

  /** The name on the command line with dashes: {@code --max-tokens}. */
  public String flag() {
    return "--" + name;
  }

  /** The name in the APIs: {@code maxTokens}. */
  public String property() {
    String[] words = name.split("-");
    return words[0]
        + Arrays.stream(words)
            .skip(1)
            .map(word -> word.substring(0, 1).toUpperCase(Locale.ROOT) + word.substring(1))
            .collect(Collectors.joining());
  }

  public Kind kind() {
    return kind;
  }

  /** The name of the value in help texts; empty for a flag. */
  public String label() {
    return label;
  }

  /** The value if the option is not given; may be null. */
  public T defaultValue() {
    return value;
  }

  /** The default in words, for the documentation; empty if the option has none. */
  public String defaultWords() {
    return note == null ? "" : note;
  }

  /** The value if the option is given without one; null if it must have a value. */
  public String fallback() {
    return fallback;
  }

  public boolean required() {
    return required;
  }

  /** Whether scores depend on this option. */
  public boolean identifies() {
    return noIdentity != null;
  }

  /** The text for a value in a run's identity. */
  public String identity(Object normalized) {
    return normalized == null || normalized.equals(List.of()) ? noIdentity : normalized.toString();
  }

  /** The explanation of the stage's parameter; null if the stage does not have this option. */
  public String brief() {
    return brief;
  }

  /** The explanation without the default, for the documentation. */
  public String text() {
    return text.replace(DEFAULT, "");
  }

  /** The explanation with the default. */
  public String help() {
    String words = note == null ? "" : " (default: " + note + ")";
    return text.contains(DEFAULT)
        ? text.replace(DEFAULT, words)
        : text.replaceFirst("\\.$", "") + words + ".";
  }
}
