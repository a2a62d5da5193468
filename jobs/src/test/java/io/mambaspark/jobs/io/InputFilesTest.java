package io.mambaspark.jobs.io;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowable;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.Collectors;
import org.apache.hadoop.conf.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Lists the files that a job reads. */
class InputFilesTest {
  private static final Configuration CONFIGURATION = new Configuration();

  @TempDir Path own;

  private Path file(String name) throws IOException {
    Path file = own.resolve(name);
    Files.createDirectories(file.getParent());
    return Files.writeString(file, name);
  }

  private InputFiles list(String... paths) {
    return InputFiles.list(
        Arrays.stream(paths).map(path -> own.resolve(path).toString()).toList(), CONFIGURATION);
  }

  /** The names of files, relative to the folder of the test. */
  private List<String> names(InputFiles listed) {
    return listed.files().stream().map(file -> relative(file.name())).toList();
  }

  private Map<String, String> relative(Map<String, String> entries) {
    return entries.entrySet().stream()
        .collect(Collectors.toMap(e -> relative(e.getKey()), Map.Entry::getValue));
  }

  private String relative(String name) {
    return name.replace("file:" + own + "/", "");
  }

  @Test
  void a_folder_lists_all_files_at_any_depth() throws IOException {
    file("in/top");
    file("in/de/2024/x");
    file("in/fr/x");
    file("other/x");
    assertThat(names(list("in"))).containsExactly("in/de/2024/x", "in/fr/x", "in/top");
  }

  @Test
  void hidden_names_are_excluded_from_a_folder_but_read_if_they_are_named() throws IOException {
    file("in/_SUCCESS");
    file("in/_metadata");
    file("in/_common_metadata");
    file("in/.part-0.crc");
    file("in/part-0");
    file("in/part-1._COPYING_");
    file("in/_temporary/0/part-9");
    InputFiles listed = list("in");
    assertThat(names(listed)).containsExactly("in/part-0");
    // Hadoop itself does not list checksum files.
    assertThat(relative(listed.excluded()))
        .isEqualTo(
            Map.of(
                "in/_SUCCESS", "hidden name",
                "in/_temporary", "hidden name",
                "in/part-1._COPYING_", "hidden name",
                "in/_metadata", "footers of the files in the same folder",
                "in/_common_metadata", "footers of the files in the same folder"));
    assertThat(names(list("in/*"))).containsExactly("in/part-0");
    assertThat(names(list("in/_metadata", "in/part-1._COPYING_")))
        .containsExactly("in/_metadata", "in/part-1._COPYING_");
  }

  @Test
  void a_name_that_begins_with_an_underscore_may_be_a_partition_folder() throws IOException {
    file("in/_x=1/a");
    assertThat(list("in").files().get(0).partition()).isEqualTo(Map.of("_x", "1"));
  }

  @Test
  void an_existing_path_is_not_parsed_as_a_glob() throws IOException {
    file("a[1]/x");
    file("a1/x");
    file("b{c,d}");
    file("bc");
    file("q?/x");
    file("qq/x");
    assertThat(names(list("a[1]"))).containsExactly("a[1]/x");
    assertThat(names(list("b{c,d}"))).containsExactly("b{c,d}");
    assertThat(names(list("q?"))).containsExactly("q?/x");
    assertThat(names(list("a[12]"))).containsExactly("a1/x");
    assertThat(names(list("a\\[1\\]/*"))).containsExactly("a[1]/x");
    // The same holds for the first folders of a glob.
    assertThat(names(list("a[1]/*"))).containsExactly("a[1]/x");
    assertThat(names(list("q?/?"))).containsExactly("q?/x");
    assertThat(names(list("{a1/x,b*,q[q]/x}"))).containsExactly("a1/x", "bc", "b{c,d}", "qq/x");
    assertThat(
            names(
                InputFiles.list(List.of(own.resolve("b{c,d}").toUri().toString()), CONFIGURATION)))
        .containsExactly("b{c,d}");
  }

  @Test
  void partition_folders_provide_columns_under_a_glob_too() throws IOException {
    file("in/lang=en/year=2024/a");
    file("in/lang=fr%2Fc%C3%A0/year=2025/b");
    file("in/lang=__HIVE_DEFAULT_PARTITION__/year=2025/c");
    for (String path : List.of("in", "in/*", "in/lang=*/*", "in/*/*/*", "i*")) {
      assertThat(
              list(path).files().stream()
                  .map(InputFiles.InputFile::partition)
                  .map(p -> p.get("lang") + " " + p.get("year")))
          .as(path)
          .containsExactly("null 2025", "en 2024", "fr/cà 2025");
    }
    // As in Spark, escaped bytes that are not UTF-8 become characters; invalid escapes are kept.
    file("odd/k=%E9%zz%/a");
    assertThat(list("odd").files().get(0).partition()).isEqualTo(Map.of("k", "é%zz%"));
    // A folder that is named directly is a separate table.
    assertThat(list("in/lang=en").files().get(0).partition()).isEqualTo(Map.of("year", "2024"));
    assertThat(list("in/lang=en/year=2024/a").files().get(0).partition()).isEmpty();
  }

