#!/usr/bin/env bash
# Continual learning on real cells, one command for everything or for the runs named: trains, tests, writes bench/results/NAME.{txt,json,csv}.
#
#   bench/streams.sh [NAME...]     names: see the list below; default: all but the run at full size
#
# A run that was stopped goes on where it was; its time then counts all parts. THREADS=N limits the worker threads. NOTE="..." goes into the
# first line of the result, beside commit, date, machine, time and peak memory.
set -euo pipefail
cd "$(dirname "$(readlink -f "$0")")/.."
names=${*:-blood pancreas blood-all pancreas-all blood-scratch pancreas-scratch blood-parts pancreas-parts}
[ -x bin/canal ] || make build
commit=$(git rev-parse --short HEAD 2> /dev/null || echo unknown)
[ -z "$(git status --porcelain -uno 2> /dev/null)" ] || commit="$commit and changes"
machine="$(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1)"

for name in $names; do
    stream=${name%%-*}
    case $name in
        blood | pancreas) arguments="bench/streams/$name.json" ;;                              # base: stage 1's cells; every variant
        *-all | blood-full-size) arguments="bench/streams/$name.json" ;;                       # base: all stages' cells; width 200, 6 blocks
        *-scratch) arguments="bench/streams/$stream.json --from-scratch --ablate fine-tune --bank-policies ," ;;
        *-parts) arguments="bench/streams/$stream.json --seeds 1 --ablate no-replay,no-distillation,no-balance --bank-policies ," ;;
        *) echo "streams.sh: there is no run '$name'" >&2; exit 2 ;;
    esac
    output=scratch/streams/$name
    mkdir -p "$output.time"
    part=$output.time/$(date +%s)
    echo "== canal stream $arguments" >&2
    # shellcheck disable=SC2086
    /usr/bin/time -o "$part" -f '%e %M' bin/canal stream $arguments -o "$output" ${THREADS:+--threads "$THREADS"} > "$output.txt"
    seconds=$(awk '{ s += $(NF - 1) } END { printf "%d:%02d", s / 60, s % 60 }' "$output.time"/*)
    mebibytes=$(awk '{ if ($NF > m) m = $NF } END { printf "%d", m / 1024 }' "$output.time"/*)
    {
        echo "canal stream $arguments   (commit $commit, $(date +%F); $machine; wall $seconds, peak $mebibytes MiB${NOTE:+; $NOTE})"
        echo
        cat "$output.txt"
    } > "bench/results/$name.txt"
    cp "$output/matrix.json" "bench/results/$name.json"
    cp "$output/matrix.csv" "bench/results/$name.csv"
    rm -r "$output.time" "$output.txt"
done
