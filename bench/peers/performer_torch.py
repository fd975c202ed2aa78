#!/usr/bin/env python3
"""A plain PyTorch model of the mathematics that Canal computes (docs/method.md), timed on this machine: the peer of `canal bench`.

Written for comparison: the same sizes, the same losses, the same state_dict names, nothing of Canal's code. Variants:

    fp32-single     float32, no TF32, one cell at a time: as the published reference predicts
    fp32            float32, no TF32, micro-batches
    tf32            float32 with TF32 products, micro-batches                            (CUDA)
    bf16            bf16 autocast, micro-batches
    bf16-compile    the same through torch.compile                                       (CUDA, torch >= 2)
    softmax-bf16    softmax attention by scaled_dot_product_attention at the same widths (CUDA, torch >= 2), not the same function

MEASURES          forward to the logits (inference), and a training step: forward and backward of the last blocks over cached inputs of
                  the first of them, label-smoothed cross-entropy, distillation, Adam with AMSGrad. Medians after warm-up, device events on CUDA.
DOES NOT MEASURE  reading files, making tokens, copying them to the device, the frozen blocks of a training step.
CHECK             --check FOLDER compares with golden outputs (performer_tiny) before anything is timed; without it the linear attention is
                  held to a quadratic one in float64. A variant that fails is not timed.
"""
import argparse
import json
import math
import platform
import statistics
import struct
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn

FEATURE_MAP_EPSILON = 1e-4
TYPES = 12


def block_orthogonal_projection(features, width, generator):
    """Rows in orthogonal blocks, each rescaled by the norm of an independent Gaussian row (Choromanski et al. 2021)."""
    blocks = [torch.linalg.qr(torch.randn(width, width, generator=generator))[0].T for _ in range(math.ceil(features / width))]
    norms = torch.randn(features, width, generator=generator).norm(dim=1)
    return norms[:, None] * torch.cat(blocks)[:features]


class Favor(nn.Module):
    """FAVOR+ attention with one key maximum a cell."""

    def __init__(self, width, heads, head_width, features, generator):
        super().__init__()
        self.heads, self.head_width = heads, head_width
        inner = heads * head_width
        self.to_q = nn.Linear(width, inner, bias=False)
        self.to_k = nn.Linear(width, inner, bias=False)
        self.to_v = nn.Linear(width, inner, bias=False)
        self.to_out = nn.Linear(inner, width)
        self.fast_attention = nn.Module()
        self.fast_attention.register_buffer("projection_matrix", block_orthogonal_projection(features, head_width, generator))

    def forward(self, x):
        cells, tokens, _ = x.shape
        split = lambda y: y.view(cells, tokens, self.heads, self.head_width).transpose(1, 2)
        out = self.attend(split(self.to_q(x)), split(self.to_k(x)), split(self.to_v(x)))
        return self.to_out(out.transpose(1, 2).reshape(cells, tokens, -1))

    def attend(self, q, k, v):
        q, k = self.features(q, False), self.features(k, True)
        v = v.to(q.dtype)
        sums, normaliser = k.transpose(-1, -2) @ v, k.sum(dim=-2)
        return (q @ sums) / (q @ normaliser[..., None])

    def features(self, x, key):
        c = self.head_width ** -0.25
        logits = c * (x @ self.fast_attention.projection_matrix.to(x.dtype).T)
        half = (c * c / 2) * (x * x).sum(dim=-1, keepdim=True)
        # Key maximum over the cell's heads, tokens and features; a query's own over its features.
        maximum = logits.amax(dim=(-1, -2, -3), keepdim=True) if key else logits.amax(dim=-1, keepdim=True)
        return (logits - half - maximum).exp() + FEATURE_MAP_EPSILON


class Softmax(Favor):
    """Exact softmax attention at the same widths: what the same parameters cost without random features."""

    def attend(self, q, k, v):
        return F.scaled_dot_product_attention(q, k, v)


