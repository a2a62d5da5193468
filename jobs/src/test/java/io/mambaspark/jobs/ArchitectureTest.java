package io.mambaspark.jobs;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.base.DescribedPredicate;
import com.tngtech.archunit.core.domain.JavaClass;
import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.library.Architectures;
import com.tngtech.archunit.library.Architectures.LayeredArchitecture;
import com.tngtech.archunit.library.dependencies.SliceAssignment;
import com.tngtech.archunit.library.dependencies.SliceIdentifier;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Checks the dependencies between the rooms, which are packages and single public classes. */
class ArchitectureTest {
  private static final String ROOT = "io.mambaspark.jobs";

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages(ROOT);

  /** The layers of rooms, lowest first: a room may depend only on rooms of lower layers. */
  private static final List<List<String>> FLOORS =
      List.of(
          List.of("Refusal"),
          List.of("text", "spark", "options"),
          List.of("model", "io"),
          List.of("score"),
          List.of("stats", "ScoringMetrics"),
          List.of("units", "report", "MambaScorer"),
          List.of("ml", "sql"),
          List.of("job"),
          List.of("cli"),
          List.of("Main"));

  /** The room of a class: its package, or the class itself if it is in the root package. */
  private static String room(JavaClass type) {
    if (!type.getPackageName().equals(ROOT)) {
      return type.getPackageName().substring(ROOT.length() + 1);
    }
    String name = type.getName().substring(ROOT.length() + 1).replaceFirst("\\$.*", "");
    return name.equals("MambaFunctions") || name.equals("package-info") ? "MambaScorer" : name;
  }

  private static DescribedPredicate<JavaClass> in(String room) {
    return DescribedPredicate.describe(
        room, type -> type.getPackageName().startsWith(ROOT) && room(type).equals(room));
  }

  @Test
  void a_room_depends_only_on_rooms_of_lower_layers() {
    LayeredArchitecture rooms =
        Architectures.layeredArchitecture().consideringOnlyDependenciesInLayers();
    List<String> above = new ArrayList<>();
    for (List<String> floor : FLOORS) {
      above.addAll(floor);
      for (String room : floor) {
        rooms = rooms.layer(room).definedBy(in(room));
      }
    }
    for (List<String> floor : FLOORS) {
      above.removeAll(floor);
      for (String room : floor) {
        rooms =
            above.isEmpty()
                ? rooms.whereLayer(room).mayNotBeAccessedByAnyLayer()
                : rooms.whereLayer(room).mayOnlyBeAccessedByLayers(above.toArray(String[]::new));
      }
    }
    rooms.ensureAllClassesAreContainedInArchitecture().check(CLASSES);
  }

  @Test
  void rooms_have_no_dependency_cycles() {
    slices()
        .assignedFrom(
            new SliceAssignment() {
              @Override
              public SliceIdentifier getIdentifierOf(JavaClass type) {
                return type.getPackageName().startsWith(ROOT)
                    ? SliceIdentifier.of(room(type))
                    : SliceIdentifier.ignore();
              }

              @Override
              public String getDescription() {
                return "rooms";
              }
            })
        .should()
        .beFreeOfCycles()
        .check(CLASSES);
  }

  @Test
  void only_the_command_line_depends_on_picocli() {
    noClasses()
        .that(not(resideInAPackage(ROOT + ".cli")))
        .should()
        .dependOnClassesThat()
        .resideInAPackage("picocli..")
        .check(CLASSES);
  }

  @Test
  void the_package_text_does_not_depend_on_spark_or_hadoop() {
    noClasses()
        .that()
        .resideInAPackage(ROOT + ".text")
        .should()
        .dependOnClassesThat()
        .resideInAnyPackage("org.apache.spark..", "org.apache.hadoop..")
        .check(CLASSES);
  }
}
