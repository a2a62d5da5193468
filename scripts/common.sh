# Sourced by the scripts beside it: where things are, the job jar, a repository with it, a Spark home,
# Spark's launcher.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/target
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# A JVM knows the names of files in the characters of its locale: those of C and POSIX, which hold where
# none is set, are ASCII alone. Executors on other machines: conf/spark-defaults.conf.
case ${LC_ALL:-${LC_CTYPE:-${LANG:-C}}} in C | POSIX)
  if [[ ${LC_ALL:-} ]]; then export LC_ALL=C.UTF-8; else export LC_CTYPE=C.UTF-8; fi ;;
esac

say() { printf '%s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# The text of the first such element of the parent POM: pom_value spark.version
pom_value() { sed -n "s:^ *<$1>\(.*\)</$1>.*:\1:p" "$root/pom.xml" | head -n 1; }

spark_version=${SPARK_VERSION:-$(pom_value spark.version)}
scala_version=${SCALA_VERSION:-$(pom_value scala.binary.version)}
jar=$root/jobs/target/mamba-spark-jobs-$(pom_value version).jar

# The home that the profile "publish" deploys to, and the job jar in its repository.
packages=$target/packages
published=$packages/.m2/repository/io/github/mambaspark/mamba-spark-jobs/$(pom_value version)/${jar##*/}

# Whether a jar is missing or older than what it is made from.
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

# Builds $jar and $published, with sources and Javadoc, if the latter is stale. By the goal, as the phase
# "deploy" installs into the real ~/.m2 on its way.
publish() {
  if stale "$published"; then
    say "Publishing to ${packages#"$root"/} with Maven ..."
    mvn -q -B -f "$root/pom.xml" -Ppublish -DskipTests package deploy:deploy >&2
  fi
}

# Sets and exports SPARK_HOME. A home of the caller's is left alone; otherwise Maven fills one under
# target/, once for each Spark and Scala version (SPARK_VERSION, SCALA_VERSION; those of the build).
# It appears under its name only when it is whole.
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
  # Spark's processes look for the jars by SPARK_HOME and SPARK_SCALA_VERSION and put the conf folder
  # on their class path; executors that they start inherit all three.
  export SPARK_HOME=$home SPARK_SCALA_VERSION=$scala_version
  export SPARK_CONF_DIR=${SPARK_CONF_DIR:-$root/conf}
}

# Drops one line from standard error, of this shell and of what replaces it: the JVM's own warning of the
# module of the Vector API, for which it has no switch. As soon as that line has gone, or something
# comes that is no line, such as a progress bar, everything is passed on as it comes. Signals are for
# the JVM, which may still have something to say. It sees a pipe, so it is told of a terminal behind.
drop_incubator_warning() {
  local warning='WARNING: Using incubator modules: jdk.incubator.vector'
  if [[ -t 2 ]]; then export MAMBASPARK_TERMINAL=stderr; fi
  exec 2> >(
    trap '' INT TERM HUP QUIT
    LC_ALL=C
    exec >&2
    # Bash takes no byte more than a line from a pipe. The first one is nothing in an empty line.
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

# Replaces this shell by a Spark class (SparkSubmit, Master, Worker), as bin/spark-class does: Spark's
# launcher prints the whole command, environment and module options included, each part ended by NUL.
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
  # The first NUL stands alone on a line before the command.
  command=("${command[@]:1}")
  command[0]=${command[0]#$'\n'}
  exec "${command[@]}"
}