class PreNorm(nn.Module):
    def __init__(self, width, fn):
        super().__init__()
        self.norm, self.fn = nn.LayerNorm(width), fn

    def forward(self, x):
        return self.fn(self.norm(x))


class Chunk(nn.Module):
    """Holds the feed-forward layer one level down, where the reference's state_dict has it."""

    def __init__(self, fn):
        super().__init__()
        self.fn = fn

    def forward(self, x):
        return self.fn(x)


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.w1, self.w2 = nn.Linear(width, 4 * width), nn.Linear(4 * width, width)

    def forward(self, x):
        return self.w2(F.gelu(self.w1(x)))


class Head(nn.Module):
    def __init__(self, width, positions, types):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 1, (1, width))
        self.fc1, self.fc2, self.fc3 = nn.Linear(positions, 128), nn.Linear(128, 64), nn.Linear(64, types)

    def forward(self, y):
        u = F.relu(self.conv1(y[:, None])).flatten(1)
        representation = F.relu(self.fc2(F.relu(self.fc1(u))))
        return self.fc3(representation), representation


class Model(nn.Module):
    """scBERT's Performer with CANAL's head."""

    def __init__(self, genes, width, blocks, heads, head_width, features, types, attention=Favor, seed=1):
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        torch.manual_seed(seed)
        self.token_emb = nn.Embedding(7, width)
        self.pos_emb = nn.Module()
        self.pos_emb.emb = nn.Embedding(genes + 1, width)
        layers = [nn.ModuleList([PreNorm(width, attention(width, heads, head_width, features, generator)), PreNorm(width, Chunk(FeedForward(width)))])
                  for _ in range(blocks)]
        self.performer = nn.Module()
        self.performer.net = nn.Module()
        self.performer.net.layers = nn.ModuleList(layers)
        self.norm = nn.LayerNorm(width)
        self.to_out = Head(width, genes + 1, types)

    def embed(self, tokens):
        return self.token_emb(tokens) + self.pos_emb.emb.weight

    def blocks(self, x, first=0):
        for attention, feed_forward in list(self.performer.net.layers)[first:]:
            x = x + attention(x)
            x = x + feed_forward(x)
        return self.to_out(self.norm(x))

    def forward(self, tokens):
        return self.blocks(self.embed(tokens))


def read_safetensors(path):
    with open(path, "rb") as file:
        size = struct.unpack("<Q", file.read(8))[0]
        header, data = json.loads(file.read(size)), file.read()
    types = {"F32": torch.float32, "F64": torch.float64, "I64": torch.int64, "I32": torch.int32}
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        tensors[name] = torch.frombuffer(bytearray(data[first:last]), dtype=types[entry["dtype"]]).view(entry["shape"]) if last > first else torch.empty(entry["shape"])
    return tensors


def golden_error(folder):
    """Largest error of the float64 logits against the reference's own, which predicts cell by cell."""
    weights = {name: value.double() if value.is_floating_point() else value for name, value in read_safetensors(f"{folder}/weights.safetensors").items()}
    width = weights["token_emb.weight"].shape[1]
    features, head_width = weights["performer.net.layers.0.0.fn.fast_attention.projection_matrix"].shape
    heads = weights["performer.net.layers.0.0.fn.to_q.weight"].shape[0] // head_width
    blocks = len({name.split(".")[3] for name in weights if name.startswith("performer.net.layers.")})
    model = Model(weights["pos_emb.emb.weight"].shape[0] - 1, width, blocks, heads, head_width, features, weights["to_out.fc3.weight"].shape[0]).double()
    missing, _ = model.load_state_dict(weights, strict=False)
    if missing:
        sys.exit(f"{folder}: weights lack {missing}")
    with torch.no_grad():
        logits, _ = model(read_safetensors(f"{folder}/inputs.safetensors")["tokens"].long())
    return (logits - read_safetensors(f"{folder}/per_cell_f64.safetensors")["logits"]).abs().max().item()


