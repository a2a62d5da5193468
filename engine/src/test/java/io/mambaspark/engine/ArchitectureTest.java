package io.mambaspark.engine;

import static com.tngtech.archunit.base.DescribedPredicate.not;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.simpleNameStartingWith;
import static com.tngtech.archunit.core.domain.properties.HasName.Predicates.nameMatching;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.classes;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.domain.JavaClasses;
import com.tngtech.archunit.core.importer.ClassFileImporter;
import com.tngtech.archunit.core.importer.ImportOption;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/**
 * The engine's packages and the direction of their dependencies: score → model → kernel and
 * checkpoint.
 */
// Only one run checks them, because the class files are the same in every test run.
@Tag("vector")
class ArchitectureTest {
  private static final String ENGINE = "io.mambaspark.engine";

  private static final JavaClasses CLASSES =
      new ClassFileImporter()
          .withImportOption(ImportOption.Predefined.DO_NOT_INCLUDE_TESTS)
          .importPackages(ENGINE);

  @Test
  void scoresDependOnModelsAndModelsOnKernelsAndCheckpoints() {
    layeredArchitecture()
        .consideringOnlyDependenciesInLayers()
        .layer("checkpoint")
        .definedBy(ENGINE + ".checkpoint")
        .layer("kernel")
        .definedBy(ENGINE + ".kernel")
        .layer("model")
        .definedBy(ENGINE + ".model")
        .layer("score")
        .definedBy(ENGINE + ".score")
        .whereLayer("checkpoint")
        .mayNotAccessAnyLayer()
        .whereLayer("kernel")
        .mayNotAccessAnyLayer()
        .whereLayer("model")
        .mayOnlyAccessLayers("checkpoint", "kernel")
        .whereLayer("score")
        .mayOnlyAccessLayers("model", "kernel")
        .check(CLASSES);
  }

  @Test
  void everyClassIsInOneOfThePackages() {
    classes()
        .that()
        .doNotHaveSimpleName("package-info")
        .should()
        .resideInAnyPackage(
            ENGINE + ".checkpoint", ENGINE + ".kernel", ENGINE + ".model", ENGINE + ".score")
        .check(CLASSES);
  }

  @Test
  void packagesHaveNoCycles() {
    slices().matching(ENGINE + ".(*)..").should().beFreeOfCycles().check(CLASSES);
  }

  @Test
  void onlyTheVectorClassesDependOnTheIncubatorModule() {
    // A JVM without the module must load every other class.
    noClasses()
        .that(not(simpleNameStartingWith("Vector")))
        .should()
        .dependOnClassesThat(resideInAnyPackage("jdk.incubator.."))
        .check(CLASSES);
  }

  @Test
  void onlyVectorClassesReferToVectorClasses() {
    noClasses()
        .that(not(simpleNameStartingWith("Vector")))
        .should()
        .dependOnClassesThat(
            simpleNameStartingWith("Vector").and(resideInAnyPackage(ENGINE + "..")))
        .check(CLASSES);
  }

  @Test
  void onlyTheClassesOfOneDnnDependOnJavaCpp() {
    // The library is not in the job jar. Without it a JVM must load every other class.
    noClasses()
        .that(not(nameMatching(".*\\.Dnnl.*")))
        .should()
        .dependOnClassesThat(resideInAnyPackage("org.bytedeco.."))
        .check(CLASSES);
  }

  @Test
  void theEngineDependsOnlyOnJacksonSlf4jAndOptionallyOneDnn() {
    classes()
        .should()
        .onlyDependOnClassesThat(
            resideInAnyPackage(
                ENGINE + "..",
                "java..",
                "jdk.incubator.vector..",
                // Part of the JDK; reports which compiler HotSpot uses.
                "com.sun.management",
                "com.fasterxml.jackson..",
                "org.bytedeco..",
                "org.slf4j.."))
        .check(CLASSES);
  }
}
