#!/usr/bin/env python3
"""HW-EvRSNAS: the best network under each of several limits of the cost, all limits in one search. Regret (points) of the
one network named for each limit against the exact optimum of the whole space, by true accuracies that no search sees.
First the paper's nine FPGA limits on CIFAR-100 beside the paper's figure, then the 10 .. 90 % quantiles of the cost on
every device, both data sets.

  usage: hw_evrsnas.py OUT TABLES [--seeds 10] [--devices a,b] [--budgets 20x20,20x100] [--methods ...] [-- options]
  OUT gets regret_paper.csv, regret_quantiles.csv, regret_paper.svg.

Without options behind -- the score is the true accuracy; then about 0.4 s a run, 15 minutes in all on one core. What the
paper leaves open: penalty (twice the range of scores of the first generation for a cost of twice the limit), one elite,
tournaments of two, uniform crossover, each gene redrawn with p .1 (preset paper). It resumes."""
import argparse, os, sys

import lab

# Read off the paper's figure, +-.4 points.
PAPER = {2: 64.5, 3: 70.4, 3.5: 71.0, 4: 71.7, 4.5: 71.7, 5: 72.4, 6: 73.4, 7: 73.3, 8: 73.6}
METHODS = {
    "hw-evrsnas": ["--algorithm", "hw-evrsnas"],
    "hw-evrsnas paper": ["--algorithm", "hw-evrsnas", "--preset", "paper"],
    "hw-evrsnas deb": ["--algorithm", "hw-evrsnas", "--constraint-rule", "deb"],
    "mo-hdnas": ["--algorithm", "mo-hdnas"],
    "survey": ["--algorithm", "survey"],
    "random": ["--algorithm", "random"],
}


def quantiles(tables, device):
    """The 10, 20 .. 90 % quantiles of a device's latency over the networks it can run."""
    values = sorted(float(v) for v in lab.latencies(tables, device).values() if v and float(v) >= 0)
    return [round(values[len(values) * q // 10], 6) for q in range(1, 10)]


def runs(args, extra, group, device, data_set, limits, method, budget):
    population, generations = budget.split("x")
    column = f"{args.tables}/nasbench201.csv:{lab.TRUTH[data_set]}"
    score = [a.replace("{data_set}", data_set) for a in extra] or ["--score", "table:" + column]
    for seed in range(1, args.seeds + 1):
        folder = os.path.join(args.out, "runs", group, data_set, device, f"{method.replace(' ', '-')}-{budget}-{seed}")
        yield lab.search(folder, METHODS[method] + ["--constraint", ",".join(str(c) for c in limits), "--population", population,
                                                    "--generations", generations, "--seed", seed, "--device", device, "--tables",
                                                    args.tables, "--truth", column, "--threads", 1] + score)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("tables")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--devices", default=",".join(lab.DEVICES), help="of the quantiles; empty = the paper's limits only")
    p.add_argument("--data-sets", default="cifar10,cifar100")
    p.add_argument("--budgets", default="20x20,20x100")
    p.add_argument("--methods", default=",".join(m for m in METHODS if m != "hw-evrsnas deb"))
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, extra = p.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    table, series = [], []
    for budget in args.budgets.split(","):
        for method in args.methods.split(","):
            done = list(runs(args, extra, "paper", "fpga", "cifar100", list(PAPER), method, budget))
            points = []
            for i, limit in enumerate(PAPER):
                met = [v["best"][i] for v in done if v["best"][i]["met"]]
                ours = [b["true_accuracy"] for b in met]
                optimum = done[0]["best"][i]["optimum"]
                table.append([budget, method, limit, PAPER[limit], lab.show(optimum, 2), lab.show(lab.mean(ours), 2),
                              lab.show(lab.interval(ours), 2), lab.show(optimum - lab.mean(ours), 2), len(met), len(done)])
                points.append((limit, lab.mean(ours), lab.interval(ours)))
            each = [lab.mean([b["regret"] for b in v["best"] if b["met"]]) for v in done]
            print(f"paper's nine limits {budget:7} {method:17} mean regret {lab.show(lab.mean(each))} +- {lab.show(lab.interval(each))}", flush=True)
            if budget == args.budgets.split(",")[-1]:
                series.append((method, "line", points))
            optima = [(limit, done[0]["best"][i]["optimum"]) for i, limit in enumerate(PAPER)]
    lab.write(os.path.join(args.out, "regret_paper.csv"),
              "budget method limit_ms paper optimum ours ours_ci95 regret met runs".split(), table)
    lab.chart(os.path.join(args.out, "regret_paper.svg"), "CIFAR-100 under limits of the FPGA latency", "limit (ms)", "true accuracy (%)",
              series + [("optimum", "line", optima), ("paper, read off", "dots", list(PAPER.items()))])
    table = []
    for data_set in args.data_sets.split(","):
        for device in filter(None, args.devices.split(",")):
            limits = quantiles(args.tables, device)
            for budget in args.budgets.split(","):
                for method in args.methods.split(","):
                    done = list(runs(args, extra, "quantiles", device, data_set, limits, method, budget))
                    each = [lab.mean([b["regret"] for b in v["best"] if b["met"]]) for v in done]
                    unmet = sum(not b["met"] for v in done for b in v["best"])
                    table.append([data_set, device, budget, method, lab.show(lab.mean(each)), lab.show(lab.interval(each)), unmet])
                    print(f"{data_set:9} {device:24} {budget:7} {method:17} mean regret {table[-1][4]} +- {table[-1][5]}, {unmet} limits not met", flush=True)
    if table:
        lab.write(os.path.join(args.out, "regret_quantiles.csv"), "data_set device budget method regret regret_ci95 unmet".split(), table)


if __name__ == "__main__":
    main()
