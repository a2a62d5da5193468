#!/usr/bin/env bash
# Scores with native products of integers on a standalone cluster whose second worker has them switched
# off, and on local[*] without them, and with them through --packages. All rows must be equal to the bit.
#
#   scripts/native.sh [FORMAT...]    the formats of weights (default: int8-out16, which has products of both)
#
# Needs Linux on x86-64 with VNNI, and the ports of scripts/cluster.sh. Writes to target/native.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

formats=("$@")
((${#formats[@]})) || formats=(int8-out16)
out=$target/native
submit=$root/scripts/submit.sh
build_jar
publish_native
rm -rf "$out"
mkdir -p "$out"

# score NAME FORMAT OPTIONS_OF_SPARK...
score() {
  local name=$1 format=$2
  shift 2
  "$submit" "$@" -- score --model demo --input demo --prefix-token bos --max-tokens 200 --partitions 6 \
    --weights "$format" --emit token-logprobs,token-ranks,top-k=3 --output-format json \
    --output "$out/$name" >"$out/$name.out" 2>"$out/$name.err" || { cat "$out/$name.err" >&2; return 1; }
}

# Prints the lines of a log that name the kernels.
kernels() { grep -h -o 'Vector API kernels.*' "$@"; }

export WORKER_2_NATIVE=off
trap '"$root/scripts/cluster.sh" stop' EXIT
master=$("$root/scripts/cluster.sh" start)
for format in "${formats[@]}"; do
  MASTER=$master score "cluster-$format" "$format" --jars "$(native_jar)" --executor-memory 1g \
    --conf spark.locality.wait=0
  score "local-$format" "$format"
  if kernels "$out/local-$format.err" | grep -q oneDNN; then die "local[*] has native products"; fi
  # Spark first searches .m2 in user.home, which is $packages. Downloads fail at a proxy that does not exist.
  score "packages-$format" "$format" --conf spark.mambaspark.native=require \
    --packages "io.github.mambaspark:mamba-spark-native-linux-$(uname -m):$(pom_value version)" \
    --conf "spark.jars.ivy=$out/ivy" --driver-java-options "-Duser.home=$packages \
      -Dlog4j2.configurationFile=file:$root/conf/log4j2.properties -Dhttps.proxyHost=127.0.0.1 -Dhttps.proxyPort=9"
  for name in cluster packages local; do LC_ALL=C sort "$out/$name-$format"/part-* >"$out/$name-$format.jsonl"; done
  cmp "$out/cluster-$format.jsonl" "$out/local-$format.jsonl"
  cmp "$out/packages-$format.jsonl" "$out/local-$format.jsonl"
  if grep -i '^warning' "$out/packages-$format.err"; then die "The library warned"; fi
  kernels "$out/packages-$format.err" | grep oneDNN || die "--packages has no native products"
  application=$(ls "$target/cluster/work-1" | sort | tail -n 1)
  kernels "$target/cluster/work-1/$application"/*/stderr | grep oneDNN ||
    die "The first worker has no native products: $target/cluster/work-1/$application"
  if kernels "$target/cluster/work-2/$application"/*/stderr | grep oneDNN; then
    die "The second worker has native products"
  fi
  echo "$format: $(wc -l <"$out/local-$format.jsonl") rows, equal to the bit on workers with and without native" \
    "products, on local[*], and with --packages"
done
# Too little memory outside the heap is refused, with the size that suffices.
if score refused int8 --jars "$(native_jar)" --conf spark.driver.memoryOverhead=100m 2>"$out/refused.log"; then
  die "spark.driver.memoryOverhead=100m was not refused"
fi
grep 'error: .*memory outside the heap' "$out/refused.log"
if score required int8 --conf spark.mambaspark.native=require 2>"$out/required.log"; then
  die "spark.mambaspark.native=require without a library was not refused"
fi
grep 'error: .*Native products of integers are required' "$out/required.log"
