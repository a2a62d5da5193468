package io.mambaspark.jobs.units;

import static org.assertj.core.api.Assertions.assertThat;

import io.mambaspark.jobs.io.InputFiles.InputFile;
import io.mambaspark.jobs.io.InputVersion;
import io.mambaspark.jobs.io.ParquetFile;
import io.mambaspark.jobs.io.ParquetFile.RowGroup;
import io.mambaspark.jobs.io.RowGroups;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.BitSet;
import java.util.Collections;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.stream.IntStream;
import org.apache.hadoop.fs.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Tests how files are cut into units according to their footers. */
class UnitTest {
  /** The largest size of a file that may share a unit. */
  private static final long SMALL = 4 << 20;

  private static final long LARGE = SMALL + 1;

  /** Returns a file with the given row groups. */
  private static ParquetFile file(String name, long size, RowGroup... groups) {
    return new ParquetFile(
        new InputFile(new Path("file:/in/" + name), size, 1_000, Map.of()),
        List.of(groups),
        List.of(),
        new BitSet(),
        new BitSet(),
        Map.of(),
        null);
  }

  /** Returns a file whose row groups have ten rows each and start every 1,000 bytes. */
  private static ParquetFile file(String name, long size, int... tokens) {
    return file(
        name,
        size,
        IntStream.range(0, tokens.length)
            .mapToObj(i -> new RowGroup(4 + 1_000L * i, 10, tokens[i]))
            .toArray(RowGroup[]::new));
  }

  private static List<List<String>> names(List<Unit> units) {
    return units.stream()
        .map(
            unit ->
                unit.parts().stream()
                    .map(part -> part.input().path().replace("file:/in/", ""))
                    .toList())
        .toList();
  }

  private static List<RowGroups> parts(List<Unit> units) {
    return units.stream().flatMap(unit -> unit.parts().stream()).toList();
  }

  @Test
  void consecutive_row_groups_share_a_unit_up_to_the_target() {
    ParquetFile file = file("a", LARGE, 40, 40, 40, 30, 10, 1);
    InputVersion input = new InputVersion("file:/in/a", LARGE, 1_000);
    List<Unit> units = Unit.cut(List.of(file), 80);
    assertThat(parts(units))
        .containsExactly(
            new RowGroups(input, 0, 1, 0, 2_004, 0, 20, 80),
            new RowGroups(input, 2, 4, 2_004, 5_004, 20, 30, 80),
            new RowGroups(input, 5, 5, 5_004, LARGE, 50, 10, 1));
    assertThat(units).hasSize(3).noneMatch(Unit::isShared);
  }

  @Test
  void a_row_group_above_the_target_is_a_unit_of_its_own() {
    List<Unit> units = Unit.cut(List.of(file("a", LARGE, 10, 500, 10, 20)), 30);
    assertThat(units.stream().map(Unit::tokens)).containsExactly(10L, 500L, 30L);
    assertThat(parts(units).stream().map(RowGroups::described))
        .containsExactly("row group 0", "row group 1", "row groups 2 to 3");
  }

  @ParameterizedTest
  @ValueSource(longs = {0, 1, 39})
  void each_row_group_is_a_unit_if_the_target_is_below_all_of_them(long target) {
    List<Unit> units = Unit.cut(List.of(file("a", 100, 40, 40, 40)), target);
    assertThat(units).hasSize(3);
    assertThat(units.stream().map(Unit::rows)).containsOnly(10L);
  }

  @Test
  void row_groups_that_do_not_ascend_in_the_file_stay_together() {
    RowGroup low = new RowGroup(4, 10, 100);
    RowGroup high = new RowGroup(1_004, 20, 100);
    InputVersion input = new InputVersion("file:/in/a", LARGE, 1_000);
    assertThat(parts(Unit.cut(List.of(file("a", LARGE, high, low)), 1)))
        .containsExactly(new RowGroups(input, 0, 1, 0, LARGE, 0, 30, 200));
    assertThat(parts(Unit.cut(List.of(file("a", LARGE, low, low)), 1)))
        .containsExactly(new RowGroups(input, 0, 1, 0, LARGE, 0, 20, 200));
  }

