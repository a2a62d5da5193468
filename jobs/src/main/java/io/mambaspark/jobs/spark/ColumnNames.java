package io.mambaspark.jobs.spark;

import io.mambaspark.jobs.Refusal;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import java.util.stream.Collectors;
import org.apache.spark.sql.Column;
import org.apache.spark.sql.functions;
import org.apache.spark.sql.types.DataType;
import org.apache.spark.sql.types.StructField;
import org.apache.spark.sql.types.StructType;

/**
 * The names of columns, as users write them. They are resolved as in Spark's SQL: dots separate a
 * column from its fields, a name in backticks may contain any character, a backtick in it is
 * doubled, and {@code spark.sql.caseSensitive} decides whether case counts. A column whose complete
 * name is the written one is preferred, so that such a name needs no backticks.
 */
public final class ColumnNames {
  private static final char QUOTE = '`';

  private ColumnNames() {}

  /** Splits a list of names at its commas, except at commas in backticks. */
  public static List<String> split(String list) {
    return pieces(list, ',').stream().map(String::strip).filter(name -> !name.isEmpty()).toList();
  }

  /** Splits a name at its dots, except at dots in backticks, and removes the backticks. */
  public static List<String> parts(String name) {
    return pieces(name, '.').stream().map(ColumnNames::unquoted).toList();
  }

  private static String unquoted(String part) {
    boolean quoted = part.length() > 1 && closing(part, 0) == part.length() - 1;
    return quoted ? part.substring(1, part.length() - 1).replace("``", "`") : part;
  }

  /** Backticks quote only at the start of a name or of a field, as in SQL. */
  private static List<String> pieces(String text, char separator) {
    List<String> pieces = new ArrayList<>();
    int start = 0;
    boolean begins = true;
    for (int i = 0; i < text.length(); i++) {
      char c = text.charAt(i);
      if (c == separator) {
        pieces.add(text.substring(start, i));
        start = i + 1;
      } else if (begins) {
        i = Math.max(i, closing(text, i));
      }
      begins = c == separator || c == '.' || begins && c == ' ';
    }
    pieces.add(text.substring(start));
    return pieces;
  }

  /** The index of the backtick that closes the one at an index; -1 if there is none at either. */
  private static int closing(String text, int open) {
    for (int i = open + 1; text.charAt(open) == QUOTE && i < text.length(); i++) {
      if (text.charAt(i) == QUOTE) {
        if (i + 1 == text.length() || text.charAt(i + 1) != QUOTE) {
          return i;
        }
        i++;
      }
    }
    return -1;
  }

  /** Whether two names mean the same column. */
  public static boolean same(String a, String b, boolean caseSensitive) {
    return caseSensitive ? a.equals(b) : a.equalsIgnoreCase(b);
  }

  /**
   * Returns the names of a column and of the fields in it that a written name consists of; none of
   * them needs to exist.
   *
   * @param columns the names of the columns of the input
   */
  public static List<String> path(Collection<String> columns, String name, boolean caseSensitive) {
    return columns.stream().anyMatch(column -> same(column, name, caseSensitive))
        ? List.of(name)
        : parts(name);
  }

  /**
   * Finds a column or a field of a struct.
   *
   * @param option the option that names the column, for the message
   * @return the names in {@code columns} of the column and of the fields in it; empty if there is
   *     no such column
   * @throws Refusal if two columns have the name
   */
  public static List<String> find(
      StructType columns, String name, String option, boolean caseSensitive) {
    List<String> found = new ArrayList<>();
    DataType type = columns;
    for (String part : path(List.of(columns.fieldNames()), name, caseSensitive)) {
      List<StructField> matches =
          type instanceof StructType struct
              ? Arrays.stream(struct.fields())
                  .filter(field -> same(field.name(), part, caseSensitive))
                  .toList()
              : List.of();
      if (matches.size() > 1) {
        throw Refusal.because(
            "Column %s (%s) is ambiguous: the input has %s; rename all but one of them, or set"
                + " spark.sql.caseSensitive=true",
            name,
            option,
            matches.stream().map(StructField::name).collect(Collectors.joining(" and ")));
      }
      if (matches.isEmpty()) {
        return List.of();
      }
      found.add(matches.get(0).name());
      type = matches.get(0).dataType();
    }
    return found;
  }

  /** Returns the type of a found column or field. */
  public static DataType type(StructType columns, List<String> path) {
    DataType type = columns;
    for (String name : path) {
      type = ((StructType) type).apply(name).dataType();
    }
    return type;
  }

  /** Returns the name in backticks, as SQL requires it. */
  public static String sql(List<String> path) {
    return path.stream()
        .map(name -> "`" + name.replace("`", "``") + "`")
        .collect(Collectors.joining("."));
  }

  /** Returns the column, or the field of a struct, with exactly these names. */
  public static Column column(List<String> path) {
    return functions.col(sql(path));
  }

  /** Returns the column with exactly this name, which may contain dots, spaces or backquotes. */
  public static Column quoted(String name) {
    return column(List.of(name));
  }
}
