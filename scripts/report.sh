#!/usr/bin/env bash
# Opens reports of made-up runs, and those given as arguments, in headless Chromium, wide and narrow,
# light and dark, and looks for charts that do not show, requests and complaints. Pages and pictures
# lie in jobs/target/report.
#
# Needs JDK 17, Maven and Chromium; where that is missing root gets it by apt-get.
set -euo pipefail
source "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# Any of these will do, so the first found ends the search.
found=
for name in chromium chromium-browser google-chrome google-chrome-stable; do
  found=${found:-$(type -P "$name" || true)}
done
if [[ -z $found ]]; then
  [[ $(id -u) == 0 ]] && type -P apt-get >/dev/null ||
    die "Chromium is missing: install it, or run this as root where there is apt-get"
  say "Installing Chromium with apt-get ..."
  apt-get -qq update >&2
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends chromium >&2
fi
pages=
for page in "$@"; do pages=${pages:+$pages:}$(realpath "$page"); done
mvn -B -ntp -f "$root/pom.xml" -Pchromium "-Dmambaspark.reports=$pages" test
