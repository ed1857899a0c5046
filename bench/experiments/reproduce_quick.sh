#!/bin/sh
# A subset of docs/REPRODUCTION.md's search tables in 2 minutes (34 s of one core): fewer seeds and devices, the score being
# the true accuracy (what a perfect score would give); where CIFAR-10 is at hand, also one search by a training-free score.
#   usage: reproduce_quick.sh OUT [DATA]      make reproduce-quick REPRODUCE_DATA=DIR
#   DATA holds nasbench201.csv and nb201_hwnasbench_cifar10.csv (docs/formats.md: tables), in it or in DATA/nas; unpacked
#   CIFAR-10 in DATA/cifar10/data_batch_1.bin ... is used if it is there. Interrupted, the same command goes on.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
HDNAS=${HDNAS:-$here/../../hdnas} && export HDNAS
out=${1:?usage: reproduce_quick.sh OUT [DATA]}
data=${2:-}
if [ -z "$data" ] || [ ! -d "$data" ]; then
    echo "reproduce-quick: no folder '$data'. Say where the tables are: make reproduce-quick REPRODUCE_DATA=DIR" >&2
    exit 2
fi
tables=$data
[ -f "$tables/nasbench201.csv" ] || tables=$data/nas
for file in nasbench201.csv nb201_hwnasbench_cifar10.csv; do
    if [ ! -f "$tables/$file" ]; then
        echo "reproduce-quick: $file is neither in $data nor in $data/nas" >&2
        echo "  nasbench201.csv: index, arch and columns c10_test200, nats_c100_test200 (accuracies in %)" >&2
        echo "  nb201_hwnasbench_cifar10.csv: index and columns fpga_latency_ms, raspi4_latency_ms, ... ('hdnas data import' makes one)" >&2
        exit 2
    fi
done
mkdir -p "$out"
echo "== RMI-NAS' forest: accuracy of the network it returns (paper 94.28, 73.36)"
python3 "$here/rmi_forest.py" "$out/forest" "$tables" --seeds 3
echo "== HW-EvRSNAS: nine FPGA limits on CIFAR-100, mean regret against the optima"
python3 "$here/hw_evrsnas.py" "$out/limits" "$tables" --seeds 3 --devices '' --methods 'hw-evrsnas,hw-evrsnas paper,random'
cat "$out/limits/regret_paper.csv"
echo "== MO-HDNAS: diversity with two and three objectives"
python3 "$here/diversity.py" "$out/diversity" "$tables" --seeds 2
echo "== MO-HDNAS and the others: gap to the true front"
python3 "$here/mo_hdnas.py" "$out/fronts" "$tables" --seeds 3 --devices fpga --budgets 20x20
echo "== Predictors of latency from 10, 50 and 300 measurements"
for device in fpga raspi4; do
    for n in 10 50 300; do
        "$HDNAS" cost --quiet --tables "$tables" --device "table:$tables/nb201_hwnasbench_cifar10.csv:${device}_latency_ms" \
            --name "$device" --fit "$out/predictors.csv" --sample "$n" | sed -n 1,2p
    done
done
if [ -f "$data/cifar10/data_batch_1.bin" ]; then
    echo "== A search by a training-free score: naswot, 200 evaluations"
    python3 "$here/mo_hdnas.py" "$out/naswot" "$tables" --seeds 1 --devices fpga --data-sets cifar10 --budgets 20x10 --methods mo-hdnas \
        -- --score naswot --data "cifar10:$data/cifar10" --score-seed 1 --pool "$out/naswot.pool"
else
    echo "left out: no CIFAR-10 images in $data/cifar10, so no search by a score that looks at images"
fi
