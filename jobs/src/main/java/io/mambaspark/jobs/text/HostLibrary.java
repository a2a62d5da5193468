package io.mambaspark.jobs.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.HashMap;
import java.util.Map;

/**
 * The native tokenizers library of a DJL that is not the job jar's. If Spark's own class path has a
 * DJL, its classes take precedence over those of the job jar, and only its own loader can load its
 * native library.
 */
final class HostLibrary {
  private static final String CACHE = "ENGINE_CACHE_DIR";

  private HostLibrary() {}

  /**
   * Loads the library with DJL's loader. DJL stores it in the folder that the application has set,
   * otherwise in {@code localFolder}.
   */
  static void load(Path localFolder) {
    Map<String, String> settings = new HashMap<>();
    // Prevents DJL from looking for a GPU and downloading a library for it.
    settings.put("ai.djl.offline", "true");
    if (!isSet(CACHE) && !isSet("DJL_CACHE_DIR")) {
      settings.put(CACHE, localFolder.toString());
    }
    Map<String, String> before = new HashMap<>();
    settings.forEach((key, value) -> before.put(key, System.setProperty(key, value)));
    try {
      LibUtils.checkStatus();
    } catch (RuntimeException | LinkageError e) {
      Throwable reason = e;
      while (reason.getCause() != null) {
        reason = reason.getCause();
      }
      throw NativeLibrary.refused(
          NativeLibrary.Platform.here().name() + " with the DJL at " + location(), reason);
    } finally {
      before.forEach(HostLibrary::restore);
    }
  }

  private static boolean isSet(String key) {
    String value = System.getenv().getOrDefault(key, System.getProperty(key));
    return value != null && !value.isEmpty();
  }

  private static void restore(String key, String value) {
    if (value == null) {
      System.clearProperty(key);
    } else {
      System.setProperty(key, value);
    }
  }

  private static String location() {
    CodeSource source = TokenizersLibrary.class.getProtectionDomain().getCodeSource();
    return source == null ? "an unknown location" : String.valueOf(source.getLocation());
  }
}