  @Test
  void plain_folders_may_be_above_and_below_partition_folders() throws IOException {
    file("in/x/lang=en/2024/a");
    file("in/y/lang=fr/b");
    assertThat(list("in").files().stream().map(f -> f.partition().get("lang")))
        .containsExactly("en", "fr");
  }

  @Test
  void files_that_cannot_be_one_table_are_refused() throws IOException {
    file("in/lang=en/a");
    file("in/b");
    assertThat(catchThrowable(() -> list("in").oneTable()))
        .hasMessage(
            "Input files have different partition folders and cannot be one table:"
                + " file:%s/in/b has none, file:%s/in/lang=en/a has lang=; score them in"
                    .formatted(own, own)
                + " separate runs");
    file("twice/lang=en/lang=fr/a");
    assertThat(catchThrowable(() -> list("twice")))
        .hasMessage(
            "Cannot read input file:%s/twice/lang=en/lang=fr: two folders in its path set partition"
                    .formatted(own)
                + " column lang; rename one of them");
  }

  @Test
  void a_file_is_read_once_however_often_it_is_named() throws IOException {
    file("in/a");
    file("in/lang/b");
    Files.createSymbolicLink(own.resolve("alias"), own.resolve("in"));
    assertThat(names(list("in", "in/a", "in/../in", "in/*", "in/lang", "in/l*/b"))).hasSize(2);
    assertThat(names(list("in", "alias"))).hasSize(2);
    Files.createSymbolicLink(own.resolve("alias-of-a"), own.resolve("in/a"));
    assertThat(names(list("in", "alias-of-a"))).hasSize(2);
    // Inside a folder, a link is a separate entry.
    Files.createSymbolicLink(own.resolve("in/same"), Path.of("a"));
    assertThat(names(list("in"))).hasSize(3);
    // A file that is also named directly keeps the columns of its partition folders.
    file("parts/k=1/a");
    assertThat(list("parts/k=1/a", "parts").files().get(0).partition()).isEqualTo(Map.of("k", "1"));
  }

  @Test
  void links_are_followed_and_dangling_links_are_unread() throws IOException {
    Path elsewhere = file("elsewhere/b").getParent();
    file("in/a");
    Files.createSymbolicLink(own.resolve("in/folder"), elsewhere);
    Files.createSymbolicLink(own.resolve("in/file"), elsewhere.resolve("b"));
    Files.createSymbolicLink(own.resolve("in/loop"), own.resolve("in"));
    Files.createSymbolicLink(own.resolve("in/gone.parquet"), own.resolve("nowhere"));
    for (String path : List.of("in", "in/*")) {
      InputFiles listed = list(path);
      assertThat(names(listed)).as(path).contains("in/a", "in/file", "in/folder/b");
      assertThat(relative(listed.unread()))
          .containsEntry("in/gone.parquet", "dangling link to " + own.resolve("nowhere"));
    }
    assertThat(relative(list("in").excluded()))
        .containsEntry("in/loop", "link back to file:" + own.resolve("in"));
    assertThat(names(list("in"))).hasSize(3);
    assertThat(relative(list("in/gone.parquet").unread())).containsOnlyKeys("in/gone.parquet");
    assertThat(relative(list("in/g*", "in/a").unread())).containsOnlyKeys("in/gone.parquet");
  }

  @Test
  void a_glob_lists_the_same_files_as_a_folder() throws Exception {
    file("g/en/a.parquet");
    file("g/.ipynb_checkpoints/a.parquet");
    file("g/_temporary/a.parquet");
    Files.createDirectories(own.resolve("g/fr"));
    Files.createSymbolicLink(own.resolve("g/fr/a.parquet"), Path.of("nowhere"));
    Files.createSymbolicLink(own.resolve("g/zz"), Path.of("nowhere"));
    for (String glob : List.of("g/*/a.parquet", "g/*/*", "g/{en/a,fr/a,zz/a}.parquet")) {
      assertThat(names(list(glob))).as(glob).containsExactly("g/en/a.parquet");
      assertThat(relative(list(glob).unread())).as(glob).containsKey("g/fr/a.parquet");
    }
    assertThat(relative(list("g/*/*").unread())).containsKey("g/zz");
    assertThat(relative(list("g/*/*").excluded()))
        .containsOnlyKeys("g/.ipynb_checkpoints", "g/_temporary");
    // A path without files is refused, even if another path has files.
    assertThat(catchThrowable(() -> list("g/fr", "typo*")))
        .hasMessage("Cannot read input %s: no such file or folder", own.resolve("typo*"));
    assertThat(names(list("g/en", "g/e*"))).hasSize(1);
  }

