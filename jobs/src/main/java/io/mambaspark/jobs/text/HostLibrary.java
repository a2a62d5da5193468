package io.mambaspark.jobs.text;

import ai.djl.huggingface.tokenizers.jni.LibUtils;
import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import java.nio.file.Path;
import java.security.CodeSource;
import java.util.HashMap;
import java.util.Map;

/**
 * The native code of a DJL that is not ours: where Spark's own class path has one, its classes go
 * before those in the job jar, and only they can load what is behind them.
 */
final class HostLibrary {
  private static final String CACHE = "ENGINE_CACHE_DIR";

  private HostLibrary() {}

  /** DJL keeps the library where the application told it to, otherwise in {@code localFolder}. */
  static void load(Path localFolder) {
    Map<String, String> settings = new HashMap<>();
    // Without it DJL looks for a GPU and downloads a library for that.
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
    return source == null ? "an unknown place" : String.valueOf(source.getLocation());
  }
}
