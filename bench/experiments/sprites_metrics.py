#!/usr/bin/env python3
"""Is the code of a Beta-VAE more disentangled than that of a VAE, as published? On sprites, without labels.

usage: sprites_metrics.py OUT [--betas 1,4,8] [--seeds 3] [--epochs 10] [--threads 1]

Trains a Beta-VAE of 10 dimensions on 50,000 sprites for each beta and seed (class weight 0: the factors are unknown to
it), seeds outermost, and measures its code on 6,000 test images. Runs that are done are kept; one under way is resumed.
About a minute of one core a run of 10 epochs (7,800 steps). OUT/metrics.csv: a line a run. It and the traversals of seed
1 are copied to docs/pruning, where pruning_study.py report finds them.

The decoder begins with two layers that see the whole code (256 units, then 2 x 2 x 64): a spot at (x, y) is an and of
two things, which no single layer of ReLUs can say. With one, 8 x 8 x 32 or 4 x 4 x 32 units before the convolutions, the
code folds the plane into four and more dimensions and MIG stays at 0.04, whatever beta, learning rate or warm-up.
"""
import argparse
import os
import shutil
import subprocess
import sys

from lab import HDNAS, ROOT, rows, write

OPTIONS = ["--data", "sprites:50000", "--test-limit", "6000", "--class-weight", "0", "--latent", "10", "--batch-size", "64",
           "--widths", "32s,32s,32s", "--hidden", "256", "--decoder", "256,64,32,32,16", "--lr", "0.001", "--warmup", "0",
           "--levels", "0", "--finetune", "0", "--quiet"]


def train(folder, beta, seed, args):
    path = os.path.join(folder, "metrics.csv")
    if not os.path.exists(path):
        if os.path.exists(os.path.join(folder, "config.json")):
            command = [HDNAS, "prune", "--quiet", "--resume", folder]
        else:
            shutil.rmtree(folder, ignore_errors=True)
            command = [HDNAS, "prune", "--out", folder, "--beta", beta, "--seed", str(seed), "--epochs", str(args.epochs),
                       "--threads", str(args.threads)] + OPTIONS
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit("failed: " + " ".join(command))
    values = {r["metric"]: float(r["value"]) for r in rows(path)}
    last = rows(os.path.join(folder, "train.csv"))[-1]
    return {**values, "reconstruction": float(last["recon"])}


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("out")
    parser.add_argument("--betas", default="1,4,8")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    docs, runs = os.path.join(ROOT, "docs", "pruning"), []
    os.makedirs(args.out, exist_ok=True)
    for seed in range(1, args.seeds + 1):
        for beta in args.betas.split(","):
            folder = os.path.join(args.out, "beta%s-seed%d" % (beta, seed))
            found = train(folder, beta, seed, args)
            names = sorted(found)
            runs.append([beta, seed] + [found[n] for n in names])
            write(os.path.join(args.out, "metrics.csv"), ["beta", "seed"] + names, runs)
            print("beta %s seed %d: MIG %.3f, DCI %.3f" % (beta, seed, found["mig"], found["dci_disentanglement"]), flush=True)
            if seed == 1:
                shutil.copyfile(os.path.join(folder, "traversals.png"), os.path.join(docs, "sprites_beta%s.png" % beta))
    shutil.copyfile(os.path.join(args.out, "metrics.csv"), os.path.join(docs, "sprites.csv"))


main()
