#!/usr/bin/env bash
# Measures the engine in tokens per second and as a share of the machine's peak of fused multiply-adds:
#
#   scripts/bench.sh                     130m, 370m, 1.4b, 2.8b and mamba2-130m, more than half an hour;
#                                        needs 13 GB of memory
#   scripts/bench.sh --short             the 130m shape, less than two minutes
#   scripts/bench.sh --shapes 130m,370m  the listed shapes, out of these and mamba2-1.3b, mamba2-2.7b and
#                                        codestral-7b-4-layers
#   scripts/bench.sh --kernels           single kernels, with JMH and its gc profiler; passes further
#                                        arguments to JMH
#   scripts/bench.sh --spark             the Spark job on local[N], and the bare engine with N threads,
#                                        on the 130m shape
#   scripts/bench.sh --contexts          continuations that share a context, and the same
#                                        continuations when each is scored separately
#   --native      products of integers are native (needs Linux on x86-64 with VNNI)
#   --threads N   the number of threads (default: all cores)
#   --repeats N   the number of samples of each run
#
# Prints a table, and writes all measurements to target/bench/TIME.json. Keeps a checkpoint of the
# 130m shape in target/bench, to measure the speed of loading. JAVA_HOME chooses the JDK.
# BENCH_JAVA_OPTS adds options of the JVM, such as -XX:UseAVX=2. Other work on the machine distorts
# the measurements.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

bench=$target/bench
command="${BENCH_JAVA_OPTS:+BENCH_JAVA_OPTS='$BENCH_JAVA_OPTS' }scripts/bench.sh${*:+ $*}"

usage() { sed -n '2,/^set/s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2; exit 2; }

# Compiles the engine and its tests if their sources have changed since. Sets $classpath.
build_tests() {
  local file=$bench/classpath$native sources=("$root/pom.xml" "$root"/engine/{pom.xml,src})
  if [[ ! -e $file || -n $(find "${sources[@]}" -newer "$file" -print | head -n 1) ]]; then
    say "Building the benchmarks with Maven ..."
    mkdir -p "$bench"
    mvn -q -B -f "$root/pom.xml" ${native:+-Pnative} -pl engine test-compile dependency:build-classpath \
      -Dmdep.includeScope=test -Dmdep.outputFile="$bench/classpath.part" >&2
    mv "$bench/classpath.part" "$file"
  fi
  classpath=$root/engine/target/test-classes:$root/engine/target/classes:$(<"$file")
}

# Prints the MB of heap for a shape: its packed weights and a reserve. The smallest shape has weights in
# all formats.
heap_of() {
  case $1 in
    130m) echo 2600 ;;
    370m) echo 2200 ;;
    1.4b) echo 6200 ;;
    2.8b) echo 11800 ;;
    mamba2-130m) echo 1200 ;;
    mamba2-1.3b) echo 6000 ;;
    mamba2-2.7b) echo 11600 ;;
    codestral-7b-4-layers) echo 3800 ;;
    *) die "Unknown shape $1 in --shapes: expected a list of 130m, 370m, 1.4b, 2.8b, mamba2-130m," \
      "mamba2-1.3b, mamba2-2.7b, codestral-7b-4-layers" ;;
  esac
}

# Sets $heap to the MB that the largest shape and the threads' scratch arrays need. Only one shape is in
# memory at a time.
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
    die "Cannot measure shape $largest: it needs $((heap + 512)) MB of memory, and" \
      "$((available / 1024)) MB are available; choose smaller shapes with --shapes"
  fi
}

shapes= short= kernels= spark= contexts= native=
threads=$(getconf _NPROCESSORS_ONLN)
arguments=()
while (($#)); do
  case $1 in
    --kernels) kernels=yes; shift; arguments=("$@"); break ;;
    --shapes) [[ -n ${2:-} ]] || usage; shapes=$2; arguments+=("$1" "$2"); shift 2 ;;
    --spark) spark=yes; shift ;;
    --contexts) contexts=yes; shift ;;
    --native) native=-native; shift ;;
    --short) short=yes; arguments+=("$1"); shift ;;
    --threads) [[ ${2:-} =~ ^[1-9][0-9]*$ ]] || usage; threads=$2; arguments+=("$1" "$2"); shift 2 ;;
    --repeats) [[ -n ${2:-} ]] || usage; arguments+=("$1" "$2"); shift 2 ;;
    *) usage ;;
  esac
done

read -r -a options <<<"${BENCH_JAVA_OPTS:-}"
options+=(--add-modules=jdk.incubator.vector)
if [[ $native ]]; then options+=(-Dmambaspark.native=require); fi
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
[[ -n $shapes ]] || { [[ -n $short ]] && shapes=130m || shapes=130m,370m,1.4b,2.8b,mamba2-130m; }
choose_heap "$shapes"
exec "$java" "-Xmx${heap}m" "${options[@]}" "-Dmambaspark.bench.command=$command" \
  "-Dmambaspark.bench.out=$bench" -cp "$classpath" io.mambaspark.engine.bench.Bench \
  ${arguments[@]+"${arguments[@]}"}
