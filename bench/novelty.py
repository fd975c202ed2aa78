#!/usr/bin/env python3
"""Novel cells: one cell type left out of panel, base and training alike, then looked for among the test cells.

    novelty.py [-o FOLDER] [--threads N] [--canal COMMAND] [STREAM...]      default: bench/streams/blood-novel-*.json
    novelty.py --table FILE...                                              results of earlier runs, in one table

Runs each stream (an interrupted one goes on, a finished one is not run again), annotates its test cells by every novelty rule and prints
a table; FOLDER/novelty.json has the numbers. AUROC: chance that a cell of the left-out type has a higher canal_novelty than a known one. FPR95: share of known cells
flagged where 95 % of the novel ones are. Needs no package.
"""
import argparse
import glob
import json
import os
import shlex
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
RULES = ["default", "stored", "distance", "probability", "file"]


def run(command, *arguments, **options):
    result = subprocess.run([*command, *arguments], check=False, **options)
    if result.returncode:
        sys.exit(f"{' '.join(arguments[:2])}: ended with exit code {result.returncode}")
    return result


def measure(command, stream, folder, threads):
    with open(stream) as file:
        plan = json.load(file)
    name, seed = plan["name"], plan["seeds"][0]
    output = os.path.join(folder, name)
    log = os.path.join(folder, name + ".log")
    with open(log, "w") as file:
        run(command, "stream", stream, "-o", output, "--seeds", str(seed), "--threads", threads, stdout=file, stderr=subprocess.STDOUT)
    model, = glob.glob(os.path.join(output, f"seed-{seed}", "full", "stage-1-*.safetensors"))
    test = plan["tests"][0]
    cells = os.path.join(os.path.dirname(stream), test["data"])
    labelled = os.path.join(folder, name + ".h5ad")
    rows = {}
    for rule in RULES:
        chosen = [] if rule == "default" else ["--novelty", rule]
        with open(log, "a") as file:
            run(command, "annotate", cells, "--where", test["where"], "--model", model, "-o", labelled, "--threads", threads, *chosen,
                stdout=file, stderr=subprocess.STDOUT)
        told = run(command, "evaluate", labelled, "--truth", plan["label"], "--json", stdout=subprocess.PIPE)
        rows[rule] = json.loads(told.stdout)
        os.remove(labelled)
    return name, rows


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("streams", nargs="*", metavar="STREAM")
    parser.add_argument("-o", "--output", default=os.path.join(HERE, "..", "scratch", "novelty"))
    parser.add_argument("--threads", default="1")
    parser.add_argument("--canal", default=os.path.join(HERE, "..", "bin", "canal"))
    parser.add_argument("--table", nargs="+", metavar="FILE")
    chosen = parser.parse_args()
    if chosen.table:
        results = {}
        for path in chosen.table:
            with open(path) as file:
                results.update(json.load(file))
        show(results)
        return
    os.makedirs(chosen.output, exist_ok=True)
    streams = chosen.streams or sorted(glob.glob(os.path.join(HERE, "streams", "blood-novel-*.json")))
    results = dict(measure(shlex.split(chosen.canal), os.path.abspath(s), chosen.output, chosen.threads) for s in streams)
    with open(os.path.join(chosen.output, "novelty.json"), "w") as file:
        json.dump(results, file, indent=1)
        file.write("\n")
    show(results)


def show(results):
    print(f"{'left out':28}{'rule':13}{'novel':>6}{'known':>6}{'AUROC':>8}{'FPR95':>8}{'known accepted':>16}{'novel found':>13}{'H-score':>9}")

    def line(name, rule, row):
        counts = "".join(f"{row.get(key, ''):>6}" for key in ("novel_cells", "known_cells"))
        print(f"{name:28}{rule:13}{counts}{row['novelty_auroc']:8.3f}{100 * row['novelty_fpr95']:8.1f}{100 * row['known_accepted']:16.1f}"
              f"{100 * row['novel_accuracy']:13.1f}{100 * row['h_score']:9.1f}")

    for rule in RULES:
        for name, rows in results.items():
            line(name, rule, rows[rule])
        rows = [rows[rule] for rows in results.values()]
        line("mean", rule, {key: sum(row[key] for row in rows) / len(rows) for key in ("novelty_auroc", "novelty_fpr95", "known_accepted", "novel_accuracy", "h_score")})


main()
