# Paths and functions for the other scripts, which source this file. The functions build and publish the
# job jar, fill a Spark home, and start Spark.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/target
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# A JVM encodes file names in the character set of its locale. The locales C and POSIX contain
# only ASCII, and C applies if no locale is set. For executors on other machines see
# conf/spark-defaults.conf.
case ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}} in C | POSIX)
  if [[ ${LC_ALL:-} ]]; then export LC_ALL=C.UTF-8; else export LC_CTYPE=C.UTF-8; fi ;;
esac

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# pom_value ELEMENT: prints the text of the first element of that name in the parent POM.
pom_value() { sed -n "s:^ *<$1>\(.*\)</$1>.*:\1:p" "$root/pom.xml" | head -n 1; }

spark_version=${SPARK_VERSION:-$(pom_value spark.version)}
scala_version=${SCALA_VERSION:-$(pom_value scala.binary.version)}
jar=$root/jobs/target/mamba-spark-jobs-$(pom_value version).jar

# The profile "publish" fills the Maven repository of the user home $packages. $published is the job jar in
# that repository.
packages=$target/packages
published=$packages/.m2/repository/io/github/mambaspark/mamba-spark-jobs/$(pom_value version)/${jar##*/}

# Whether a jar is missing or older than its sources.
stale() {
  local sources=("$root"/{LICENSE,NOTICE,pom.xml} "$root"/{engine,jobs}/{pom.xml,src/main})
  [[ ! -e $1 || -n $(find "${sources[@]}" -newer "$1" -print | head -n 1) ]]
}

# Builds $jar if it is stale.
build_jar() {
  if stale "$jar"; then
    say "Building ${jar#"$root"/} with Maven ..."
    mvn -q -B -f "$root/pom.xml" -DskipTests package >&2
  fi
}

# The jar of native products of integers for this machine.
native_jar() {
  local platform
  platform=linux-$(uname -m)
  echo "$root/engine/native/$platform/target/mamba-spark-native-$platform-$(pom_value version).jar"
}

# Builds $(native_jar) if it is stale.
build_native() {
  local file
  file=$(native_jar)
  if [[ ! -e $file || -n $(find "$root"/{LICENSE,pom.xml} "$root"/engine/native/{pom.xml,*/pom.xml,legal} \
    -newer "$file" -print | head -n 1) ]]; then
    say "Building ${file#"$root"/} with Maven ..."
    mvn -q -B -f "$root/pom.xml" -Pnative -pl "engine/native,engine/native/linux-$(uname -m)" package >&2
  fi
}

# Builds $(native_jar), and deploys it to $packages.
publish_native() {
  say "Publishing $(basename "$(native_jar)" .jar) to ${packages#"$root"/} with Maven ..."
  mvn -q -B -f "$root/pom.xml" -Ppublish,native -DskipTests \
    -pl ".,engine/native,engine/native/linux-$(uname -m)" package deploy:deploy >&2
}

# Builds $jar and $published, with sources and Javadoc, if $published is stale. Calls the goal
# deploy:deploy, because the phase "deploy" would also install into the real ~/.m2.
publish() {
  if stale "$published"; then
    say "Publishing to ${packages#"$root"/} with Maven ..."
    mvn -q -B -f "$root/pom.xml" -Ppublish -DskipTests package deploy:deploy >&2
  fi
}

# Sets and exports SPARK_HOME, unless the caller has set it. Maven fills one home under target/ for each
# pair of SPARK_VERSION and SCALA_VERSION (default: the versions of the build). A home gets its final name
# only when it is complete.
spark_home() {
  [[ -z ${SPARK_HOME:-} ]] || return 0
  local home=$target/spark-home-$spark_version-$scala_version pom=$root/scripts/spark-home/pom.xml
  if [[ ! -e $home/RELEASE || $pom -nt $home/RELEASE ]]; then
    say "Filling ${home#"$root"/} with Maven ..."
    rm -rf "$home" "$home.part"
    mvn -q -B -f "$pom" dependency:copy-dependencies -DincludeScope=runtime \
      -Dspark.version="$spark_version" -Dscala.binary.version="$scala_version" \
      -DoutputDirectory="$home.part/jars" >&2
    echo "Spark $spark_version, Scala $scala_version, from Maven Central" >"$home.part/RELEASE"
    mv "$home.part" "$home"
  fi
  # Spark's processes find their jars through SPARK_HOME and SPARK_SCALA_VERSION, and add
  # SPARK_CONF_DIR to their class path. The executors that they start inherit all three variables.
  export SPARK_HOME=$home SPARK_SCALA_VERSION=$scala_version
  export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$root/conf}
}

# Removes one line from the standard error of this shell and of the program that replaces it: the JVM's
# warning about the module of the Vector API, which no JVM option disables. Copies all other output. After
# that line, or after an incomplete line, such as a progress bar, stops filtering and copies every byte at
# once. The filter ignores signals, because the JVM may still write when it handles one.
# MAMBASPARK_TERMINAL is set if standard error is a terminal, because the JVM itself writes to a pipe.
drop_incubator_warning() {
  local warning='WARNING: Using incubator modules: jdk.incubator.vector'
  if [[ -t 2 ]]; then export MAMBASPARK_TERMINAL=stderr; fi
  exec 2> >(
    trap '' INT TERM HUP QUIT
    LC_ALL=C
    exec >&2
    # Bash reads a pipe no further than the end of the line, so cat gets the rest. $first is empty if
    # the line is empty.
    while IFS= read -r -n 1 first; do
      line=
      if [[ $first ]] && ! IFS= read -r -t 1 line; then
        printf '%s' "$first$line"
        exec cat
      fi
      [[ $first$line != "$warning" ]] || exec cat
      printf '%s\n' "$first$line"
    done
  )
}

# exec_spark_class CLASS ARGUMENTS...: replaces this shell with a Spark class (SparkSubmit, Master, Worker),
# as bin/spark-class does. Spark's launcher prints the complete command, with environment and module
# options, and a NUL after each part.
exec_spark_class() {
  spark_home
  if [[ -x $SPARK_HOME/bin/spark-class ]]; then
    exec "$SPARK_HOME/bin/spark-class" "$@"
  fi
  local command=() part status
  while IFS= read -r -d '' part; do
    command+=("$part")
  done < <("$java" -Xmx128m -cp "$SPARK_HOME/jars/*" org.apache.spark.launcher.Main "$@"
           printf '%d\0' $?)
  status=${command[${#command[@]} - 1]}
  [[ $status == 0 ]] || exit "$status"
  unset "command[${#command[@]}-1]"
  # The launcher prints a NUL and a line end before the command.
  command=("${command[@]:1}")
  command[0]=${command[0]#$'\n'}
  exec "${command[@]}"
}
