#!/usr/bin/env bash
# Runs every test project and ends with one line: N passed, N failed, N skipped. A project that crashes or does not start counts as a failure.
# CANAL_TEST_FILTER, where it is set, chooses tests (dotnet test --filter).
set -u
configuration=${1:-Release}
export DOTNET_CLI_UI_LANGUAGE=en
dotnet=${DOTNET:-dotnet}
work=$(mktemp -d)
log=$work/log
trap 'rm -rf "$work"' EXIT
passed=0 failed=0 skipped=0 status=0
for project in tests/*.Tests/*.csproj; do
    echo "== $(basename "$project" .csproj)"
    "$dotnet" test "$project" -c "$configuration" --no-build --nologo -v quiet ${CANAL_TEST_FILTER:+--filter "$CANAL_TEST_FILTER"} --logger "console;verbosity=minimal" --logger "trx;LogFileName=results.trx" --results-directory "$work" 2>&1 | tee "$log"
    code=${PIPESTATUS[0]}
    summary=$(grep -E '^(Passed|Failed|Skipped)! +- Failed: +[0-9]+, Passed: +[0-9]+, Skipped: +[0-9]+' "$log" | tail -n 1)
    [ -n "$summary" ] || [ -z "${CANAL_TEST_FILTER:-}" ] || ! grep -q '^No test matches' "$log" || continue
    if [ -z "$summary" ]; then
        echo "$project did not finish (exit code $code); counted as one failure."
        failed=$((failed + 1)) status=1
        continue
    fi
    # Why tests were skipped, and how many for each reason.
    if [ -f "$work/results.trx" ]; then
        tr -d '\r\n' < "$work/results.trx" | grep -oE 'outcome="NotExecuted"[^>]*>.{0,400}' | grep -oE '<Message>[^<]*' | sed 's/<Message>/    skipped: /' | sort | uniq -c || true
        rm -f "$work/results.trx"
    fi
    number() { echo "$summary" | sed -E "s/.*$1: +([0-9]+).*/\1/"; }
    passed=$((passed + $(number Passed))) failed=$((failed + $(number Failed))) skipped=$((skipped + $(number Skipped)))
    if [ "$code" != 0 ]; then
        status=1
        [ "$(number Failed)" != 0 ] || failed=$((failed + 1))
    fi
done
echo
[ "$skipped" = 0 ] || echo "Skipped: $skipped; the reasons stand above. Shared reference data are looked for where CANAL_SHARED says, or in ../shared."
[ "$passed" != 0 ] || { echo "No test ran."; status=1; }
echo "$passed passed, $failed failed, $skipped skipped"
exit $status
