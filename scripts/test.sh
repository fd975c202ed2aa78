#!/usr/bin/env bash
# Runs every test project and ends with one line: N passed, N failed, N skipped. A project that crashes or does not start counts as a failure.
set -u
configuration=${1:-Release}
export DOTNET_CLI_UI_LANGUAGE=en
dotnet=${DOTNET:-dotnet}
log=$(mktemp)
trap 'rm -f "$log"' EXIT
passed=0 failed=0 skipped=0 status=0
for project in tests/*.Tests/*.csproj; do
    echo "== $(basename "$project" .csproj)"
    "$dotnet" test "$project" -c "$configuration" --no-build --nologo -v quiet --logger "console;verbosity=minimal" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    summary=$(grep -E '^(Passed|Failed|Skipped)! +- Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log" | tail -n 1)
    if [ -z "$summary" ]; then
        echo "$project did not finish (exit code $code); counted as one failure."
        failed=$((failed + 1)) status=1
        continue
    fi
    number() { echo "$summary" | sed -E "s/.*$1: +([0-9]+).*/\1/"; }
    passed=$((passed + $(number Passed))) failed=$((failed + $(number Failed))) skipped=$((skipped + $(number Skipped)))
    if [ "$code" != 0 ]; then
        status=1
        [ "$(number Failed)" != 0 ] || failed=$((failed + 1))
    fi
done
echo
[ "$skipped" = 0 ] || echo "Skipped: $skipped; the lines above give the reasons. Most need the shared reference data (CANAL_SHARED, or ../shared)."
[ "$passed" != 0 ] || { echo "No test ran."; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
