package io.mambaspark.jobs.text;

import java.io.IOException;
import java.io.InputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Path;
import java.util.Arrays;

/** Prints the ids of a text; the tests run this program in a JVM of its own. */
public final class EncodeAlone {
  private EncodeAlone() {}

  /**
   * Arguments: the folder for the native library, a text, and optionally a third argument to run in
   * a child class loader.
   */
  public static void main(String[] args) throws Exception {
    if (args.length == 3) {
      try (ChildLoader child = new ChildLoader()) {
        Class<?> copy = child.loadClass(EncodeAlone.class.getName());
        copy.getMethod("main", String[].class)
            .invoke(null, (Object) new String[] {args[0], args[1]});
      }
      return;
    }
    TokenizerFile file = TokenizerFile.parse("demo", DemoTokenizer.json());
    System.out.println(Arrays.toString(file.tokenizer(Path.of(args[0])).encode(args[1])));
    System.out.println(System.getProperties().containsKey("ENGINE_CACHE_DIR"));
  }

  /**
   * Loads the project's classes again, in a child of the libraries' class loader: Spark's class
   * loader for a job jar is likewise a child of the loader of its own jars.
   */
  private static final class ChildLoader extends URLClassLoader {
    ChildLoader() {
      super(new URL[0], EncodeAlone.class.getClassLoader());
    }

    @Override
    protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
      if (!name.startsWith("io.mambaspark.")) {
        return super.loadClass(name, resolve);
      }
      synchronized (getClassLoadingLock(name)) {
        Class<?> loaded = findLoadedClass(name);
        return loaded == null ? define(name) : loaded;
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
