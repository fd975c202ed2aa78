#!/usr/bin/env bash
# The whole method on data it simulates: three studies arrive one after another, the model keeps learning, new cells are annotated.
set -euo pipefail
canal=bin/canal
out=bin/demo
step() { if [ -t 1 ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
rm -rf "$out"

step "1. Simulate three studies and one unseen (they and everything made from them say that they are simulated)"
$canal simulate -o $out --seed 1

step "2. Pre-train, then learn the studies one after another; beside it, what fine-tuning alone forgets"
$canal stream $out/stream.json > /dev/null

step "3. Annotate the unseen study, which has two cell types that nobody taught"
model=$(ls $out/results/seed-1/full/stage-3-*.safetensors)
$canal annotate $out/study_unseen.h5ad --model "$model" -o $out/annotated.h5ad

step "4. Which genes the model looks at"
$canal explain $out/study_unseen.h5ad --model "$model" -o $out/genes.csv

step "5. The result: the accuracy matrix, forgetting, and the novel cells found"
$canal stream $out/stream.json 2> $out/results/again.log
$canal evaluate $out/annotated.h5ad --truth cell_type
printf '%s\n' \
    "Files: $out/*.h5ad (simulated studies), $out/results (models, matrix.json, matrix.csv, logs), $out/annotated.h5ad, $out/genes.csv" \
    "Next:  bin/canal learn YOUR.h5ad --label cell_type --from-scratch -o model.safetensors" \
    "       bin/canal annotate NEW.h5ad --model model.safetensors -o labelled.h5ad      (bin/canal --help lists all commands)"
