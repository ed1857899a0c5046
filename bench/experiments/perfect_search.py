#!/usr/bin/env python3
"""What the front of a perfect search by a training-free score would lack: every architecture of the space ordered by
scores of a table, the front by (cost, score) judged by true accuracies. Products are of ranks.

  usage: perfect_search.py TABLES SCORES.csv [--devices fpga,eyeriss,raspi4,pixel3] [--one-path]
  TABLES holds nasbench201.csv and nb201_hwnasbench_cifar10.csv; SCORES.csv an index column and SCORE_c10, SCORE_c100 of
  naswot, logsynflow and zen (what is no finite number ranks last). "12 epochs" is the accuracy after so short a training
  of everything, "flops" breaks its many ties at random (mean of 20). Prints data set, device, score, gap (%), members.
  --one-path leaves out cells with two or more paths of skips and pools alone from input to output, by structure.

About a minute."""
import argparse, math, os, random

import lab

OPS = ["none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"]
SCORES = [("naswot",), ("logsynflow",), ("zen",), ("flops",), ("12 epochs",), ("naswot", "logsynflow"),
          ("naswot", "logsynflow", "zen")]
TRAINED = {"c10": "c10_test12", "c100": "c100_test12"}


def norm_free_paths(arch):
    free = [OPS.index(op.split("~")[0]) in (1, 4) for node in arch.split("+") for op in node.strip("|").split("|")]
    one = free[0]
    two = free[1] + free[2] * one
    return free[3] + free[4] * one + free[5] * two


def ranks(values):
    """Mid-ranks, 1 = lowest."""
    order, rank, first = sorted(range(len(values)), key=lambda i: values[i]), [0.0] * len(values), 0
    while first < len(order):
        last = first
        while last + 1 < len(order) and values[order[last + 1]] == values[order[first]]:
            last += 1
        for k in range(first, last + 1):
            rank[order[k]] = (first + last) / 2 + 1
        first = last + 1
    return rank


def number(text):
    try:
        value = float(text)
    except ValueError:
        return -math.inf
    return value if math.isfinite(value) else -math.inf


def unit(values):
    low, high = min(values), max(values)
    return [(v - low) / (high - low) for v in values]


def hypervolume(points):
    best, volume = 1.0, 0.0
    for cost, error in sorted(points):
        if error < best:
            volume += (1 - cost) * (best - error)
            best = error
    return volume


def gap(found, cost, error, whole):
    """What networks lack of the hypervolume of the true front, in %."""
    return 100 * (1 - hypervolume([(cost[i], error[i]) for i in found]) / whole)


def front(which, cost, score):
    out, best = [], -math.inf
    for i in sorted(which, key=lambda i: (cost[i], -score[i])):
        if score[i] > best:
            out.append(i)
            best = score[i]
    return out


def shuffled(score, seed):
    """The same order, ties at random."""
    r = random.Random(seed)
    return [s + 1e-9 * r.random() for s in score]


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("tables")
    p.add_argument("scores")
    p.add_argument("--devices", default="fpga,eyeriss,raspi4,pixel3")
    p.add_argument("--one-path", action="store_true")
    args = p.parse_args()
    cells = lab.rows(os.path.join(args.tables, "nasbench201.csv"))
    costs = {r["index"]: r for r in lab.rows(os.path.join(args.tables, "nb201_hwnasbench_cifar10.csv"))}
    scores = {r["index"]: r for r in lab.rows(args.scores)}
    which = [i for i, c in enumerate(cells) if not args.one_path or norm_free_paths(c["arch"]) <= 1]
    print("data_set,device,score,gap,members")
    for data_set, end in (("cifar10", "c10"), ("cifar100", "c100")):
        rank = {s: ranks([number(scores[c["index"]][f"{s}_{end}"]) for c in cells]) for s in ("naswot", "logsynflow", "zen")}
        rank["flops"] = ranks([float(c["mflops_c10"]) for c in cells])
        rank["12 epochs"] = ranks([number(c[TRAINED[end]]) for c in cells])
        error = unit([100 - float(c[lab.TRUTH[data_set]]) for c in cells])
        for device in args.devices.split(","):
            cost = unit([float(costs[c["index"]][device + "_latency_ms"]) for c in cells])
            whole = hypervolume(zip(cost, error))
            for names in SCORES:
                score = [sum(math.log(rank[s][i]) for s in names) for i in range(len(cells))]
                orders = [shuffled(score, seed) for seed in range(20)] if names == ("flops",) else [score]
                fronts = [front(which, cost, order) for order in orders]
                lacks = lab.mean([gap(f, cost, error, whole) for f in fronts])
                print(f"{data_set},{device},{'*'.join(names)},{lacks:.3f},{lab.mean([len(f) for f in fronts]):.0f}", flush=True)


if __name__ == "__main__":
    main()
