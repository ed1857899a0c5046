#!/bin/sh
# HW-EvRSNAS, FPGA latency, CIFAR-100: nine constraints in one search, ten seeds, beside the paper's figure and the exact
# optima. The time is the score's: three runs with --score params take 20 seconds. It resumes.
# What the paper leaves open and what is chosen here: the penalty is twice the range of scores of the first generation for
# a cost of twice the limit; one elite (paper preset), tournaments of two, uniform crossover, each gene redrawn with p .1.
#   usage: hw_evrsnas.sh DIR TABLES [options of hdnas search: --data ... --reference ... --score ... --preset paper]
#   DIR gets regret.csv; TABLES holds nasbench201.csv and an FPGA latency table. SEEDS=3 runs fewer.
set -eu
cd "$(dirname "$0")/../.."
dir=${1:?usage: hw_evrsnas.sh DIR TABLES [options of hdnas search]}
tables=${2:?usage: hw_evrsnas.sh DIR TABLES [options of hdnas search]}
shift 2
mkdir -p "$dir"
for seed in $(seq 1 "${SEEDS:-10}"); do
    run=$dir/seed-$seed
    if [ -f "$run/summary.json" ]; then
        continue
    elif [ -f "$run/evals.csv" ]; then
        ./hdnas search --quiet --resume "$run" >/dev/null
    else
        ./hdnas search --quiet --algorithm hw-evrsnas --constraint 2,3,3.5,4,4.5,5,6,7,8ms --device fpga \
            --tables "$tables" --truth "$tables/nasbench201.csv:nats_c100_test200" --seed "$seed" --out "$run" "$@" >/dev/null
    fi
done
python3 - "$dir" <<'P'
import csv, glob, json, math, sys
paper = {2: 64.5, 3: 70.4, 3.5: 71.0, 4: 71.7, 4.5: 71.7, 5: 72.4, 6: 73.4, 7: 73.3, 8: 73.6}  # read off, +-.4
runs = [json.load(open(f)) for f in sorted(glob.glob(sys.argv[1] + "/seed-*/summary.json"))]
with open(sys.argv[1] + "/regret.csv", "w") as f:
    out = csv.writer(f, lineterminator="\n")
    out.writerow("constraint_ms paper optimum ours ci95 regret met runs".split())
    for i, c in enumerate(paper):
        best = [r["best"][i] for r in runs]
        acc = [b["true_accuracy"] for b in best if b["met"]]
        n = len(acc)
        mean = sum(acc) / n if n else math.nan
        sd = math.sqrt(sum((a - mean) ** 2 for a in acc) / (n - 1)) if n > 1 else 0
        t = {2: 12.71, 3: 4.30, 4: 3.18, 5: 2.78, 6: 2.57, 7: 2.45, 8: 2.36, 9: 2.31, 10: 2.26}.get(n, 1.96)
        out.writerow([c, paper[c], best[0]["optimum"], "%.2f" % mean, "%.2f" % (t * sd / math.sqrt(n) if n > 1 else 0),
                      "%.2f" % (best[0]["optimum"] - mean), n, len(runs)])
print(open(sys.argv[1] + "/regret.csv").read(), end="")
P
