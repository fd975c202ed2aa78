#!/usr/bin/env python3
"""Canal and PyTorch side by side, from the files that gpu.sh leaves in a folder; ratios against what is to be reached on one H200.

    side_by_side.py RESULTS         the table; reads what gpu.sh leaves there as .json, and says what is missing
    side_by_side.py --one FILE      one of Canal's own files for people: jobs and kernels

Needs no package. "As shipped" is the reference's way of predicting: float32, one cell at a time; "tuned" the fastest of the other variants
with the same mathematics.
"""
import glob
import json
import os
import sys

# What one H200 should reach: cells a second of annotation in bf16; times the PyTorch reference as shipped, and tuned.
ANNOTATE = {1001: 12000, 16907: 700}
TIMES_SHIPPED, TIMES_TUNED = 10, 3
STEP_MILLISECONDS, STEP_TIMES = 2.0, 10
FINETUNE_GIGABYTES = 4.0
FAVOR = {"favor_forward": 0.30, "favor_backward": 0.24}
AGREEMENT = {"tf32": 0.999, "bf16": 0.995, "f16": 0.995}


def read(path):
    try:
        with open(path) as file:
            return json.load(file)
    except (OSError, ValueError):
        return None


def table(header, rows):
    rows = [header] + [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[i]) for row in rows) for i in range(len(header))]
    for row in rows:
        print("  " + "  ".join(cell.ljust(width) if i == 0 else cell.rjust(width) for i, (cell, width) in enumerate(zip(row, widths))))
    print()


def gib(size):
    return "" if not size else f"{size / 2**30:.2f}"


def number(value, digits=1):
    return "" if value is None else f"{value:,.{digits}f}"


def one(path):
    result = read(path)
    if result is None:
        sys.exit(f"{path}: no result to show")
    print(f"{result['machine']['device']}; canal {result['machine']['canal']}; "
          f"fastest product {result['peak_gigaflops_per_second'] / 1000:,.1f} TFLOP/s, copy {result['copy_gigabytes_per_second']:,.0f} GB/s\n")
    table(["job", "tokens", "cells", "ms", "best ms", "cells/s", "TFLOP/s", "GiB"],
          [[j["name"], j["tokens"], j["cells"], number(1e3 * j["median_seconds"], 3), number(1e3 * j["best_seconds"], 3), number(j["cells_per_second"]),
            number(j["gigaflops_per_second"] / 1000, 2), gib(j["pool_bytes"])] for j in result["jobs"]])
    table(["kernel", "size", "us", "p95 us", "MB", "MFLOP", "TFLOP/s", "GB/s", "of limit", "of peak", "error of allowed"],
          [[k["name"], k["size"]] + (["refused"] + [""] * 7 if k["median_seconds"] is None else
            [number(1e6 * k["median_seconds"]), number(1e6 * k["p95_seconds"]), number(k["bytes"] / 1e6), number(k["flops"] / 1e6), number(k["gigaflops_per_second"] / 1000, 2),
             number(k["gigabytes_per_second"]), "" if k["share_of_limit"] is None else f"{100 * k['share_of_limit']:.0f} %", f"{100 * k['share_of_peak']:.0f} %"])
           + [number(k["error_of_allowed"], 3)] for k in result["kernels"] if k["median_seconds"] is not None or not k["error_of_allowed"] <= 1])
    for failure in result["failures"]:
        print("FAILED: " + failure)
    print(f"{len(result['jobs'])} jobs, {len(result['kernels'])} kernels")


def job(result, name, tokens):
    return next((j for j in (result or {}).get("jobs", []) if j["name"].startswith(name) and j["tokens"] == tokens), None)


