package io.mambaspark.engine.bench;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.lang.management.ManagementFactory;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;

/** The machine on which the figures were measured. */
record Machine(String cpu, int cores, String os, String jdk, List<String> flags) {

  static Machine here() {
    return new Machine(
        processor(),
        Runtime.getRuntime().availableProcessors(),
        System.getProperty("os.name") + " " + System.getProperty("os.arch"),
        System.getProperty("java.vm.version") + " (" + System.getProperty("java.vendor") + ")",
        ManagementFactory.getRuntimeMXBean().getInputArguments().stream()
            .filter(flag -> !flag.startsWith("-Dmambaspark."))
            .toList());
  }

  private static String processor() {
    Path info = Path.of("/proc/cpuinfo");
    if (Files.isReadable(info)) {
      try (Stream<String> lines = Files.lines(info)) {
        // Add family, model and stepping, because a virtual machine may hide the name. ARM has no
        // names.
        Map<String, String> first = new LinkedHashMap<>();
        lines
            .map(line -> line.split(":", 2))
            .filter(parts -> parts.length == 2)
            .forEach(parts -> first.putIfAbsent(parts[0].trim(), parts[1].trim()));
        if (first.containsKey("model name")) {
          return "%s (family %s, model %s, stepping %s)"
              .formatted(
                  first.get("model name"),
                  first.get("cpu family"),
                  first.get("model"),
                  first.get("stepping"));
        }
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
    return System.getProperty("os.arch");
  }

  Map<String, Object> toMap() {
    Map<String, Object> map = new LinkedHashMap<>();
    map.put("cpu", cpu);
    map.put("cores", cores);
    map.put("os", os);
    map.put("jdk", jdk);
    map.put("flags", flags);
    return map;
  }
}
