package io.mambaspark.jobs.text;

import ai.djl.huggingface.tokenizers.jni.TokenizersLibrary;
import io.mambaspark.jobs.Refusal;
import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The native code of {@link TokenizersLibrary}, loaded from the class path. This class replaces
 * DJL's own loader, which stores the library in the home folder under a name that processes share,
 * looks for GPUs and downloads files.
 */
final class NativeLibrary {
  private static final Logger LOG = LoggerFactory.getLogger(NativeLibrary.class);

  private static boolean loaded;

  private NativeLibrary() {}

  /**
   * Loads the library unless it is already loaded. It is unpacked into a new folder within {@code
   * localFolder}, because only one class loader may load a file and Spark may create several class
   * loaders for the job jar.
   *
   * @throws Refusal if the class path has no library for this platform, or it cannot be loaded
   */
  static synchronized void load(Path localFolder) {
    if (loaded || isBound()) {
      loaded = true;
      return;
    }
    Platform platform = Platform.here();
    if (TokenizersLibrary.class.getClassLoader() != NativeLibrary.class.getClassLoader()) {
      // Native code belongs to the class loader of the class that loads it.
      HostLibrary.load(localFolder);
    } else {
      load(platform, localFolder);
    }
    loaded = true;
  }

  /**
   * Whether the library is already loaded in this class loader, for example by an application that
   * uses DJL.
   */
  private static boolean isBound() {
    try {
      TokenizersLibrary.LIB.createTokenizerFromString("");
    } catch (UnsatisfiedLinkError e) {
      return false;
    } catch (RuntimeException e) {
      LOG.debug("The tokenizers library is already loaded: it has refused an empty file", e);
    }
    return true;
  }

  private static void load(Platform platform, Path localFolder) {
    Path folder = newFolder(localFolder);
    Path file = folder.resolve(platform.file());
    try {
      unpack(platform, file);
      System.load(file.toString());
    } catch (IOException e) {
      throw notUnpacked(localFolder, e);
    } catch (UnsatisfiedLinkError e) {
      throw refused(platform.name(), e);
    } finally {
      delete(file);
      delete(folder);
    }
  }

  /** The error for a library that cannot be loaded; it quotes the linker's message. */
  static Refusal refused(String platform, Throwable cause) {
    return Refusal.because(
        cause,
        "Cannot load the tokenizers library on %s: %s; expected %s, and a local folder that allows"
            + " executable files. Run the command tokenize on another machine and score the tokens",
        platform,
        String.valueOf(cause.getMessage()).strip().replaceAll("\\s*\\R\\s*", " "),
        Platform.SUPPORTED);
  }

  private static Path newFolder(Path localFolder) {
    try {
      Files.createDirectories(localFolder);
      return Files.createTempDirectory(localFolder.toAbsolutePath(), "tokenizers-");
    } catch (IOException e) {
      throw notUnpacked(localFolder, e);
    }
  }

  private static void unpack(Platform platform, Path file) throws IOException {
    String resource = platform.folder() + "/" + platform.file();
    try (InputStream in = NativeLibrary.class.getResourceAsStream(resource)) {
      if (in == null) {
        throw new FileNotFoundException("the class path has no " + resource);
      }
      Files.copy(in, file);
    }
  }

  private static Refusal notUnpacked(Path localFolder, IOException cause) {
    return Refusal.because(
        cause,
        "Cannot unpack the tokenizers library into %s: %s; expected a local folder with 20 MB of"
            + " space",
        localFolder,
        cause);
  }

  /** Deletes a file that is no longer needed. Windows locks a loaded library until the JVM ends. */
  private static void delete(Path path) {
    try {
      Files.deleteIfExists(path);
    } catch (IOException e) {
      LOG.debug("Cannot delete {}", path, e);
    }
  }

  /**
   * An operating system and a processor architecture.
   *
   * @param name for messages: the system and the architecture as Java names them
   * @param folder the library's folder on the class path
   * @param file the library's file name
   */
  record Platform(String name, String folder, String file) {
    static final String SUPPORTED =
        "Linux x86-64 or aarch64 with glibc 2.34 or newer, macOS arm64 or Windows x86-64";

    static Platform here() {
      return of(System.getProperty("os.name"), System.getProperty("os.arch"));
    }

    static Platform of(String osName, String osArch) {
      String name = osName + " " + osArch;
      String os = osName.toLowerCase(Locale.ROOT);
      boolean x86 = osArch.equals("amd64") || osArch.equals("x86_64");
      boolean arm = osArch.equals("aarch64") || osArch.equals("arm64");
      if (os.startsWith("linux") && x86) {
        return new Platform(name, "/native/lib/linux-x86_64/cpu", "libtokenizers.so");
      }
      if (os.startsWith("linux") && arm) {
        return new Platform(name, "/native/lib/linux-aarch64/cpu", "libtokenizers.so");
      }
      if (os.startsWith("mac") && arm) {
        return new Platform(name, "/native/lib/osx-aarch64/cpu", "libtokenizers.dylib");
      }
      if (os.startsWith("windows") && x86) {
        return new Platform(name, "/native/lib/win-x86_64/cpu", "tokenizers.dll");
      }
      throw Refusal.because(
          "Cannot load the tokenizers library on %s: expected %s. Run the command tokenize on"
              + " another machine and score the tokens",
          name, SUPPORTED);
    }
  }
}
