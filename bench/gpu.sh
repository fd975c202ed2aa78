#!/bin/sh
# Everything worth knowing of Canal on a machine with a GPU, in a few minutes: what is there, whether the kernels are right, how fast and how
# exact they are, and PyTorch beside them. Writes text files into a folder; a part that fails is reported and the others go on.
#
#   gpu.sh [RESULTS]          (default: ./results)
#
# Exit code: 0 if every part succeeded, else 1. PYTHON names the interpreter that has PyTorch; CANAL_DEVICE (cuda, cuda:1, cpu),
# CANAL_PRECISIONS ("bf16 tf32 fp32") and CANAL_QUICK=1 change what is measured.
set -u
here=$(dirname "$(readlink -f "$0")")
results=${1:-results}
device=${CANAL_DEVICE:-cuda}
precisions=${CANAL_PRECISIONS:-bf16 tf32 fp32}
quick=${CANAL_QUICK:+--quick}
python=${PYTHON:-python3}
if [ -x "$here/canal" ]; then
    canal=$here/canal golden=$here/golden/performer_tiny peer=$here/performer_torch.py
    canal_tests() { timeout 900 "$here/canal-tests" "$@"; }
else
    # In a checkout: what `make build` left.
    root=$(dirname "$here")
    canal=$root/bin/canal golden=${CANAL_SHARED:-$root/../shared}/golden/performer_tiny peer=$here/peers/performer_torch.py
    canal_tests() { timeout 900 "${DOTNET:-dotnet}" "$root/tests/Canal.AllTests/bin/Release/net10.0/canal-tests.dll" "$@"; }
fi
table=$here/side_by_side.py
mkdir -p "$results" || exit 1
failed="" number=0

# Where nothing else is found, the CUDA libraries that came with this PyTorch.
if "$canal" doctor 2> /dev/null | grep -Eq '^ *(cublas|nvrtc) +MISSING'; then
    wheels=$("$python" -c 'import glob, nvidia; print(":".join(sorted(lib for folder in nvidia.__path__ for lib in glob.glob(folder + "/*/lib"))))' 2> /dev/null)
    [ -z "$wheels" ] || export LD_LIBRARY_PATH="${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$wheels"
fi

# part NAME COMMAND...: its output goes to a numbered file, the last line of it here too.
part() {
    name=$1
    shift
    number=$((number + 1))
    file=$results/$number-$name.txt
    started=$(date +%s)
    "$@" > "$file" 2>&1
    code=$?
    said="$(($(date +%s) - started)) s: $(grep . "$file" | tail -n 1 | cut -c 1-200)"
    if [ $code = 0 ]; then
        echo "$number $name: done, $said"
    else
        [ $code != 124 ] || said="stopped, $said"
        failed="$failed $name"
        echo "$number $name: FAILED (exit code $code), $said"
    fi
}

machine() {
    uname -srm
    if command -v nvidia-smi > /dev/null; then nvidia-smi; else echo "nvidia-smi is not here"; fi
    "$canal" doctor
}

tests_on_card() {
    canal_tests --gpu > "$results/tests.tmp" 2>&1
    code=$?
    cat "$results/tests.tmp"
    ran=$(sed -n 's/^\([0-9]*\) passed, .*/\1/p' "$results/tests.tmp")
    rm -f "$results/tests.tmp"
    [ $code = 0 ] || return $code
    # Tests that were all skipped have shown nothing.
    [ "${ran:-0}" != 0 ] || { echo "no test ran on a card"; return 1; }
}

# bench FILE OPTIONS...: numbers into FILE.json, for people on standard output.
bench() {
    json=$results/$1.json
    shift
    # shellcheck disable=SC2086  # none or one word
    timeout 300 "$canal" bench --device "$device" $quick --json "$@" > "$json" || return $?
    "$python" "$table" --one "$json" || cat "$json"
}

accuracy() {
    timeout 300 "$canal" bench --accuracy --device "$device" --json > "$results/accuracy.json" || return $?
    timeout 300 "$canal" bench --accuracy --device "$device"
}

pytorch() {
    check=""
    [ ! -d "$golden" ] || check="--check $golden"
    # shellcheck disable=SC2086  # none, or some words
    timeout 600 "$python" -u "$peer" --device "$device" --json "$results/pytorch.json" $check ${CANAL_QUICK:+--runs 3 --panels 1000}
}

part doctor machine
part tests tests_on_card
for precision in $precisions; do part "bench-$precision" bench "bench-$precision" --precision "$precision"; done
part finetune-16906 bench finetune-16906 --job train --panels 16906 --batch 1 --precision "${precisions%% *}"
part accuracy accuracy
part pytorch pytorch
part side-by-side "$python" "$table" "$results"
echo
cat "$results/$number-side-by-side.txt"
if [ -n "$failed" ]; then
    echo "failed:$failed (see the files in $results)"
    exit 1
fi
echo "every part succeeded; the files are in $results"