  @Test
  void an_entry_that_is_neither_file_nor_folder_is_unread() throws Exception {
    file("in/a");
    new ProcessBuilder("mkfifo", own.resolve("in/pipe").toString()).start().waitFor();
    assertThat(relative(list("in").unread()))
        .isEqualTo(Map.of("in/pipe", "neither a file nor a folder"));
  }

  @Test
  void a_name_that_the_locale_cannot_represent_is_unread() throws Exception {
    file("in/a");
    // These names are not UTF-8. In the POSIX locale, UTF-8 names fail in the same way.
    String touch = "touch \"$0\"/$'b\\xff.parquet' \"$0\"/_$'c\\xff'";
    new ProcessBuilder("bash", "-c", touch, own.resolve("in").toString()).start().waitFor();
    InputFiles listed = list("in");
    assertThat(names(listed)).containsExactly("in/a");
    assertThat(relative(listed.unread()))
        .containsOnlyKeys("in/b\uFFFD.parquet")
        .containsValue(
            "its name cannot be written in the locale of this process (sun.jnu.encoding UTF-8); set"
                + " LC_ALL=C.UTF-8, or rename it");
  }

  @Test
  void a_local_file_with_a_colon_in_its_name_is_unread() throws IOException {
    file("in/a");
    file("in/10:30.parquet");
    file("in/at=10:30/b");
    InputFiles listed = list("in");
    assertThat(relative(listed.unread()))
        .isEqualTo(
            Map.of(
                "in/10:30.parquet",
                "Hadoop cannot read a local file with a colon in its name; rename it"));
    assertThat(names(listed)).containsExactly("in/a", "in/at=10:30/b");
  }

  @Test
  void a_missing_path_and_a_folder_without_files_are_refused() throws IOException {
    assertThat(catchThrowable(() -> list("none")))
        .hasMessage("Cannot read input %s: no such file or folder", own.resolve("none"));
    assertThat(catchThrowable(() -> list("n*")))
        .hasMessage("Cannot read input %s: no such file or folder", own.resolve("n*"));
    file("in/_SUCCESS");
    assertThat(catchThrowable(() -> list("in").notEmpty(List.of("in"))))
        .hasMessage(
            "Cannot read input in: it contains no readable file (file:%s/in/_SUCCESS: hidden name)",
            own);
    Files.createFile(own.resolve("in/a.parquet"));
    assertThat(relative(list("in").withoutEmpty("parquet").unread()))
        .isEqualTo(Map.of("in/a.parquet", "the file is empty"));
  }

  @Test
  void folders_of_tables_and_folders_inside_them_are_refused() throws IOException {
    file("lake/delta/_delta_log/00000000000000000000.json");
    file("lake/delta/part=1/a.parquet");
    file("lake/hudi/.hoodie/hoodie.properties");
    file("lake/hudi/a.parquet");
    file("lake/iceberg/metadata/v1.metadata.json.gz");
    file("lake/iceberg/data/a.parquet");
    for (String path : List.of("lake/delta", "lake/delta/part=1", "lake/delta/*/a*", "lake/d*")) {
      assertThat(catchThrowable(() -> list(path)))
          .as(path)
          .hasMessageStartingWith(
              "Input file:%s/lake/delta is a table in Delta format, ".formatted(own));
    }
    assertThat(catchThrowable(() -> list("lake/hudi")))
        .hasMessageContaining("a table in Hudi format");
    for (String path : List.of("lake/iceberg", "lake/iceberg/data", "lake/iceberg/data/*")) {
      assertThat(catchThrowable(() -> list(path)))
          .as(path)
          .hasMessageContaining("lake/iceberg is a table in Iceberg format");
    }
    assertThat(names(list("lake/delta/part=1/a.parquet"))).hasSize(1);
    file("in/metadata/corpus.metadata.json");
    file("in/a");
    assertThat(names(list("in"))).hasSize(2);
  }

