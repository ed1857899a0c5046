#!/usr/bin/env python3
"""How much scores are to be evened out (nas/smooth.h): every cell of the space scored, looked up, smoothed with more and more
noise. Gap (%) of the 20 networks chosen by smoothed scores, mean over the devices, and Kendall's tau with the accuracy, all
connected cells. The networks are chosen for mistakes that smoothed scores are supposed to have (nas/shortlist.h: .05 of their
deviation; 0, or no noise: fronts are peeled off). For the columns given, their mean, and for what a score would be that knows
the accuracy but for a mistake of its own ("truth": a normal one of one point, the mean of --draws; "12 epochs": the
benchmark's accuracies after 12 epochs).

  usage: smoothing.py OUT TABLES SCORES.csv:COLUMN ... [--devices fpga,eyeriss,raspi4,pixel3,...] [--reach .6]
                      [--noise 0,.1,.4,1.25,2.5] [--mistakes .05] [--draws 5]
  SCORES.csv as whole_space.sh makes it; COLUMN a column of it, or several with * between: logarithms of ranks added.
  OUT gets smoothing.csv.

Needs numpy and scipy. Ten seconds a column of one core. nas/smooth.c's kernel is a product over genes, so that of the
whole space is applied gene by gene; the noise is .01 times the root of the number of networks for hdnas search (1.24 for
all of them), .1 for hdnas correlate --smooth."""
import argparse, itertools, math, os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np
from scipy.stats import kendalltau, rankdata

import lab
from evolution_variants import N_CHOICES, N_GENES, connected, shortlist, shortlist_expected, solve
from perfect_search import gap, hypervolume, number, unit


def smooth(cells, score, noise, reach):
    """The posterior mean at cells [n, 6] from the ranks of their scores."""
    own = np.full((N_CHOICES, N_CHOICES), math.exp(-1 / (reach * N_GENES)))
    np.fill_diagonal(own, 1)
    place = np.ravel_multi_index(cells.T, (N_CHOICES,) * N_GENES)

    def times(x):
        whole = np.zeros(N_CHOICES ** N_GENES)
        whole[place] = x
        whole = whole.reshape((N_CHOICES,) * N_GENES)
        for axis in range(N_GENES):
            whole = np.moveaxis(np.tensordot(own, whole, axes=(1, axis)), 0, axis)
        return whole.reshape(-1)[place]

    return times(solve(times, rankdata(score) - (len(score) + 1) / 2, noise))


def numbers(text):
    return [float(n) for n in text.split(",")]


def columns(args, index):
    """name -> score of every cell, as an array by index; NaN where there is none."""
    for spec in args.scores:
        path, names = spec.rsplit(":", 1)
        table = {r["index"]: r for r in lab.rows(path)}
        total = np.zeros(len(index))
        for name in names.split("*") if names not in next(iter(table.values())) else [names]:
            values = np.array([number(table[i][name]) if i in table else -math.inf for i in index])
            known = np.isfinite(values)
            rank = np.full(len(index), .5)
            rank[known] = rankdata(values[known]) + (~known).sum()
            total += np.log(rank / len(index))
        yield spec, total


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("tables")
    p.add_argument("scores", nargs="+")
    p.add_argument("--devices", default=",".join(lab.DEVICES))
    p.add_argument("--reach", type=float, default=.6)
    p.add_argument("--noise", default="0,.1,.4,1.25,2.5")
    p.add_argument("--mistakes", default=".05")
    p.add_argument("--draws", type=int, default=5)
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    table = lab.rows(f"{args.tables}/nasbench201.csv")
    index = [r["index"] for r in table]
    cells = np.array([[int(c) for c in r["edges"]] for r in table])
    alive = np.array([bool(connected(c)) for c in cells])
    cost = {}
    for device in args.devices.split(","):
        known = lab.latencies(args.tables, device)
        cost[device] = np.array([number(known.get(i, "")) for i in index])
    for values in cost.values():
        values[~(values >= 0)] = math.nan
    truth = {t: np.array([number(r[c]) for r in table]) for t, c in lab.TRUTH.items()}
    some = np.where(alive)[0]
    norm = {}
    for device, latency in cost.items():
        can = np.isfinite(latency)
        for data_set, accuracy in truth.items():
            c, e = np.zeros(len(index)), np.zeros(len(index))
            c[can], e[can] = unit(latency[can]), unit(100 - accuracy[can])
            norm[device, data_set] = c, e, hypervolume(zip(c[can], e[can]))

    def even(score, noise):
        """The cells that have a score, and the score, smoothed."""
        known = some[np.isfinite(score[some])]
        return known, score[known] if noise == 0 else smooth(cells[known], score[known], noise, args.reach)

    def judge(known, value, mistake, data_set):
        """Gap on each device, tau."""
        gaps = []
        for device, latency in cost.items():
            can = np.isfinite(latency[known])
            some_of = value[can], latency[known][can]
            chosen = known[can][shortlist(*some_of) if mistake == 0 else shortlist_expected(*some_of, mistake=mistake)]
            gaps.append(gap(chosen, *norm[device, data_set]))
        return gaps + [kendalltau(value, truth[data_set][known])[0]]

    draw = np.random.default_rng(1)
    mistakes = [draw.normal(0, 1, len(index)) for _ in range(args.draws)]
    groups = [(name[-60:], [(score, score)]) for name, score in columns(args, index)]
    groups.append(("mean of these", [both for _, pairs in groups for both in pairs]))
    groups.append(("truth", [(truth["cifar10"] + m, truth["cifar100"] + m) for m in mistakes]))
    groups.append(("12 epochs", [tuple(np.array([number(r[c]) for r in table]) for c in ("c10_test12", "c100_test12"))]))
    rows, first = [], next(iter(cost))
    for (name, group), noise in itertools.product(groups, numbers(args.noise)):
        evened = [[even(score, noise) for score in both] for both in group]
        for mistake, (k, data_set) in itertools.product(numbers(args.mistakes), enumerate(truth)):
            mean = np.mean([judge(*both[k], mistake if noise else 0, data_set) for both in evened], axis=0)
            rows.append([name, data_set, noise, mistake, lab.show(mean[0]), lab.show(mean[:-1].mean()), lab.show(mean[-1])])
            print(f"{name:60} {data_set:9} noise {noise:<5g} mistakes {mistake:<5g} gap {first} {rows[-1][4]}, "
                  f"mean {rows[-1][5]}  tau {rows[-1][6]}", flush=True)
    lab.write(os.path.join(args.out, "smoothing.csv"),
              ["score", "data_set", "noise", "mistakes", "gap_" + first, "gap_mean", "tau"], rows)


if __name__ == "__main__":
    main()
