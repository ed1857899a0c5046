#!/bin/sh
# Predictors of hardware cost: how good they are on 5,000 architectures they were not fitted to, by number of measurements,
# and (900 of them, seed 1) data/builtin/predictors-nb201.csv, which ships. About 10 minutes on one core.
#   usage: predictors.sh OUT TABLES [SEEDS, 5]
#   OUT gets predictors.csv (a row a device, metric, number and seed), means.csv and predictors-nb201.csv.
set -eu
[ $# -ge 2 ] || { sed -n '4,5s/# *//p' "$0"; exit 2; }
out=$1 tables=$2 seeds=${3:-5}
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
mkdir -p "$out"
rm -f "$out/predictors-nb201.csv" "$out/scratch.csv"
echo device,metric,measured,seed,spearman,within5,within10 >"$out/predictors.csv"
"$hdnas" cost --list --json --tables "$tables" | python3 -c '
import json, sys
for d in json.load(sys.stdin):
    if d["metric"] in ("latency", "energy") and d["device"] != "local": print(d["device"], d["metric"])' |
    while read -r device metric; do
        for n in 10 50 100 300 900; do
            for seed in $(seq 1 "$seeds"); do
                file=$out/scratch.csv
                [ "$n-$seed" != 900-1 ] || file=$out/predictors-nb201.csv
                "$hdnas" cost --json --quiet --tables "$tables" --device "$device" --metric "$metric" --fit "$file" --sample "$n" \
                    --seed "$seed" | python3 -c "
import json, sys
v = json.load(sys.stdin)
print('$device,$metric,$n,$seed,%.4f,%.4f,%.4f' % (v['spearman'], v['within5'], v['within10']))" >>"$out/predictors.csv"
            done
        done
    done
rm -f "$out/scratch.csv"
python3 - "$out" <<'P'
import csv, sys
groups = {}
for r in csv.DictReader(open(sys.argv[1] + "/predictors.csv")):
    groups.setdefault((r["device"], r["metric"], r["measured"]), []).append([float(r[k]) for k in ("spearman", "within5", "within10")])
with open(sys.argv[1] + "/means.csv", "w") as f:
    f.write("device,metric,measured,spearman,within5,within10\n")
    for key, rows in groups.items():
        f.write(",".join(key) + "".join(",%.3f" % (sum(r[i] for r in rows) / len(rows)) for i in range(3)) + "\n")
print(open(sys.argv[1] + "/means.csv").read(), end="")
P
