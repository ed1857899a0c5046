#!/usr/bin/env python3
"""Does a disentangled code make a network easier to prune? All of docs/PRUNING.md comes from here.

usage: pruning_study.py [--hdnas ./hdnas] [--work build/pruning] [--seeds 5] [--jobs 1] [--sets NAME=SPEC ...]
                        [run] [speed] [cost] [sparse] [report]

run     trains and prunes every model that is not there yet: 4 data sets x (plain and 3 betas) x seeds first, seeds
        outermost, so that a part of it is a study of fewer seeds; then the betas between, the bottleneck, more curves
        and rewinding. Killed, it goes on where it stopped: finished runs are kept, the one under way is resumed. About 6
        seconds of one processor a model and 20 minutes for all of it; --jobs 2 halves that.
speed   prunes channels of --classifier, the CIFAR-10 network of classifier_baselines.sh, and times what is left: 4 minutes.
cost    processor seconds of the parts of a model of each set: 3 minutes. sparse: dense against compressed rows.
report  reads what is there and writes docs/PRUNING.md, docs/pruning/*.svg and docs/pruning/models.csv (seconds).

Data sets: MNIST, Fashion-MNIST, CIFAR-10 and sprites, as --sets mnist=mnist:DIR cifar10=cifar10:DIR; the default takes
what hdnas finds without a folder (fashion-mnist, sprites). Sets that cannot be opened are an error. Python 3, nothing else.
"""
import argparse
import concurrent.futures
import os
import subprocess
import time

import pruning_report
import pruning_speed

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
# Lottery tickets: after each pruning the first weights, or those after an epoch, against going on from where it stands.
# The same epochs of the same images and the same learning rate's cosine; on the plain network of REWOUND.
REWIND = [
    ("rewind0", ["--levels", FEW, "--schedule", "iterative", "--rewind", "0"]),
    ("rewind1", ["--levels", FEW, "--schedule", "iterative", "--rewind", "1"]),
    ("tuned5", ["--levels", FEW, "--schedule", "iterative", "--finetune", "5"]),
]
REWOUND = ("mnist", "fashion")
FIRST_MODELS = ("beta4", "plain", "beta0", "beta1")


def command(args, name, spec, model, seed, curve, folder, dense):
    words = [args.hdnas, "prune", "--data", spec, "--seed", str(seed), "--out", folder] + COMMON
    words += dict(MODELS)[model]
    if curve != CURVES[0][0]:
        words += ["--no-metrics"]
        if not curve.startswith("rewind"):  # which trains the same dense model again, to have its beginnings
            words += ["--init", os.path.join(dense, "dense.safetensors")]
    return words + TRAIN[name] + dict(CURVES + MORE_CURVES + REWIND)[curve]


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
        for big in ("pruned.safetensors", "classifier.safetensors", "checkpoint.safetensors", "rewind.safetensors"):
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
    rewound = [(name, spec, "plain", seed, REWIND) for seed in range(1, args.seeds + 1) for name, spec in args.sets
               if name in REWOUND]
    jobs = first + then + more + rewound
    with concurrent.futures.ThreadPoolExecutor(args.jobs) as pool:
        waiting = {pool.submit(one_model, args, *job): job for job in jobs}
        for i, future in enumerate(concurrent.futures.as_completed(waiting)):
            seconds = future.result()
            if seconds is not None:
                name, _, model, seed, _ = waiting[future]
                print("%d of %d: %s %s seed %d, %.1f s" % (i + 1, len(jobs), name, model, seed, seconds), flush=True)


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--hdnas", default="./hdnas")
    parser.add_argument("--work", default="build/pruning")
    parser.add_argument("--classifier", default="build/baselines/cifar10-1/best.safetensors")
    parser.add_argument("--sparse", default="build/bench/bench_sparse")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--sets", nargs="*", default=["fashion=fashion-mnist", "sprites=sprites:10000,side=32"])
    parser.add_argument("what", nargs="*", default=["run", "speed", "cost", "sparse", "report"])
    args = parser.parse_args()
    args.sets = [tuple(s.split("=", 1)) for s in args.sets]
    if "run" in args.what:
        run(args)
    if "speed" in args.what:
        pruning_speed.speed(args)
    if "cost" in args.what:
        pruning_speed.cost(args, TRAIN, COMMON, dict(CURVES))
    if "sparse" in args.what:
        pruning_speed.sparse(args)
    if "report" in args.what:
        pruning_report.write(args.work, "docs")


if __name__ == "__main__":
    main()