  @Test
  void a_file_without_rows_is_in_no_unit() {
    ParquetFile none = file("none", 100, new RowGroup[0]);
    ParquetFile empty = file("empty", 100, new RowGroup(4, 0, 0));
    assertThat(Unit.cut(List.of(none, empty), 10)).isEmpty();
    assertThat(Unit.cut(List.of(), 10)).isEmpty();
    assertThat(names(Unit.cut(List.of(none, file("a", 100, 5), empty, file("b", 100, 5)), 10)))
        .containsExactly(List.of("a", "b"));
  }

  @Test
  void a_row_group_without_rows_joins_the_previous_one_or_is_skipped() {
    RowGroup first = new RowGroup(4, 10, 100);
    RowGroup last = new RowGroup(2_004, 10, 100);
    ParquetFile joined = file("a", LARGE, first, new RowGroup(1_004, 0, 0), last);
    assertThat(parts(Unit.cut(List.of(joined), 100)).stream().map(RowGroups::described))
        .containsExactly("row groups 0 to 1", "row group 2");
    ParquetFile skipped = file("a", LARGE, first, new RowGroup(1_004, 0, 1), last);
    assertThat(parts(Unit.cut(List.of(skipped), 100)).stream().map(RowGroups::described))
        .containsExactly("row group 0", "row group 2");
  }

  @Test
  void small_files_share_a_unit_up_to_the_target() {
    List<Unit> units =
        Unit.cut(
            List.of(
                file("a", SMALL, 30),
                file("b", 100, 30, 10),
                file("c", 100, 31),
                file("d", 100, 500),
                file("e", 100, 1)),
            70);
    assertThat(names(units))
        .containsExactly(List.of("a", "b"), List.of("c"), List.of("d"), List.of("e"));
    assertThat(units.stream().map(Unit::tokens)).containsExactly(70L, 31L, 500L, 1L);
    assertThat(units.stream().map(Unit::rows)).containsExactly(30L, 10L, 10L, 10L);
    assertThat(units.stream().map(Unit::isShared)).containsExactly(true, false, false, false);
  }

  @Test
  void a_large_file_shares_no_unit_and_does_not_separate_small_files_around_it() {
    assertThat(
            names(
                Unit.cut(
                    List.of(file("a", 100, 1), file("large", LARGE, 1), file("b", SMALL, 1)), 10)))
        .containsExactly(List.of("large"), List.of("a", "b"));
  }

  @Test
  void a_small_file_that_is_cut_shares_no_unit() {
    assertThat(
            names(
                Unit.cut(
                    List.of(file("a", 100, 1), file("cut", 100, 10, 10), file("b", 100, 1)), 10)))
        .containsExactly(List.of("cut"), List.of("cut"), List.of("a", "b"));
  }

  @Test
  void a_unit_has_at_most_5000_files() {
    List<ParquetFile> files = new ArrayList<>();
    for (int i = 0; i < 5_001; i++) {
      files.add(file("f" + i, 100, 0));
    }
    List<Unit> units = Unit.cut(files, 1);
    assertThat(units.stream().map(unit -> unit.parts().size())).containsExactly(5_000, 1);
    assertThat(units.get(0).name()).endsWith("-5000-files.parquet");
    assertThat(names(units).get(1)).containsExactly("f5000");
  }

