package io.mambaspark.jobs.job;

import com.fasterxml.jackson.core.JsonGenerator;
import com.fasterxml.jackson.core.JsonProcessingException;
import com.fasterxml.jackson.databind.JsonSerializer;
import com.fasterxml.jackson.databind.ObjectMapper;
import com.fasterxml.jackson.databind.SerializationFeature;
import com.fasterxml.jackson.databind.SerializerProvider;
import com.fasterxml.jackson.databind.module.SimpleModule;
import java.io.IOException;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** The text of {@code _mamba_summary.json}, for every command that writes one. */
final class SummaryFile {
  private SummaryFile() {}

  /** Returns indented JSON. Numbers that are not finite become null, as JSON cannot store them. */
  static String text(Map<String, Object> fields) {
    try {
      return new ObjectMapper()
              .registerModule(new SimpleModule().addSerializer(Double.class, new FiniteOrNull()))
              .enable(SerializationFeature.INDENT_OUTPUT)
              .writeValueAsString(fields)
          + "\n";
    } catch (JsonProcessingException e) {
      throw new IllegalStateException(e);
    }
  }

  private static final class FiniteOrNull extends JsonSerializer<Double> {
    @Override
    public void serialize(Double value, JsonGenerator out, SerializerProvider provider)
        throws IOException {
      if (Double.isFinite(value)) {
        out.writeNumber(value);
      } else {
        out.writeNull();
      }
    }
  }

  /** Returns the values of a group by the names of its columns. */
  static Map<String, String> group(List<String> columns, List<String> values) {
    Map<String, String> group = new LinkedHashMap<>();
    for (int i = 0; i < columns.size(); i++) {
      group.put(columns.get(i), values.get(i));
    }
    return group;
  }
}
