#!/usr/bin/env bash
# Opens sample reports, and the reports given as arguments, in headless Chromium, on wide and narrow screens,
# in light and dark mode. Fails if a chart is not visible, or if a page loads a resource or logs a message.
# Writes the sample reports and all screenshots to jobs/target/report.
#
# Needs JDK 17, Maven and Chromium. If Chromium is missing, root installs it with apt-get.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Uses the first of these browsers that is installed.
found=
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  found=${found:-$(type -P "$name" || true)}
done
if [[ -z $found ]]; then
  [[ $(id -u) == 0 ]] && type -P apt-get >/dev/null ||
    die "Cannot find Chromium: install it, or run this script as root on a system with apt-get"
  say "Installing Chromium with apt-get ..."
  apt-get -qq update >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >&2
fi
pages=
for page in "$@"; do pages=${pages:+$pages:}$(realpath "$page"); done
mvn -B -ntp -f "$root/pom.xml" -Pchromium "-Dmambaspark.reports=$pages" test
