#!/usr/bin/env python3
"""Does a disentangled code make a network easier to prune? All of docs/PRUNING.md comes from here.

usage: pruning_study.py [--hdnas ./hdnas] [--work build/pruning] [--seeds 5] [--jobs 1] [--sets NAME=SPEC ...]
                        [run] [speed] [report]

run     trains and prunes every model that is not there yet: 4 data sets x (plain and 3 betas) x seeds first, seeds
        outermost, so that a part of it is a study of fewer seeds; then the betas between, the bottleneck and more
        curves. Killed, it goes on where it stopped: finished runs are kept, the one under way is resumed. About 6
        seconds of one processor a model and 20 minutes for all of it; --jobs 2 halves that.
speed   prunes channels of the plain CIFAR-10 network and times what is left (a minute; an idle machine, please).
report  reads what is there and writes docs/PRUNING.md, docs/pruning/*.svg and docs/pruning/models.csv (seconds).

Data sets: MNIST, Fashion-MNIST, CIFAR-10 and sprites, as --sets mnist=mnist:DIR cifar10=cifar10:DIR; the default takes
what hdnas finds without a folder (fashion-mnist, sprites). Sets that cannot be opened are an error. Python 3, nothing else.
"""
import argparse
import concurrent.futures
import csv
import json
import os
import subprocess
import sys
import time

# Model: name, options. The plain classifier has neither draw nor decoder, the bottleneck a draw and no decoder.
BETAS = ("0", "0.5", "1", "2", "4", "8", "16")
MODELS = [("plain", ["--model", "plain"]), ("bottleneck", ["--model", "bottleneck", "--beta", "1"])]
MODELS += [("beta" + b, ["--beta", b]) for b in BETAS]

# What every model of a set is trained with: small enough for hundreds of models, the same for all of them.
COMMON = ["--test-limit", "2000", "--threads", "1", "--quiet"]
TRAIN = {"mnist": ["--limit", "8000", "--epochs", "5", "--class-weight", "100"],
         "fashion": ["--limit", "8000", "--epochs", "5", "--class-weight", "100"],
         "cifar10": ["--limit", "8000", "--epochs", "6", "--class-weight", "1000"],
         "sprites": ["--limit", "6000", "--epochs", "12", "--batch-size", "64", "--class-weight", "500"]}

# Curves: name, options. The first trains the dense model, the others begin with it.
LEVELS = "0,0.5,0.7,0.8,0.85,0.9,0.95,0.98,0.995"
FEW = "0.5,0.8,0.9,0.95,0.98,0.995"
CHANNELS = ["--levels", "0.25,0.5,0.75,0.875", "--structure", "channels", "--min-width", "1"]
TUNE = ["--finetune", "1", "--limit", "2500"]
CURVES = [
    ("oneshot", ["--levels", LEVELS, "--finetune", "0"]),
    ("gradient", ["--levels", "0.5,0.7,0.8,0.9,0.95", "--finetune", "0", "--criterion", "gradient"]),
    ("random", ["--levels", "0.5,0.7,0.8,0.9,0.95", "--finetune", "0", "--criterion", "random"]),
    ("iterative", ["--levels", FEW, "--schedule", "iterative"] + TUNE),
    ("channels", CHANNELS + ["--schedule", "iterative"] + TUNE),
]
MORE_CURVES = [
    ("layer", ["--levels", LEVELS, "--finetune", "0", "--scope", "layer"]),
    ("tuned", ["--levels", FEW] + TUNE),
    ("channels-oneshot", CHANNELS + ["--finetune", "0"]),
    ("channels-l2", CHANNELS + ["--finetune", "0", "--criterion", "l2"]),
]
FIRST_MODELS = ("beta4", "plain", "beta0", "beta1")


def command(args, name, spec, model, seed, curve, folder, dense):
    words = [args.hdnas, "prune", "--data", spec, "--seed", str(seed), "--out", folder] + COMMON
    words += dict(MODELS)[model]
    if curve != CURVES[0][0]:
        words += ["--no-metrics", "--init", os.path.join(dense, "dense.safetensors")]
    return words + TRAIN[name] + dict(CURVES + MORE_CURVES)[curve]