  /** A later version must find the files of an earlier one, so names must never change. */
  @Test
  void names_are_derived_from_the_paths_and_the_row_groups() {
    List<Unit> cut = Unit.cut(List.of(file("a", LARGE, 10, 10, 10)), 20);
    assertThat(cut.stream().map(Unit::name))
        .containsExactly(
            "part-678858539ca3e999-00000-00001.parquet",
            "part-678858539ca3e999-00002-00002.parquet");
    List<Unit> shared = Unit.cut(List.of(file("a", 100, 10), file("b", 100, 10)), 20);
    assertThat(shared.stream().map(Unit::name))
        .containsExactly("part-31db4f5067c29063-2-files.parquet");
    RowGroups part = cut.get(0).parts().get(0);
    assertThat(Unit.of(List.of(new RowGroups(part.input(), 99_999, 100_000, 0, 1, 0, 1, 1))).name())
        .isEqualTo("part-678858539ca3e999-99999-100000.parquet");
  }

  @Test
  void names_do_not_depend_on_the_content_of_a_file() {
    RowGroups part = new RowGroups(new InputVersion("file:/in/a", 10, 20), 1, 2, 3, 4, 5, 6, 7);
    RowGroups other =
        new RowGroups(new InputVersion("file:/in/a", 11, 21), 1, 2, 30, 40, 50, 60, 70);
    assertThat(Unit.of(List.of(other)).name()).isEqualTo(Unit.of(List.of(part)).name());
  }

  @Test
  void different_files_have_different_names() {
    Set<String> names = new HashSet<>();
    for (List<String> paths :
        List.of(
            List.of("x", "yz"),
            List.of("xy", "z"),
            List.of("yz", "x"),
            List.of("x"),
            List.of("y"),
            List.of("ö"))) {
      List<RowGroups> parts =
          paths.stream()
              .map(path -> new RowGroups(new InputVersion(path, 1, 1), 0, 0, 0, 1, 0, 1, 1))
              .toList();
      assertThat(names.add(Unit.of(parts).name())).as("%s", paths).isTrue();
    }
  }

  @Test
  void a_password_is_neither_in_a_part_nor_in_the_name() {
    ParquetFile file =
        new ParquetFile(
            new InputFile(new Path("x://me:hunter2@h/a"), LARGE, 1_000, Map.of()),
            List.of(new RowGroup(4, 10, 10)),
            List.of(),
            new BitSet(),
            new BitSet(),
            Map.of(),
            null);
    Unit unit = Unit.cut(List.of(file), 10).get(0);
    assertThat(unit.parts().get(0).input().path()).isEqualTo("x://***@h/a");
    RowGroups shown = new RowGroups(new InputVersion("x://***@h/a", 1, 1), 0, 0, 0, 1, 0, 1, 1);
    assertThat(unit.name()).isEqualTo(Unit.of(List.of(shown)).name());
  }

  @Test
  void a_unit_keeps_its_parts_when_the_list_changes() {
    RowGroups part = new RowGroups(new InputVersion("a", 1, 1), 0, 0, 0, 1, 0, 1, 1);
    List<RowGroups> parts = new ArrayList<>(List.of(part));
    Unit unit = Unit.of(parts);
    parts.clear();
    assertThat(unit.parts()).containsExactly(part);
  }

  @Test
  void an_empty_unit_spans_a_file_and_has_no_rows() {
    Unit empty = Unit.empty(file("a", 77, 10, 10));
    assertThat(empty.parts())
        .containsExactly(
            new RowGroups(new InputVersion("file:/in/a", 77, 1_000), 0, 0, 0, 77, 0, 0, 0));
    assertThat(empty.name()).isEqualTo("part-678858539ca3e999-00000-00000.parquet");
    assertThat(empty.rows()).isZero();
    assertThat(empty.tokens()).isZero();
    assertThat(empty.isShared()).isFalse();
  }

  @Test
  void the_place_of_a_row_is_its_number_in_the_file() {
    RowGroups part = new RowGroups(new InputVersion("file:/in/a", 1, 1), 3, 3, 0, 1, 40, 10, 1);
    assertThat(part.place(2)).isEqualTo("row 42 of file:/in/a");
  }

