package io.mambaspark.engine.kernel;

import java.io.IOException;
import java.net.URL;
import java.nio.file.Path;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides whether products of integers are native.
 *
 * <p>The mode is that of the system property {@link Kernels#NATIVE}, or else of the environment
 * variable {@value #VARIABLE}.
 */
final class NativeProducts {
  static final String VARIABLE = "MAMBASPARK_NATIVE";

  /** The platforms for which there is a library, by JavaCPP's names. */
  private static final List<String> PLATFORMS = List.of("linux-x86_64", "linux-arm64");

  private static final Logger LOG = LoggerFactory.getLogger(Kernels.class);

  private NativeProducts() {}

  /**
   * Returns the library of native products, or null if they are not native. Logs the reason in one
   * line if there is a library.
   *
   * @param obstacle the reason why these kernels cannot use native products; null if they can
   * @throws IllegalStateException if native products are required and there are none, or if the
   *     mode is unknown
   */
  static Dnnl load(String obstacle) {
    String mode = mode();
    if (mode != null && !List.of("auto", "off", "require").contains(mode)) {
      throw new IllegalStateException(
          "%s %s: expected auto, off or require"
              .formatted(
                  System.getProperty(Kernels.NATIVE) == null ? VARIABLE : Kernels.NATIVE, mode));
    }
    boolean required = required();
    String platform = platform();
    List<URL> libraries = libraries(platform);
    if ("off".equals(mode) || !required && !present()) {
      return null;
    }
    String reason = obstacle;
    if (reason == null && libraries.isEmpty()) {
      reason = "the class path has no library for " + platform;
    } else if (reason == null && libraries.size() > 1) {
      reason = "the class path has more than one library: " + libraries;
    } else if (reason == null) {
      String folder =
          System.getProperty(Kernels.NATIVE_FOLDER, System.getProperty("java.io.tmpdir"));
      try {
        return DnnlLibrary.load(Path.of(folder));
      } catch (IOException e) {
        reason = "the library cannot be unpacked into %s: %s".formatted(folder, e);
      } catch (IllegalStateException e) {
        reason = e.getMessage();
      } catch (RuntimeException | LinkageError | OutOfMemoryError e) {
        Throwable cause = e;
        while (cause.getCause() != null) {
          cause = cause.getCause();
        }
        reason = "the library cannot be loaded: " + cause;
      }
    }
    reason = reason.strip().replaceAll("\\s*\\R\\s*", " ");
    if (required) {
      throw refusal(reason);
    }
    LOG.warn("Products of integers are not native: {}", reason);
    return null;
  }

  static boolean required() {
    return "require".equals(mode());
  }

  static IllegalStateException refusal(String reason) {
    return new IllegalStateException("Native products of integers are required, but " + reason);
  }

  /** Implements {@link Kernels#mayBeNative}. */
  static boolean expected() {
    return !"off".equals(mode()) && present();
  }

  /** The mode; null if it is not set. */
  private static String mode() {
    return System.getProperty(Kernels.NATIVE, System.getenv(VARIABLE));
  }

  /** Whether the class path has a library for any platform. */
  private static boolean present() {
    return PLATFORMS.stream().anyMatch(platform -> !libraries(platform).isEmpty());
  }

  private static String platform() {
    String system = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    String processor = System.getProperty("os.arch");
    return switch (processor) {
      case "amd64", "x86_64" -> system + "-x86_64";
      case "aarch64" -> system + "-arm64";
      default -> system + "-" + processor;
    };
  }

  private static List<URL> libraries(String platform) {
    String file = "org/bytedeco/dnnl/" + platform + "/libjnidnnl.so";
    try {
      return Collections.list(NativeProducts.class.getClassLoader().getResources(file));
    } catch (IOException e) {
      return List.of();
    }
  }
}