def one_model(args, name, spec, model, seed, curves):
    """Some curves of a model; returns the seconds that this call took, None if everything was there."""
    start, worked = time.time(), False
    base = os.path.join(args.work, name, model, str(seed))
    dense = os.path.join(base, CURVES[0][0])
    for curve, _ in curves:
        folder = os.path.join(base, curve)
        if os.path.exists(os.path.join(folder, "weights.csv")):  # the last file of a run
            continue
        worked = True
        if os.path.exists(os.path.join(folder, "config.json")):
            words = [args.hdnas, "prune", "--resume", folder, "--quiet"]
        else:
            words = command(args, name, spec, model, seed, curve, folder, dense)
        done = subprocess.run(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        if done.returncode != 0:
            raise RuntimeError("%s\n%s" % (" ".join(words), done.stderr))
        for big in ("pruned.safetensors", "classifier.safetensors", "checkpoint.safetensors"):
            path = os.path.join(folder, big)
            if os.path.exists(path):
                os.remove(path)
        if curve != CURVES[0][0] and os.path.exists(os.path.join(folder, "dense.safetensors")):
            os.remove(os.path.join(folder, "dense.safetensors"))
    return time.time() - start if worked else None


def run(args):
    first = [(name, spec, model, seed, CURVES) for seed in range(1, args.seeds + 1) for name, spec in args.sets
             for model in FIRST_MODELS]
    then = [(name, spec, model, seed, CURVES) for seed in range(1, args.seeds + 1) for name, spec in args.sets
            for model, _ in MODELS if model not in FIRST_MODELS]
    more = [job[:4] + (MORE_CURVES,) for job in first]
    jobs = first + then + more
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        waiting = {pool.submit(one_model, args, *job): job for job in jobs}
        for i, future in enumerate(concurrent.futures.as_completed(waiting)):
            seconds = future.result()
            if seconds is not None:
                name, _, model, seed, _ = waiting[future]
                print("%d of %d: %s %s seed %d, %.1f s" % (i + 1, len(jobs), name, model, seed, seconds), flush=True)


# Structured pruning of the plain CIFAR-10 network, the same share of every layer: what it gains in time.
SPEED = ["--structure", "channels", "--scope", "layer", "--schedule", "iterative", "--levels", "0.125,0.25,0.375,0.5,0.75",
         "--finetune", "2", "--limit", "8000", "--no-metrics", "--min-width", "1"]


def speed(args):
    """docs/pruning/speed.csv: accuracy and milliseconds for 32 images of each network, least of 15 timings."""
    lines, name = [], "cifar10"
    for seed in range(1, args.seeds + 1):
        base = os.path.join(args.work, name, "plain", str(seed))
        dense, folder = os.path.join(base, "oneshot"), os.path.join(base, "speed")
        if not os.path.exists(os.path.join(dense, "weights.csv")):
            continue
        if not os.path.exists(os.path.join(folder, "weights.csv")):
            words = [args.hdnas, "prune", "--data", dict(args.sets)[name], "--seed", str(seed), "--out", folder] + COMMON
            words += ["--model", "plain", "--init", os.path.join(dense, "dense.safetensors")] + SPEED
            if os.path.exists(os.path.join(folder, "config.json")):
                words = [args.hdnas, "prune", "--resume", folder, "--quiet"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        with open(os.path.join(dense, "prune.csv"), newline="") as f:
            rows = [next(csv.DictReader(f))]
        with open(os.path.join(folder, "prune.csv"), newline="") as f:
            rows += list(csv.DictReader(f))
        for row in rows:
            words = [args.hdnas, "bench", "net:%s:n32:infer" % row["arch"], "--threads", "1", "--repeats", "15", "--json"]
            found = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
            found = found["results"][0] if isinstance(found, dict) else found[0]
            lines.append([seed, row["level"], row["accuracy"], row["params"], row["macs"], found["ms_min"], row["arch"]])
    os.makedirs("docs/pruning", exist_ok=True)
    with open("docs/pruning/speed.csv", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(["seed", "gone", "accuracy", "params", "macs", "ms", "arch"])
        out.writerows(lines)
    with open("docs/pruning/sparse.csv", "w") as f:  # make build/bench/bench_sparse
        subprocess.run([args.sparse], check=True, stdout=f)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--hdnas", default="./hdnas")
    parser.add_argument("--work", default="build/pruning")
    parser.add_argument("--sparse", default="build/bench/bench_sparse")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sets", nargs="*", default=["fashion=fashion-mnist", "sprites=sprites:10000,side=32"])
    parser.add_argument("what", nargs="*", default=["run", "speed", "report"])
    args = parser.parse_args()
    args.sets = [tuple(s.split("=", 1)) for s in args.sets]
    if "run" in args.what:
        run(args)
    if "speed" in args.what:
        speed(args)
    if "report" in args.what:
        sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
        import pruning_report
        pruning_report.write(args.work, "docs")


if __name__ == "__main__":
    main()