def check_quadratic():
    """Linear attention against explicit weights, float64."""
    generator = torch.Generator().manual_seed(3)
    favor = Favor(20, 2, 16, 44, generator).double()
    q, k, v = (torch.randn(2, 2, 33, 16, generator=generator, dtype=torch.float64) for _ in range(3))
    weights = favor.features(q, False) @ favor.features(k, True).transpose(-1, -2)
    expected = (weights / weights.sum(dim=-1, keepdim=True)) @ v
    return (favor.attend(q, k, v) - expected).abs().max().item()


class Clock:
    """Medians of device time (CUDA events) or of wall time (CPU)."""

    def __init__(self, device):
        self.cuda = device.type == "cuda"

    def measure(self, run, runs):
        for _ in range(3 if self.cuda else 1):
            run()
        times = []
        for _ in range(runs):
            if self.cuda:
                start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
                start.record()
                run()
                end.record()
                end.synchronize()
                times.append(start.elapsed_time(end) / 1000)
            else:
                start = time.perf_counter()
                run()
                times.append(time.perf_counter() - start)
        return statistics.median(times)


def tokens_like_cells(cells, genes, device, seed):
    """A fifth of the genes expressed, as blood cells have of highly variable ones; low bins are the most frequent."""
    generator = torch.Generator().manual_seed(seed)
    bins = torch.multinomial(torch.tensor([0.0, 0.55, 0.25, 0.12, 0.05, 0.03]), cells * genes, replacement=True, generator=generator).view(cells, genes)
    bins[torch.rand(cells, genes, generator=generator) > 0.2] = 0
    return torch.cat([bins, torch.zeros(cells, 1, dtype=bins.dtype)], dim=1).to(device)


def training_step(model, optimiser, x, labels, teacher, autocast):
    optimiser.zero_grad(set_to_none=True)
    with autocast():
        logits, representation = model.blocks(x, len(model.performer.net.layers) - 2)
        loss = F.cross_entropy(logits, labels, label_smoothing=0.1) + 0.1 * 10 / TYPES * F.mse_loss(representation, teacher)
    loss.backward()
    optimiser.step()


def freeze(model):
    """CANAL's trainable parts: the last-but-one block, the final norm and the head."""
    layers = model.performer.net.layers
    for parameter in model.parameters():
        parameter.requires_grad_(False)
    for part in (layers[len(layers) - 2], model.norm, model.to_out):
        for parameter in part.parameters():
            parameter.requires_grad_(True)


def variant(name, device):
    """Attention class, batched or cell by cell, autocast, compile."""
    null = lambda: torch.autocast(device.type, enabled=False)
    bf16 = lambda: torch.autocast(device.type, dtype=torch.bfloat16)
    return {
        "fp32-single": (Favor, False, null, False, False),
        "fp32": (Favor, True, null, False, False),
        "tf32": (Favor, True, null, True, False),
        "bf16": (Favor, True, bf16, True, False),
        "bf16-compile": (Favor, True, bf16, True, True),
        "softmax-bf16": (Softmax, True, bf16, True, False),
    }[name]


