#!/usr/bin/env bash
# Measures the engine beside the peak of the machine's fused multiply-adds:
#
#   scripts/bench.sh                     all shapes, about half an hour; needs 13 GB of memory
#   scripts/bench.sh --short             the 130m shape in less than two minutes
#   scripts/bench.sh --shapes 130m,370m  some of 130m, 370m, 1.4b, 2.8b
#   scripts/bench.sh --kernels           the kernels by themselves, with JMH and its gc profiler;
#                                        further arguments go to JMH
#   scripts/bench.sh --spark             the Spark job on local[N] against the bare engine with N
#                                        threads, on the 130m shape
#   scripts/bench.sh --contexts          continuations that share their context against each by itself
#   --threads N   instead of all cores   --repeats N   samples of each run
#
# A table goes to the terminal, everything measured to target/bench/TIME.json; a checkpoint of the
# 130m shape, for measuring how fast it loads, stays in target/bench. JAVA_HOME chooses the
# JDK; BENCH_JAVA_OPTS adds options of the JVM, such as -XX:UseAVX=2. Other work on the machine
# spoils the figures.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bench=$target/bench
command="${BENCH_JAVA_OPTS:+BENCH_JAVA_OPTS='$BENCH_JAVA_OPTS' }scripts/bench.sh${*:+ $*}"

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# Compiles the engine and its tests if they are older than their sources. Sets $classpath.
build_tests() {
  local sources=("$root/pom.xml" "$root"/engine/{pom.xml,src})
  if [[ ! -e $bench/classpath ||
    -n $(find "${sources[@]}" -newer "$bench/classpath" -print | head -n 1) ]]; then
    say "Building the benchmarks with Maven ..."
    mkdir -p "$bench"
    mvn -q -B -f "$root/pom.xml" -pl engine test-compile dependency:build-classpath \
      -Dmdep.includeScope=test -Dmdep.outputFile="$bench/classpath.part" >&2
    mv "$bench/classpath.part" "$bench/classpath"
  fi
  classpath=$root/engine/target/test-classes:$root/engine/target/classes:$(<"$bench/classpath")
}

# MB of heap for a shape: its packed weights, for the smallest in both formats, and some room.
heap_of() {
  case $1 in
    130m) echo 1800 ;;
    370m) echo 2200 ;;
    1.4b) echo 6200 ;;
    2.8b) echo 11800 ;;
    *) die "--shapes $1: expected some of 130m,370m,1.4b,2.8b" ;;
  esac
}

# Sets $heap for the largest of the shapes, which come one after the other, and the threads' scratch.
choose_heap() {
  local shape largest available mb
  heap=0
  for shape in ${1//,/ }; do
    mb=$(heap_of "$shape")
    if ((mb > heap)); then heap=$mb largest=$shape; fi
  done
  heap=$((heap + 150 * threads))
  available=$(sed -n 's/^MemAvailable: *\([0-9]*\) kB/\1/p' /proc/meminfo 2>/dev/null || true)
  if [[ -n $available ]] && ((available / 1024 < heap + 512)); then
    die "The $largest shape needs $((heap + 512)) MB of memory, $((available / 1024)) MB are" \
      "available: choose smaller ones with --shapes"
  fi
}

shapes= short= kernels= spark= contexts=
threads=$(getconf _NPROCESSORS_ONLN)
arguments=()
while (($#)); do
  case $1 in
    --kernels) kernels=yes; shift; arguments=("$@"); break ;;
    --shapes) [[ -n ${2:-} ]] || usage; shapes=$2; arguments+=("$1" "$2"); shift 2 ;;
    --spark) spark=yes; shift ;;
    --contexts) contexts=yes; shift ;;
    --short) short=yes; arguments+=("$1"); shift ;;
    --threads) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage; threads=$2; arguments+=("$1" "$2"); shift 2 ;;
    --repeats) [[ -n ${2:-} ]] || usage; arguments+=("$1" "$2"); shift 2 ;;
    *) usage ;;
  esac
done

read -r -a options <<<"${BENCH_JAVA_OPTS:-}"
options+=(--add-modules=jdk.incubator.vector)
build_tests
if [[ -n $kernels ]]; then
  exec "$java" -Xmx1g ${options[@]+"${options[@]}"} -cp "$classpath" org.openjdk.jmh.Main -prof gc \
    ${arguments[@]+"${arguments[@]}"}
fi
if [[ -n $spark ]]; then
  build_jar
  exec "$java" -Xmx2g "${options[@]}" "-Dmambaspark.bench.command=$command" -cp "$classpath" \
    io.mambaspark.engine.bench.SparkBench "$root/scripts/submit.sh" "$bench" \
    ${arguments[@]+"${arguments[@]}"}
fi
if [[ -n $contexts ]]; then
  exec "$java" -Xmx1800m "${options[@]}" -cp "$classpath" io.mambaspark.engine.bench.SharedContext \
    ${arguments[@]+"${arguments[@]}"}
fi
[[ -n $shapes ]] || { [[ -n $short ]] && shapes=130m || shapes=130m,370m,1.4b,2.8b; }
choose_heap "$shapes"
exec "$java" "-Xmx${heap}m" "${options[@]}" "-Dmambaspark.bench.command=$command" \
  "-Dmambaspark.bench.out=$bench" -cp "$classpath" io.mambaspark.engine.bench.Bench \
  ${arguments[@]+"${arguments[@]}"}
