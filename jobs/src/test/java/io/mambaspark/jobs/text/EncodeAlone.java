package io.mambaspark.jobs.text;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Arrays;

/** The program of the tests that need a JVM of their own: prints the ids of a text. */
public final class EncodeAlone {
  private EncodeAlone() {}

  /** Arguments: the folder for the native library, a text, and "below" for a class loader below. */
  public static void main(String[] args) throws Exception {
    if (args.length == 3) {
      try (Below below = new Below()) {
        Class<?> copy = below.loadClass(EncodeAlone.class.getName());
        copy.getMethod("main", String[].class)
            .invoke(null, (Object) new String[] {args[0], args[1]});
      }
      return;
    }
    TokenizerFile file = TokenizerFile.parse("demo", DemoTokenizer.json());
    System.out.println(Arrays.toString(file.tokenizer(Path.of(args[0])).encode(args[1])));
    System.out.println(System.getProperties().containsKey("ENGINE_CACHE_DIR"));
  }

  /** Has classes of ours again, below the libraries: as Spark has a job jar below its own jars. */
  private static final class Below extends URLClassLoader {
    Below() {
      super(new URL[0], EncodeAlone.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith("io.mambaspark.")) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> known = findLoadedClass(name);
        return known == null ? define(name) : known;
      }
    }

    private Class<?> define(String name) throws ClassNotFoundException {
      try (InputStream in = getResourceAsStream(name.replace('.', '/') + ".class")) {
        byte[] bytes = in.readAllBytes();
        return defineClass(name, bytes, 0, bytes.length);
      } catch (IOException e) {
        throw new ClassNotFoundException(name, e);
      }
    }
  }
}
