#!/bin/sh
# Leaves NVRTC, the run-time compiler of CUDA, in bin/nvrtc, so that the kernels can be compiled and measured on a machine without CUDA.
# Nothing is installed: two packages are unpacked into this checkout, through a private list made of the machine's own apt sources.
# Never fails: where the library cannot be had, one line says so, and the tests that need it say that they were skipped.
set -u
folder=bin/nvrtc
library=libnvrtc11.2          # the version the table in kernels/README.md was measured with
[ -z "${CANAL_NVRTC:-}" ] || exit 0
ls "$folder"/libnvrtc.so.* >/dev/null 2>&1 && exit 0

say() {
    echo "setup: NVRTC tests will be skipped: $1. Name a libnvrtc.so in CANAL_NVRTC, or remove $folder to try again."
    exit 0
}
none() {
    rm -rf "$folder"
    mkdir -p "$folder" && echo "$1" > "$folder/unavailable"
    say "$1"
}
# Asked once a day, not at every build.
[ -z "$(find "$folder/unavailable" -mtime -1 2>/dev/null)" ] || say "$(cat "$folder/unavailable")"
for tool in apt-get apt-cache dpkg timeout; do
    command -v $tool >/dev/null 2>&1 || none "there is no $tool here to fetch $library with"
done
codename=$(. /etc/os-release 2>/dev/null && echo "${VERSION_CODENAME:-}")
case $(. /etc/os-release 2>/dev/null && echo "${ID:-}") in
    ubuntu) component=multiverse ;;
    *) component=non-free ;;
esac
[ -n "$codename" ] || none "/etc/os-release names no release"

rm -rf "$folder"
mkdir -p "$folder/apt/lists/partial" "$folder/apt/cache/archives/partial" "$folder/new"
here=$(cd "$folder" && pwd)
# The release's own entries, with the one component that holds NVRTC in place of theirs.
for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
    [ -f "$list" ] && grep -hE "^deb( +\[[^]]*\])? +[^ ]+ +$codename +" "$list" | sed -E "s/( $codename) .*/\1 $component/"
done > "$here/apt/machine.list" 2>/dev/null
for list in /etc/apt/sources.list.d/*.sources; do
    [ -f "$list" ] && awk -v RS= -v suite="$codename" -v component="$component" '
        { text = ""; kept = 0; lines = split($0, line, "\n")
          for (i = 1; i <= lines; i++) {
              if (line[i] ~ /^#/) continue
              if (line[i] ~ "^Suites:.*[ \t]" suite "([ \t]|$)") { kept = 1; line[i] = "Suites: " suite }
              if (line[i] ~ /^Components:/) line[i] = "Components: " component
              text = text line[i] "\n" }
          if (kept && text ~ /(^|\n)Types:[^\n]*deb([ \t]|\n)/) print text }' "$list"
done > "$here/apt/machine.sources" 2>/dev/null
mkdir "$here/apt/parts" && mv "$here/apt/machine.list" "$here/apt/machine.sources" "$here/apt/parts/"
private="-o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=$here/apt/parts -o Dir::State::lists=$here/apt/lists -o Dir::Cache=$here/apt/cache
    -o APT::Sandbox::User= -o APT::Update::Error-Mode=any -o Acquire::Languages=none -o Acquire::Retries=0 -o Acquire::http::Timeout=10 -o Acquire::https::Timeout=10"
# shellcheck disable=SC2086  # the options are words
timeout 120 apt-get -qq $private update >/dev/null 2>&1 || none "the package lists of this machine's sources could not be fetched"
# shellcheck disable=SC2086
builtins=$(apt-cache $private depends "$library" 2>/dev/null | sed -n 's/.*Depends: \(libnvrtc-builtins[0-9.]*\).*/\1/p' | head -n 1)
[ -n "$builtins" ] || none "this machine's sources have no $library in $component"
# shellcheck disable=SC2086
(cd "$here/new" && timeout 300 apt-get -qq $private download "$library" "$builtins" >/dev/null 2>&1) || none "$library could not be downloaded"
for package in "$here"/new/*.deb; do
    dpkg -x "$package" "$here/new" >/dev/null 2>&1 || none "$(basename "$package") could not be unpacked"
done
find "$here/new" -name 'libnvrtc-builtins.so*' -exec mv {} "$here/" \; && find "$here/new" -name 'libnvrtc.so*' -exec mv {} "$here/" \;
find "$here/new" -path '*/libnvrtc11.2/copyright' -exec mv {} "$here/" \;
rm -rf "$here/apt" "$here/new"
ls "$here"/libnvrtc.so.* >/dev/null 2>&1 || none "$library holds no libnvrtc.so"
