#!/bin/sh
# Scores of smaller and larger networks than NAS-Bench-201's own (cells a stage, channels of the first): the panel agg, the
# representation score beside it, and the default rmi in fp32 and bf16 by three seeds, against accuracies of 300 random cells
# as given. The tables of docs/SCORES.md and docs/BF16.md. About 40 core-minutes; interrupted, the same command goes on.
#   usage: network_sizes.sh OUT_DIR NASBENCH201.csv CIFAR10_DIR CIFAR10_REFERENCE
#   SAMPLE=300
set -eu
[ $# -eq 4 ] || { sed -n '5s/# *//p' "$0"; exit 2; }
out=$1 table=$2 data=cifar10:$3 reference=$4
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
members=swap,meco,logsynflow,az-expressivity,az-trainability
agg=$(echo $members | tr , '*')
mkdir -p "$out"
go() { # go NAME ARGS: values in OUT_DIR/NAME, the table of tau behind a line with the name
    name=$1
    shift
    echo "$name"
    "$hdnas" correlate --as-given --sample "${SAMPLE:-300}" --seed 1 --data "$data" --reference "$reference" \
        --truth "$table:c10_test200,:nats_c100_test200" --out "$out/$name" "$@"
}
panel() { # panel CELLS CHANNELS
    go "panel-$1-$2" --batch-size 32 --cells "$1" --channels "$2" --scores $members --combine "$agg"
}
beside() { # beside PANEL CELLS CHANNELS IMAGES UPDATES SEED: rmi of one size beside agg of another
    name=rmi-$2-$3-n$4s$5-seed$6
    go "$name" --batch-size "$4" --cells "$2" --channels "$3" --steps "$5" --score-seed "$6" --scores rmi
    go "panel-$1+$name" --combine "$agg*rmi" \
        --table "$out/panel-$1/scores.csv:$(echo $members | sed 's/,/,:/g'),$out/$name/scores.csv:rmi"
}
for size in '5 16' '1 16' '2 16' '10 16' '5 8'; do
    panel $size
    beside "${size% *}-${size#* }" 5 16 32 20 1
done
for setting in '5 8 32 30 1' '5 8 32 30 2' '5 8 16 40 1' '5 4 32 30 1' '3 8 32 30 1' '2 16 16 20 1' '1 16 16 40 1' '1 16 16 40 2' \
    '1 16 16 40 3' '10 8 16 30 1'; do
    beside 5-16 $setting
done
for seed in 1 2 3; do
    go "bf16-seed$seed" --precision bf16 --score-seed "$seed" --scores rmi
done