  private static ParquetFile random(Random random, int number) {
    RowGroup[] groups = new RowGroup[random.nextInt(8)];
    long start = 4;
    for (int i = 0; i < groups.length; i++) {
      groups[i] = new RowGroup(start, 1 + random.nextInt(50), random.nextInt(100));
      start += 1 + random.nextInt(2_000_000);
    }
    if (random.nextInt(5) == 0) {
      Collections.reverse(Arrays.asList(groups));
    }
    return file("f" + number, start, groups);
  }

  private static boolean ascends(ParquetFile file) {
    List<RowGroup> groups = file.rowGroups();
    return IntStream.range(1, groups.size())
        .allMatch(i -> groups.get(i - 1).start() < groups.get(i).start());
  }

  @Test
  void parts_cover_their_file_and_two_neighbours_exceed_the_target() {
    for (long seed = 1; seed <= 200; seed++) {
      Random random = new Random(seed);
      List<ParquetFile> files = new ArrayList<>();
      for (int i = 0; i < 12; i++) {
        files.add(random(random, i));
      }
      long target = random.nextInt(300);
      List<Unit> units = Unit.cut(files, target);
      String name = "seed %d, target %d".formatted(seed, target);

      assertThat(units).as(name).isEqualTo(Unit.cut(files, target));
      assertThat(units.stream().map(Unit::name)).as(name).doesNotHaveDuplicates();
      Map<String, List<RowGroups>> byFile = new LinkedHashMap<>();
      for (RowGroups part : parts(units)) {
        byFile.computeIfAbsent(part.input().path(), path -> new ArrayList<>()).add(part);
      }
      for (ParquetFile file : files) {
        List<RowGroups> parts = byFile.getOrDefault(file.file().name(), List.of());
        assertCovers(name, file, parts);
        if (ascends(file)) {
          assertGreedy(name, file, parts, target);
        } else {
          assertThat(parts).as(name).hasSize(1);
        }
      }
      for (Unit unit : units) {
        if (unit.isShared()) {
          assertThat(unit.tokens()).as(name).isLessThanOrEqualTo(target);
          assertThat(unit.parts()).as(name).allMatch(part -> part.input().size() <= SMALL);
          assertThat(unit.parts())
              .as(name)
              .allMatch(part -> byFile.get(part.input().path()).size() == 1);
        }
      }
    }
  }

  private static void assertCovers(String name, ParquetFile file, List<RowGroups> parts) {
    long start = 0;
    long row = 0;
    int group = 0;
    for (RowGroups part : parts) {
      assertThat(part.input()).as(name).isEqualTo(InputVersion.of(file.file()));
      assertThat(part.start()).as(name).isEqualTo(start);
      assertThat(part.firstRow()).as(name).isEqualTo(row);
      assertThat(part.firstRowGroup()).as(name).isEqualTo(group);
      List<RowGroup> groups = file.rowGroups().subList(group, part.lastRowGroup() + 1);
      assertThat(part.rows()).as(name).isEqualTo(groups.stream().mapToLong(RowGroup::rows).sum());
      assertThat(part.tokens())
          .as(name)
          .isEqualTo(groups.stream().mapToLong(RowGroup::tokens).sum());
      start = part.end();
      row += part.rows();
      group = part.lastRowGroup() + 1;
    }
    assertThat(start).as(name).isEqualTo(parts.isEmpty() ? 0 : file.file().size());
    assertThat(row).as(name).isEqualTo(file.rows());
    assertThat(group).as(name).isEqualTo(file.rowGroups().size());
  }

  private static void assertGreedy(
      String name, ParquetFile file, List<RowGroups> parts, long target) {
    for (RowGroups part : parts) {
      boolean alone = part.firstRowGroup() == part.lastRowGroup();
      assertThat(alone || part.tokens() <= target).as(name).isTrue();
      int next = part.lastRowGroup() + 1;
      if (next < file.rowGroups().size()) {
        assertThat(part.tokens() + file.rowGroups().get(next).tokens())
            .as(name)
            .isGreaterThan(target);
      }
    }
  }
}
