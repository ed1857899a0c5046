#!/usr/bin/env python3
"""What real training of every network would leave: the whole space ordered by accuracies that the benchmark has of each
cell, as if a score could be as good, and judged as scores are: gap of the front to the true one (%, FPGA, Eyeriss,
Raspberry Pi 4, Pixel 3), and points of accuracy lost under the nine FPGA limits of HW-EvRSNAS, for CIFAR-10 and CIFAR-100.

  usage: ceiling.py TABLES
  TABLES holds nasbench201.csv and nb201_hwnasbench_cifar10.csv. About half a minute.

Orders: after 12 epochs on all images; after 200 epochs by the validation images (what a search may see; CIFAR-10 on half of
the training images), by the other data set's validation images, by one seed of three; and the mean of the accuracies of
isomorphic cells, which are one network: what is left there is what one training differs from the next by."""
import os, sys

import lab
from hw_evrsnas import PAPER
from perfect_search import front, gap, hypervolume, number, unit

DEVICES = ["fpga", "eyeriss", "raspi4", "pixel3"]
ORDERS = {  # data set -> (what, column)
    "cifar10": [("12 epochs", "c10_test12"), ("200 epochs, validation", "c10v_val200"), ("CIFAR-100's, validation", "c100_val200"),
                ("one seed of those, validation", "nats_c10v_val200_s777")],
    "cifar100": [("12 epochs", "c100_test12"), ("200 epochs, validation", "c100_val200"), ("CIFAR-10's, validation", "c10v_val200"),
                 ("one seed, validation and test", "nats_c100_valtest200_s777")],
}


def class_means(cells, truth):
    sums = {}
    for cell, value in zip(cells, truth):
        s = sums.setdefault(cell["iso_rep"], [0, 0])
        s[0], s[1] = s[0] + value, s[1] + 1
    return [sums[c["iso_rep"]][0] / sums[c["iso_rep"]][1] for c in cells]


def regret(score, truth, cost):
    lost = []
    for limit in PAPER:
        allowed = [i for i in range(len(cost)) if cost[i] <= limit]
        lost.append(max(truth[i] for i in allowed) - truth[max(allowed, key=lambda i: score[i])])
    return lab.mean(lost)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    cells = lab.rows(os.path.join(sys.argv[1], "nasbench201.csv"))
    costs = {r["index"]: r for r in lab.rows(os.path.join(sys.argv[1], "nb201_hwnasbench_cifar10.csv"))}
    everything = range(len(cells))
    latency = {d: [float(costs[c["index"]][d + "_latency_ms"]) for c in cells] for d in DEVICES}
    cost = {d: unit(latency[d]) for d in DEVICES}
    print("data_set,order," + ",".join("gap_" + d for d in DEVICES) + ",regret_fpga")
    for data_set, orders in ORDERS.items():
        truth = [float(c[lab.TRUTH[data_set]]) for c in cells]
        error = unit([100 - t for t in truth])
        scores = [(what, [number(c[column]) for c in cells]) for what, column in orders]
        scores.append(("the mean of isomorphic cells", class_means(cells, truth)))
        whole = {d: hypervolume(zip(cost[d], error)) for d in DEVICES}
        for what, score in scores:
            gaps = [gap(front(everything, cost[d], score), cost[d], error, whole[d]) for d in DEVICES]
            values = gaps + [regret(score, truth, latency["fpga"])]
            print(",".join([data_set, f'"{what}"'] + [lab.show(v, 2) for v in values]), flush=True)


if __name__ == "__main__":
    main()
