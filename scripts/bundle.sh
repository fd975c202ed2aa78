#!/usr/bin/env bash
# Everything that a machine with a GPU needs, in one archive: the program and its tests in one folder with the .NET runtime (no SDK, no ICU),
# two models, cells to label, golden fixtures where ../shared is there, and what measures. Nothing in it needs libhdf5 but reading .h5ad.
set -euo pipefail
dotnet=${DOTNET:-dotnet}
case $(uname -m) in
    x86_64) rid=linux-x64 ;;
    aarch64) rid=linux-arm64 ;;
    *) echo "bundle: no runtime for $(uname -m) is known here" >&2; exit 3 ;;
esac
most_bytes=$((55 * 1000 * 1000))
here=$PWD
shared=${CANAL_SHARED:-$here/../shared}
work=bin/bundle
out=$work/canal-$rid
study=$shared/data/pbmc3k.h5ad
made=bin/bundle-models          # kept from one bundle to the next: training takes longer than all the rest
[ -f "$study" ] && made=$made/pbmc3k || made=$made/simulated
rm -rf "$work"
mkdir -p "$out/data" "$made"

# Into one folder, so that both programs share the runtime and every library; the tests first: they bring a canal that is not self-contained.
# PathMap: the names of this machine's folders stay here.
for project in tests/Canal.AllTests/Canal.AllTests.csproj src/Canal.Cli/Canal.Cli.csproj; do
    "$dotnet" publish "$project" -c Release -r $rid --self-contained true -p:DebugType=none -p:RunAnalyzers=false -p:GenerateDocumentationFile=false -p:EnforceCodeStyleInBuild=false \
        "-p:PathMap=$here=/canal" -v quiet --nologo -o "$out/program"
done
rm -f "$out"/program/*.xml "$out"/program/*.pdb
start() { # name of the command, name of the program
    cat > "$out/$1" <<STARTER
#!/bin/sh
here=\$(dirname "\$(readlink -f "\$0")")
: "\${CANAL_SHARED:=\$here}"
export CANAL_SHARED
exec "\$here/program/$2" "\$@"
STARTER
    chmod +x "$out/$1"
}
start canal Canal.Cli
start canal-tests canal-tests
cp bench/gpu.sh bench/side_by_side.py bench/peers/performer_torch.py "$out/"

# A base model and a fine-tuned one, small in width but with scBERT's heads (64 wide, 266 features), so that real activations go through the
# kernels that count. A model that this program cannot read any more is made again.
canal=$out/canal
usable() { "$canal" inspect "$made/base.safetensors" && "$canal" inspect "$made/annotation.safetensors" && [ -f "$made/cells.safetensors" ]; }
if ! usable > /dev/null 2>&1; then
    rm -f "$made"/*
    sizes="--device cpu --panel 500 --width 64 --blocks 2 --heads 2 --head-width 64"
    if [ -f "$study" ]; then
        few='cell_type in (dc, nk)' train='split == train'
    else
        echo "bundle: there is no data folder at ../shared: the models are made from simulated cells, and say so"
        "$canal" simulate -o "$work/simulated" --studies 1 --cells 400 --seed 1 > /dev/null 2>&1
        study=$(ls "$work"/simulated/study_*.h5ad | head -n 1) few='cell_type != none' train='cell_type != none'
    fi
    echo "bundle: training two small models (a minute or two)"
    # shellcheck disable=SC2086  # the sizes are words
    "$canal" pretrain "$study" -o "$made/base.safetensors" $sizes --epochs 1 --where "$few" > /dev/null 2> "$work/pretrain.log" || { cat "$work/pretrain.log" >&2; exit 1; }
    # shellcheck disable=SC2086
    "$canal" learn "$study" -o "$made/annotation.safetensors" --from-scratch $sizes --epochs 3 --bank 80 --where "$train" > /dev/null 2> "$work/learn.log" || { cat "$work/learn.log" >&2; exit 1; }
    "$canal" bench --accuracy --device cpu --model "$made/annotation.safetensors" --data "$study" --label cell_type --save-cells "$made/cells.safetensors" \
        > "$made/accuracy-cpu.txt" 2> "$work/accuracy.log" || { cat "$work/accuracy.log" >&2; exit 1; }
    rm -rf "$work/simulated" "$work"/*.log
fi
cp "$made"/*.safetensors "$out/data/"

if [ -d "$shared/golden" ]; then
    cp -r "$shared/golden" "$out/golden"
    chmod -R u+w "$out/golden"
else
    echo "bundle: there is no ../shared/golden: the tests that need golden fixtures will be skipped"
fi
cat > "$out/README.txt" <<'README'
Canal with everything it needs, for a machine with a CUDA GPU (driver, NVRTC and cuBLAS are taken from where CUDA or PyTorch put them).

  ./gpu.sh RESULTS        all of the below, in a few minutes, into text files in the folder RESULTS
  ./canal doctor          what is here and what is missing, each with its cure
  ./canal-tests --gpu     the tests that need a card; without --gpu all tests
  ./canal bench --device cuda [--precision bf16|tf32|f16|fp32]
  ./canal bench --accuracy --device cuda
  python3 performer_torch.py --check golden/performer_tiny        the same mathematics in PyTorch

data/ holds a base model, an annotation model and the cells that it is measured with (prepared: no libhdf5 is needed).
README

# What is in it starts, without anything of this machine's environment, and names nothing of this machine.
clean() { env -i PATH=/usr/bin:/bin HOME="$here/$work" "$@"; }
clean "$out/canal" doctor > "$work/doctor.txt" || [ $? = 3 ] || { cat "$work/doctor.txt"; exit 1; }
clean "$out/canal-tests" --filter FavorForward --filter GoldenTensors > "$work/tests.txt" || { cat "$work/tests.txt"; exit 1; }
named=""
for word in "$here" "${HOME:-/root}/"; do
    plain=$(printf '%s' "$word" | sed 's/[^a-zA-Z0-9/]/\\&/g')
    # Strings of a program are UTF-16.
    wide=$(printf '%s' "$word" | sed 's/./&\n/g' | sed 's/[^a-zA-Z0-9/]/\\&/; s/$/\\x00/' | tr -d '\n')
    found=$(LC_ALL=C grep -rlaP -e "$plain|$wide" "$out") || [ $? = 1 ]
    [ -z "$found" ] || named="$named$word: $found
"
done
[ -z "$named" ] || { printf 'bundle: these files name a folder of this machine\n%s' "$named" >&2; exit 1; }
archive=bin/canal-$rid.tar.xz
tar -C "$work" --owner=0 --group=0 --numeric-owner --sort=name -cf - "canal-$rid" | xz -2 -T0 > "$archive"
bytes=$(wc -c < "$archive")
tail -n 1 "$work/tests.txt"
echo "$archive: $((bytes / 1000000)) MB"
[ "$bytes" -le $most_bytes ] || { echo "bundle: more than 55 MB" >&2; exit 1; }
