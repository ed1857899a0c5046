#!/usr/bin/env python3
"""RMI-NAS' random-forest explorer: the accuracy of the one network it returns, beside the paper's table, and how many
networks it scored in which time.

  usage: rmi_forest.py OUT TABLES [--seeds 10] [-- options of hdnas search]
  OUT gets rmi_forest.csv.

Without options behind -- the score is the true accuracy: about 1 minute on one core. With the paper's protocol,
  rmi_forest.py OUT TABLES -- --score rmi-paper --data {data_set}:DIR --reference FILE --pool OUT/{data_set}.pool
a seed scores some 300 networks of 6 to 14 s each. It resumes."""
import argparse, os, sys

import lab

PAPER = {"cifar10": (94.28, .10), "cifar100": (73.36, .19)}  # test %, and 1258.2 s on one GPU


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("tables")
    p.add_argument("--seeds", type=int, default=10)
    cut = sys.argv.index("--") if "--" in sys.argv else len(sys.argv)
    args, extra = p.parse_args(sys.argv[1:cut]), sys.argv[cut + 1:]
    table = []
    for data_set, (accuracy, spread) in PAPER.items():
        column = f"{args.tables}/nasbench201.csv:{lab.TRUTH[data_set]}"
        score = [a.replace("{data_set}", data_set) for a in extra] or ["--score", "table:" + column]
        for preset in ("paper", "default"):
            done = [lab.search(os.path.join(args.out, "runs", data_set, f"{preset}-{seed}"),
                               ["--algorithm", "rmi-forest", "--preset", preset, "--population", 20, "--generations", 100, "--seed", seed,
                                "--device", "flops", "--truth", column, "--threads", 1] + score) for seed in range(1, args.seeds + 1)]
            ours = [v["answer"]["true_accuracy"] for v in done if "answer" in v]
            row = [data_set, preset, accuracy, spread, lab.show(lab.mean(ours), 2), lab.show(lab.interval(ours), 2),
                   lab.show(lab.mean([v["unique"] for v in done]), 1), lab.show(lab.mean([v["seconds"] for v in done]), 1), len(ours), len(done)]
            table.append(row)
            print(data_set, preset, "paper", accuracy, "ours", row[4], "+-", row[5], "networks", row[6], "seconds", row[7], flush=True)
    lab.write(os.path.join(args.out, "rmi_forest.csv"),
              "data_set preset paper paper_spread ours ours_ci95 networks seconds answered runs".split(), table)


if __name__ == "__main__":
    main()
