#!/usr/bin/env bash
# Runs every test project and ends with one line: N passed, N failed, N skipped.
set -u
configuration=${1:-Release}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
status=0
for project in tests/*.Tests/*.csproj; do
    echo "== $(basename "$project" .csproj)"
    dotnet test "$project" -c "$configuration" --no-build --nologo -v quiet -- xUnit.ParallelizeTestCollections=true 2>&1 | tee -a "$log"
    [ "${PIPESTATUS[0]}" = 0 ] || status=1
done
sum() { grep -oE "$1: +[0-9]+" "$log" | grep -oE '[0-9]+' | paste -sd+ | sed 's/^$/0/' | bc_or_awk; }
bc_or_awk() { awk -F+ '{ total = 0; for (i = 1; i <= NF; i++) total += $i; print total } END { if (NR == 0) print 0 }'; }
passed=$(sum Passed); failed=$(sum Failed); skipped=$(sum Skipped)
if [ "$skipped" != 0 ]; then
    echo
    echo "Skipped ($skipped), with their reasons above; most need the shared reference data (CANAL_SHARED, or ../shared)."
fi
[ "$passed" != 0 ] || { echo "No test ran."; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
