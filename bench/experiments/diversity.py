#!/usr/bin/env python3
"""MO-HDNAS' ablation: two objectives (score, cost) against three (and cost diversity), FPGA, CIFAR-10, population 20, 100
generations: diversity of the population (mean of chi) at the generations of the paper's figure, the span of the last
population's front, and our front on CIFAR-100 and CIFAR-10 beside the paper's, read off its figures.

  usage: diversity.py OUT TABLES [--seeds 10] [-- options of hdnas search]
  OUT gets diversity.csv, diversity.svg, fronts.csv, front-cifar10.svg, front-cifar100.svg.

Without options behind -- the score is the true accuracy: about 2 minutes on one core. It resumes."""
import argparse, os, sys

import lab

AT = [1, 10, 30, 50, 70, 100]
PAPER = {"two": [41.96, 44.10, 44.32, 38.11, 36.30, 33.07], "three": [67.86, 38.34, 91.44, 139.74, 107.08, 177.85]}
FRONT = {  # read off, +-.05 ms, +-.2 %
    "cifar100": [(1.14, 58.2), (1.65, 63.9), (2.17, 66.5), (2.39, 66.7), (2.91, 69.4), (3.42, 69.3), (3.65, 70.8), (4.91, 70.9),
                 (5.42, 71.7), (6.16, 73.0), (6.57, 70.0), (6.68, 73.1), (7.10, 70.6), (7.20, 72.1), (7.42, 73.5), (7.84, 71.9), (7.95, 70.5)],
    "cifar10": [(1.14, 85.6), (1.65, 89.6), (2.3, 91), (2.85, 92.3), (3.5, 93.6), (4.09, 93.8), (4.90, 94.0), (5.31, 93.8), (5.83, 94.1),
                (6.17, 94.1), (6.68, 94.37), (7.09, 93.5), (7.42, 93.5), (7.91, 93.7)]}
METHODS = {"two": ["--algorithm", "nsga2", "--preset", "paper"], "three": ["--algorithm", "mo-hdnas", "--preset", "paper"],
           "three, our preset": ["--algorithm", "mo-hdnas"]}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("tables")
    p.add_argument("--seeds", type=int, default=10)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, extra = p.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    table, series, fronts = [], [(f"{k}, the paper", "line", list(zip(AT, v))) for k, v in PAPER.items()], []
    for data_set in FRONT:
        column = f"{args.tables}/nasbench201.csv:{lab.TRUTH[data_set]}"
        score = [a.replace("{data_set}", data_set) for a in extra] or ["--score", "table:" + column]
        for method, options in METHODS.items():
            courses, spans = [], []
            for seed in range(1, args.seeds + 1):
                folder = os.path.join(args.out, "runs", data_set, f"{method.replace(' ', '-').replace(',', '')}-{seed}")
                v = lab.search(folder, options + ["--population", 20, "--generations", 100, "--seed", seed, "--device", "fpga", "--tables",
                                                  args.tables, "--truth", column, "--threads", 1] + score)
                courses.append([float(r["diversity"]) for r in lab.rows(os.path.join(folder, "generations.csv"))])
                front = lab.rows(os.path.join(folder, "front.csv"))
                spans.append([float(front[0]["cost"]), float(front[-1]["cost"])])
                fronts += [[data_set, method, seed, r["cost"], r["true_accuracy"]] for r in front]
            row = [[c[g - 1] for c in courses if len(c) >= g] for g in AT]
            table.append([data_set, method] + [lab.show(lab.mean(c), 2) for c in row] + [lab.show(lab.interval(c), 2) for c in row] +
                         [lab.show(lab.mean([s[k] for s in spans]), 2) for k in (0, 1)])
            print(data_set, method, *table[-1][2:8], "front from", table[-1][-2], "to", table[-1][-1], "ms", flush=True)
            if data_set == "cifar10":
                series.append((method, "line", [(g + 1, lab.mean([c[g] for c in courses]), lab.interval([c[g] for c in courses]))
                                                for g in range(min(map(len, courses)))]))
        truth = lab.rows(os.path.join(folder, "truth.csv"))
        one = [(float(f[3]), float(f[4])) for f in fronts if f[:3] == [data_set, "three", 1]]
        lab.chart(os.path.join(args.out, f"front-{data_set}.svg"), f"Fronts by true accuracy, FPGA, {data_set}", "latency (ms)",
                  "true accuracy (%)", [("the true front", "stairs", [(float(r["cost"]), float(r["accuracy"])) for r in truth]),
                                        ("paper, read off", "dots", FRONT[data_set]), ("ours, seed 1", "dots", one)])
    lab.write(os.path.join(args.out, "diversity.csv"), ["data_set", "objectives"] + [f"generation_{g}" for g in AT] +
              [f"generation_{g}_ci95" for g in AT] + ["front_from_ms", "front_to_ms"], table)
    lab.write(os.path.join(args.out, "fronts.csv"), "data_set objectives seed cost true_accuracy".split(), fronts)
    lab.chart(os.path.join(args.out, "diversity.svg"), "Diversity of costs, FPGA, CIFAR-10", "generation", "mean of chi", series)


if __name__ == "__main__":
    main()
