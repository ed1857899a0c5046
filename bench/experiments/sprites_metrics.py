#!/usr/bin/env python3
"""Is the code of a Beta-VAE more disentangled than that of a VAE, as published? On sprites, without labels.

usage: sprites_metrics.py OUT [--betas 0,1,4,8,16] [--seeds 3] [--epochs 40] [--threads 1]

Trains a Beta-VAE of 10 dimensions on 20,000 sprites for each beta and seed (class weight 0: the factors are unknown to
it), seeds outermost, and measures its code on 6,000 test images. Runs that are done are kept; one under way is resumed.
OUT/metrics.csv: a line a run; OUT/table.md: means and half widths of 95 % intervals, and how many of the seeds put each
beta above beta 1. About 3 s of one core an epoch and 4 s a run for the metrics: 30 minutes for the 15 runs.
"""
import argparse, os, shutil, subprocess, sys

from lab import HDNAS, interval, mean, rows, show, write

SHOWN = ["mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "sap_r2", "modularity", "factorvae",
         "betavae", "active_units", "total_correlation", "kl"]


def train(folder, beta, seed, args):
    path = os.path.join(folder, "metrics.csv")
    if not os.path.exists(path):
        if os.path.exists(os.path.join(folder, "config.json")):
            command = [HDNAS, "prune", "--quiet", "--resume", folder]
        else:
            shutil.rmtree(folder, ignore_errors=True)
            command = [HDNAS, "prune", "--quiet", "--out", folder, "--data", "sprites:20000", "--test-limit", "6000",
                       "--class-weight", "0", "--latent", "10", "--batch-size", "64", "--beta", beta, "--seed", str(seed),
                       "--epochs", str(args.epochs), "--levels", "0", "--finetune", "0", "--threads", str(args.threads)]
        if subprocess.run(command, stdout=subprocess.DEVNULL).returncode != 0:
            sys.exit("failed: " + " ".join(command))
    values = {r["metric"]: float(r["value"]) for r in rows(path)}
    last = rows(os.path.join(folder, "train.csv"))[-1]
    return {**values, "recon": float(last["recon"])}


def table(runs, betas, epochs):
    """Markdown: a line a metric, a column a beta."""
    seeds = sorted({seed for _, seed in runs})
    text = f"{epochs} epochs, seeds {', '.join(map(str, seeds))}; in brackets the seeds above beta 1.\n\n"
    text += "| | " + " | ".join("beta " + b for b in betas) + " |\n|---" + "|---" * len(betas) + "|\n"
    for name in SHOWN + ["recon"]:
        cells = []
        for beta in betas:
            values = [runs[beta, s][name] for s in seeds if (beta, s) in runs]
            pairs = [(runs[beta, s][name], runs["1", s][name]) for s in seeds if (beta, s) in runs and ("1", s) in runs]
            cell = show(mean(values)) + (" ± " + show(interval(values)) if len(values) > 1 else "")
            if beta != "1" and pairs:
                cell += f" ({sum(a > b for a, b in pairs)} of {len(pairs)})"
            cells.append(cell)
        text += f"| {name} | " + " | ".join(cells) + " |\n"
    return text


def main():
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("out")
    parser.add_argument("--betas", default="0,1,4,8,16")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()
    betas, runs = args.betas.split(","), {}
    os.makedirs(args.out, exist_ok=True)
    for seed in range(1, args.seeds + 1):
        for beta in betas:
            runs[beta, seed] = train(os.path.join(args.out, f"beta{beta}-seed{seed}"), beta, seed, args)
            names = sorted(runs[beta, seed])
            write(os.path.join(args.out, "metrics.csv"), ["beta", "seed"] + names,
                  [[b, s] + [r[n] for n in names] for (b, s), r in runs.items()])
            with open(os.path.join(args.out, "table.md"), "w") as f:
                f.write(table(runs, betas, args.epochs))
    print(open(os.path.join(args.out, "table.md")).read(), end="")


main()