def side_by_side(folder):
    canal = {os.path.basename(path)[6:-5]: read(path) for path in sorted(glob.glob(os.path.join(folder, "bench-*.json")))}
    canal = {precision: result for precision, result in canal.items() if result}
    pytorch = read(os.path.join(folder, "pytorch.json"))
    finetune = read(os.path.join(folder, "finetune-16906.json"))
    peers = (pytorch or {}).get("results", [])
    if not canal:
        print("missing: Canal's own numbers (bench-*.json)")
    if not peers:
        print("missing: PyTorch's numbers (pytorch.json)")
    for name, own in (("annotate", "annotate"), ("train", "train")):
        rows = []
        for tokens in ANNOTATE:
            for precision, result in canal.items():
                j = job(result, own, tokens)
                if j:
                    rows.append([f"canal {precision}", tokens, j["cells"], number(1e3 * j["median_seconds"], 3), number(j["cells_per_second"]), gib(j["pool_bytes"])])
            for r in peers:
                if r["job"] == name and r["tokens"] == tokens:
                    rows.append([f"pytorch {r['variant']}", tokens, r["cells"], number(1e3 * r["seconds"], 3), number(r["cells_per_second"]), gib(r["peak_bytes"])])
        if rows:
            print("annotate: forward to the logits" if name == "annotate" else "training step: last blocks and head, frozen blocks' outputs from a cache")
            table(["", "tokens", "cells", "ms", "cells/s", "GiB"], rows)

    print("to reach on one H200 (bf16):")
    rows, missed, unknown = [], 0, 0

    def row(what, value, wanted, shown, atleast=True):
        nonlocal missed, unknown
        if value is None:
            unknown += 1
            rows.append([what, "not measured", shown(wanted), ""])
            return
        reached = value >= wanted if atleast else value <= wanted
        missed += not reached
        rows.append([what, shown(value), shown(wanted), "reached" if reached else f"{value / wanted:.3g} times that"])

    def peer(kind, tokens, *variants):
        rates = [r["cells_per_second"] for r in peers if r["job"] == kind and r["tokens"] == tokens and r["variant"] in variants]
        return max(rates) if rates else None

    def times(mine, other):
        return mine["cells_per_second"] / other if mine and other else None

    bf16 = canal.get("bf16")
    for tokens, target in ANNOTATE.items():
        mine = job(bf16, "annotate", tokens)
        row(f"annotate, {tokens:,} tokens, cells/s", mine and mine["cells_per_second"], target, lambda v: f"{v:,.0f}")
        row(f"annotate, {tokens:,} tokens, times PyTorch as shipped", times(mine, peer("annotate", tokens, "fp32-single")), TIMES_SHIPPED, lambda v: f"{v:.1f}x")
        row(f"annotate, {tokens:,} tokens, times PyTorch tuned", times(mine, peer("annotate", tokens, "fp32", "tf32", "bf16", "bf16-compile")), TIMES_TUNED, lambda v: f"{v:.1f}x")
    mine = job(bf16, "annotate", 16907)
    row("annotate, 16,907 tokens, times softmax attention", times(mine, peer("annotate", 16907, "softmax-bf16")), 1, lambda v: f"{v:.1f}x")
    mine = job(bf16, "train", 1001)
    row("training step, 14 cells of 1,001 tokens, ms", mine and 1e3 * mine["median_seconds"], STEP_MILLISECONDS, lambda v: f"{v:.2f}", atleast=False)
    row("training step, times PyTorch in float32", times(mine, peer("train", 1001, "fp32")), STEP_TIMES, lambda v: f"{v:.1f}x")
    mine = job(finetune, "train", 16907)
    row("fine-tuning, 16,906 genes, batch 1, GB", mine and mine["pool_bytes"] / 1e9, FINETUNE_GIGABYTES, lambda v: f"{v:.2f}", atleast=False)
    for kernel, share in FAVOR.items():
        found = next((k for k in (bf16 or {}).get("kernels", []) if k["name"] == kernel and k["median_seconds"] is not None), None)
        row(f"{kernel}, share of the measured matmul rate", found and found["share_of_peak"], share, lambda v: f"{100 * v:.0f} %")
    accuracy = {p["precision"]: p for p in (read(os.path.join(folder, "accuracy.json")) or {}).get("precisions", [])}
    for precision, share in AGREEMENT.items():
        found = accuracy.get(precision)
        row(f"labels as in fp32, {precision}", found and found["agreement"], share, lambda v: f"{100 * v:.2f} %")
    table(["", "measured", "to reach", ""], rows)
    print(f"{len(rows) - missed - unknown} of {len(rows)} reached, {missed} missed, {unknown} not measured")


if __name__ == "__main__":
    if len(sys.argv) == 3 and sys.argv[1] == "--one":
        one(sys.argv[2])
    elif len(sys.argv) == 2 and not sys.argv[1].startswith("-"):
        side_by_side(sys.argv[1])
    else:
        sys.exit(__doc__)
