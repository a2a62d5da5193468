package io.mambaspark.jobs.spark;

import java.io.FileNotFoundException;
import java.io.IOException;
import java.io.InputStream;

/** The demo inside the jar, for a first run: a small model, its tokenizer and a small corpus. */
public final class Demo {
  /** The word that users give instead of a path. */
  public static final String NAME = "demo";

  private static final String FOLDER = "/io/mambaspark/jobs/demo/";

  private Demo() {}

  /** Opens a file of the demo. */
  public static InputStream open(String name) throws IOException {
    InputStream in = Demo.class.getResourceAsStream(FOLDER + name);
    if (in == null) {
      throw new FileNotFoundException("the jar does not contain the demo's file " + name);
    }
    return in;
  }
}
