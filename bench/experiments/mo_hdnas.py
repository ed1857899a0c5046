#!/usr/bin/env python3
"""MO-HDNAS (its own preset and ours) beside random search, NSGA-II with two objectives, regularised evolution and the
surrogate-assisted searches (surrogate for exact scores, survey for those that err), at equal evaluations: every device x
CIFAR-10 and CIFAR-100 x seeds. Judged by true accuracies, which no search sees: hypervolume gap to the true front (%, of
the front found and of the at most 20 networks of the shortlist), IGD+, diversity of the population, networks scored,
seconds.

  usage: mo_hdnas.py OUT TABLES [--seeds 10] [--devices a,b] [--data-sets cifar10,cifar100] [--budgets 20x20,20x100]
                     [--methods ...] [-- options of hdnas search]
  TABLES holds nasbench201.csv and tables of latencies. OUT gets runs.csv, gaps.csv, gap-*.svg, diversity-*.svg.

Without options behind -- the score is the true accuracy itself: what a perfect score would give. Then 11 devices take
about 0.4 s a run (40 minutes in all on one core). With a score give --pool, so that each network is scored once:
  mo_hdnas.py OUT TABLES -- --score agg --data cifar10:DIR --score-seed 1 --pool OUT/agg.pool
costs the score of at most 6,466 networks and no more. In {data_set} a data set's name is put in. Interrupted, the same
command goes on."""
import argparse, math, os, sys

import lab

METHODS = {  # name -> options
    "mo-hdnas paper": ["--algorithm", "mo-hdnas", "--preset", "paper"],
    "mo-hdnas": ["--algorithm", "mo-hdnas"],
    "surrogate": ["--algorithm", "surrogate"],
    "survey": ["--algorithm", "survey"],
    "nsga2": ["--algorithm", "nsga2"],
    "regevo": ["--algorithm", "regevo"],
    "random": ["--algorithm", "random"],
}


def one(out, tables, data_set, device, method, budget, seed, extra):
    population, generations = budget.split("x")
    column = f"{tables}/nasbench201.csv:{lab.TRUTH[data_set]}"
    score = [a.replace("{data_set}", data_set) for a in extra] or ["--score", "table:" + column]
    folder = os.path.join(out, "runs", data_set, device, f"{method.replace(' ', '-')}-{budget}-{seed}")
    v = lab.search(folder, METHODS[method] + ["--population", population, "--generations", generations, "--seed", seed,
                                              "--device", device, "--tables", tables, "--truth", column, "--threads", 1] + score)
    whole = v["true_front_hypervolume"]
    course = [float(r["diversity"]) for r in lab.rows(os.path.join(folder, "generations.csv"))]
    return {"data_set": data_set, "device": device, "method": method, "budget": budget, "seed": seed,
            "gap": 100 * (1 - v["true_hypervolume"] / whole), "gap20": 100 * (1 - v["shortlist_true_hypervolume"] / whole),
            "igd_plus": v["shortlist_true_igd_plus"], "front": len(v["front"]), "evals": v["evals"], "unique": v["unique"],
            "seconds": v["seconds"], "diversity": course[-1], "course": course}


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("tables")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--devices", default=",".join(lab.DEVICES))
    p.add_argument("--data-sets", default="cifar10,cifar100")
    p.add_argument("--budgets", default="20x20,20x100", help="population x generations")
    p.add_argument("--methods", default=",".join(METHODS))
    args, extra = p.parse_args(sys.argv[1:sys.argv.index("--")] if "--" in sys.argv else None), \
        sys.argv[sys.argv.index("--") + 1:] if "--" in sys.argv else []
    runs = []
    keys = ["data_set", "device", "method", "budget", "seed", "gap", "gap20", "igd_plus", "front", "evals", "unique", "seconds", "diversity"]
    groups = [(d, v, m, b) for d in args.data_sets.split(",") for v in args.devices.split(",") for b in args.budgets.split(",")
              for m in args.methods.split(",")]
    table = []
    for data_set, device, method, budget in groups:
        mine = [one(args.out, args.tables, data_set, device, method, budget, s + 1, extra) for s in range(args.seeds)]
        runs += mine
        row = [data_set, device, budget, method]
        for key, digits in (("gap", 3), ("gap20", 3), ("igd_plus", 5), ("unique", 1), ("seconds", 1), ("diversity", 2)):
            values = [r[key] for r in mine]
            row += [lab.show(lab.mean(values), digits), lab.show(lab.interval(values), digits)]
        table.append(row)
        print(f"{data_set:9} {device:24} {budget:7} {method:15} gap {row[4]} +- {row[5]}  of 20: {row[6]} +- {row[7]}", flush=True)
    lab.write(os.path.join(args.out, "runs.csv"), keys, [[r[k] for k in keys] for r in runs])
    lab.write(os.path.join(args.out, "gaps.csv"),
              ["data_set", "device", "budget", "method"] + [n + e for n in ("gap", "gap20", "igd_plus", "unique", "seconds", "diversity")
                                                           for e in ("", "_ci95")], table)
    for data_set in args.data_sets.split(","):
        for budget in args.budgets.split(","):
            series = []
            for method in args.methods.split(","):
                pick = [r for r in runs if r["method"] == method and r["budget"] == budget and r["data_set"] == data_set]
                names = args.devices.split(",")
                series.append((method, "dots", [(i + 1, lab.mean([r["gap20"] for r in pick if r["device"] == d]))
                                                for i, d in enumerate(names)]))
            lab.chart(os.path.join(args.out, f"gap-{data_set}-{budget}.svg"), f"Gap of at most 20 networks, {data_set}, {budget}",
                      "device: " + " ".join(f"{i + 1} {d}" for i, d in enumerate(args.devices.split(",")[:6])), "gap (%)", series)
            course = []
            for method in args.methods.split(","):
                pick = [r["course"] for r in runs if r["method"] == method and r["budget"] == budget
                        and r["data_set"] == data_set and r["device"] == args.devices.split(",")[0]]
                n = min(len(c) for c in pick)
                course.append((method, "line", [(g + 1, lab.mean([c[g] for c in pick]), lab.interval([c[g] for c in pick]))
                                                for g in range(n)]))
            lab.chart(os.path.join(args.out, f"diversity-{data_set}-{budget}.svg"),
                      f"Diversity of costs, {args.devices.split(',')[0]}, {data_set}", "generation", "mean of chi", course)


if __name__ == "__main__":
    main()
