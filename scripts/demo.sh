#!/usr/bin/env bash
# The whole method on data it simulates: three studies arrive one after another, the model keeps learning, new cells are annotated.
set -euo pipefail
canal=bin/canal
out=demo
rm -rf "$out"
step() { printf '\n\033[1m%s\033[0m\n' "$*" | if [ -t 1 ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

step "1. Simulate three studies (they and everything made from them say that they are simulated)"
$canal simulate -o $out/data --seed 1

step "2. Pre-train, then learn the studies stage after stage; beside it, what fine-tuning alone forgets"
$canal stream $out/data/stream.json

step "3. Annotate new cells, a type among them that no stage has taught"
$canal annotate $out/data/new_cells.h5ad --model $out/data/stream/seed-1/full/stage-3.safetensors -o $out/annotated.h5ad
$canal evaluate $out/annotated.h5ad --truth cell_type

step "4. Which genes the model looks at"
$canal explain $out/data/new_cells.h5ad --model $out/data/stream/seed-1/full/stage-3.safetensors -o $out/genes.csv

step "What you have now"
$canal stream $out/data/stream.json --show
printf '%s\n' "Written: $out/data (simulated studies, models, matrix.json, matrix.csv), $out/annotated.h5ad, $out/genes.csv" \
    "Next: bin/canal annotate YOUR.h5ad --model MODEL -o OUT.h5ad; bin/canal learn YOUR.h5ad --label cell_type --from-scratch -o MODEL; bin/canal --help"