  @Test
  void only_committed_files_of_a_stream_output_are_read() throws IOException {
    file("out/part-0 é");
    file("out/k=1/part-1");
    file("out/k=1/part-2");
    Files.delete(own.resolve("out/part-0 é"));
    Files.createDirectories(own.resolve("out/_spark_metadata"));
    String line =
        "{\"path\":\"%s\",\"size\":1,\"isDir\":false,\"modificationTime\":1,"
            + "\"blockReplication\":1,\"blockSize\":1,\"action\":\"add\"}";
    Files.writeString(
        own.resolve("out/_spark_metadata/0"),
        "v1\n" + line.formatted(own.resolve("out/k=1/part-1").toUri()));
    InputFiles listed = list("out");
    assertThat(names(listed)).containsExactly("out/k=1/part-1");
    assertThat(relative(listed.excluded()))
        .containsEntry("out/k=1/part-2", "not committed by the stream that writes to this folder");
    // The same holds for a subfolder, a glob, a link and a folder that has been moved.
    assertThat(names(list("out/k=1"))).containsExactly("out/k=1/part-1");
    assertThat(names(list("out/k=1/part*"))).containsExactly("out/k=1/part-1");
    Files.createSymbolicLink(own.resolve("alias"), own.resolve("out"));
    assertThat(names(list("alias"))).containsExactly("alias/k=1/part-1");
    Files.move(own.resolve("out"), own.resolve("moved"));
    assertThat(names(list("moved"))).containsExactly("moved/k=1/part-1");
    Files.writeString(own.resolve("moved/_spark_metadata/1"), "v1\n{");
    assertThat(catchThrowable(() -> list("moved")))
        .hasMessageStartingWith(
            "Cannot read the log of the stream in file:%s/moved: ".formatted(own));
  }

  /** Compares the lists of random trees with the entries that were created. */
  @Test
  void every_entry_of_a_tree_is_read_excluded_or_unread() throws IOException {
    long seed = 20_261_126;
    System.out.println("seed " + seed);
    Random random = new Random(seed);
    for (int tree = 0; tree < 60; tree++) {
      Path root = own.resolve("tree" + tree + name(random));
      Files.createDirectory(root);
      Tree expected = new Tree();
      fill(root, random, 3, expected);
      InputFiles listed = InputFiles.list(List.of(root.toString()), CONFIGURATION);
      Set<Path> found = new TreeSet<>();
      listed.files().forEach(file -> found.add(Path.of(file.path().toUri().getPath())));
      assertThat(found).as("tree %d of seed %d", tree, seed).isEqualTo(expected.files);
      assertThat(listed.files()).hasSize(expected.files.size());
      assertThat(listed.unread().keySet())
          .isEqualTo(expected.dangling.stream().map(p -> "file:" + p).collect(Collectors.toSet()));
      for (InputFiles.InputFile file : listed.files()) {
        assertThat(Files.readString(Path.of(file.path().toUri().getPath()), StandardCharsets.UTF_8))
            .hasSize((int) file.size());
      }
    }
  }

  /** The entries that a list of a tree must contain. */
  private static final class Tree {
    final Set<Path> files = new TreeSet<>();
    final Set<Path> dangling = new TreeSet<>();
  }

  private static void fill(Path folder, Random random, int depth, Tree tree) throws IOException {
    List<Path> own = new ArrayList<>();
    for (int i = random.nextInt(4); i >= 0; i--) {
      Path entry = folder.resolve(i + name(random));
      boolean hidden = random.nextInt(6) == 0;
      if (hidden) {
        entry = folder.resolve("_" + i + name(random).replace("=", ""));
      }
      switch (random.nextInt(depth > 0 ? 5 : 3)) {
        case 0 -> {
          Files.createSymbolicLink(entry, Path.of("nowhere" + i));
          if (!hidden) {
            tree.dangling.add(entry);
          }
        }
        case 1 -> {
          Path target = own.isEmpty() ? null : own.get(random.nextInt(own.size()));
          if (target == null) {
            Files.writeString(entry, "x");
          } else {
            Files.createSymbolicLink(entry, target);
          }
          if (!hidden) {
            tree.files.add(entry);
          }
        }
        case 2 -> {
          Files.writeString(entry, "x".repeat(random.nextInt(9)));
          own.add(entry);
          if (!hidden) {
            tree.files.add(entry);
          }
        }
        default -> {
          Files.createDirectory(entry);
          fill(entry, random, depth - 1, hidden ? new Tree() : tree);
        }
      }
    }
  }

  /** A random name of characters that could be parsed as a glob, a URI or an escape. */
  static String name(Random random) {
    String odd = "[]{}*?% #;é\\^$&+,~'\"!@()ß😀ab";
    StringBuilder name = new StringBuilder("n");
    for (int i = random.nextInt(6); i > 0; i--) {
      int at = odd.offsetByCodePoints(0, random.nextInt(odd.codePointCount(0, odd.length())));
      name.appendCodePoint(odd.codePointAt(at));
    }
    return name.toString();
  }
}