def time_variant(name, genes, args, device):
    attention, batched, autocast, tf32, compiled = variant(name, device)
    torch.backends.cuda.matmul.allow_tf32 = tf32
    torch.backends.cudnn.allow_tf32 = tf32
    model = Model(genes, args.width, args.blocks, args.heads, args.head_width, args.features, TYPES, attention).to(device).eval()
    clock, results = Clock(device), []
    cells = (max(1, min(16, 16384 // (genes + 1))) if not device.type == "cuda" else max(1, args.cuda_tokens // (genes + 1))) if batched else 1
    tokens = tokens_like_cells(cells, genes, device, 1)
    forward = torch.compile(model) if compiled else model

    def reset():
        if device.type == "cuda":
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def peak():
        return torch.cuda.max_memory_allocated() if device.type == "cuda" else None

    def annotate():
        with torch.inference_mode(), autocast():
            forward(tokens)

    reset()
    seconds = clock.measure(annotate, args.runs)
    results.append({"variant": name, "job": "annotate", "tokens": genes + 1, "cells": cells, "seconds": seconds, "cells_per_second": cells / seconds, "peak_bytes": peak()})
    if genes + 1 <= args.train_tokens and batched:
        freeze(model)
        model.train()
        with torch.no_grad():
            tokens = tokens_like_cells(args.batch, genes, device, 2)
            x, teacher = model.embed(tokens), torch.rand(args.batch, 64, device=device)
        labels = torch.arange(args.batch, device=device) % TYPES
        optimiser = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=2e-4, amsgrad=True)
        blocks = model
        if compiled:
            blocks.blocks = torch.compile(model.blocks)
        reset()
        seconds = clock.measure(lambda: training_step(blocks, optimiser, x, labels, teacher, autocast), args.runs)
        results.append({"variant": name, "job": "train", "tokens": genes + 1, "cells": args.batch, "seconds": seconds, "cells_per_second": args.batch / seconds, "peak_bytes": peak()})
    return results


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--variants", default="", help="comma-separated; default: all that the device has")
    parser.add_argument("--panels", default="1000,16906", help="genes")
    parser.add_argument("--width", type=int, default=200)
    parser.add_argument("--blocks", type=int, default=6)
    parser.add_argument("--heads", type=int, default=10)
    parser.add_argument("--head-width", type=int, default=64)
    parser.add_argument("--features", type=int, default=266)
    parser.add_argument("--batch", type=int, default=14, help="cells of a training step")
    parser.add_argument("--cuda-tokens", type=int, default=65536, help="tokens of a batch of inference on CUDA: the peer's best, not Canal's")
    parser.add_argument("--train-tokens", type=int, default=1001, help="longest cells that a training step is timed for")
    parser.add_argument("--runs", type=int, default=0, help="timed runs; default 30 on CUDA, 3 on the processor")
    parser.add_argument("--threads", type=int, default=0)
    parser.add_argument("--check", default="", help="folder with golden outputs of the tiny Performer")
    parser.add_argument("--json", default="", help="write results here too")
    args = parser.parse_args()
    if args.threads:
        torch.set_num_threads(args.threads)
    device = torch.device(args.device)
    args.runs = args.runs or (30 if device.type == "cuda" else 3)
    modern = int(torch.__version__.split(".")[0]) >= 2
    names = args.variants.split(",") if args.variants else ["fp32-single", "fp32"] + (
        ["tf32", "bf16"] + (["bf16-compile", "softmax-bf16"] if modern else []) if device.type == "cuda" else [])
    error = check_quadratic()
    print(f"torch {torch.__version__} on {torch.cuda.get_device_name() if device.type == 'cuda' else platform.processor() or platform.machine()}, "
          f"{torch.get_num_threads()} threads; linear against quadratic attention in float64: {error:.1e}")
    if not error < 1e-12:
        sys.exit("the model is wrong: nothing is timed")
    if args.check:
        error = golden_error(args.check)
        print(f"logits against the reference's in float64 ({args.check}): {error:.1e}")
        if not error < 1e-9:
            sys.exit("the model is not the reference's: nothing is timed")
    results = []
    for genes in map(int, args.panels.split(",")):
        for name in names:
            try:
                results += time_variant(name, genes, args, device)
            except Exception as failure:                      # one variant that does not run must not hide the others
                print(f"{name}, {genes + 1} tokens: not timed ({type(failure).__name__}: {str(failure).splitlines()[0] if str(failure) else ''})")
                continue
            for r in results[-2:]:
                if r["variant"] == name and r["tokens"] == genes + 1:
                    memory = f", peak {r['peak_bytes'] / 2**30:.2f} GiB" if r["peak_bytes"] else ""
                    print(f"{r['job']:9} {name:13} {r['tokens']:6} tokens, {r['cells']:3} cells: {1e3 * r['seconds']:10.3f} ms, {r['cells_per_second']:10.1f} cells/s{memory}", flush=True)
    if args.json:
        with open(args.json, "w") as file:
            json.dump({"torch": torch.__version__, "device": str(device), "results": results}, file, indent=1)


if __name__ == "__main__":
    main()
