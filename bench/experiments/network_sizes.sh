#!/bin/sh
# Scores of smaller and larger networks than NAS-Bench-201's own (cells a stage, channels of the first), and of smaller images
# (side; 0 as they are): the panel agg, the representation score beside it, and rmi in fp32 and bf16 by three seeds, against
# accuracies of 300 random cells as given. The tables of docs/SCORES.md and docs/BF16.md. About 50 core-minutes; interrupted,
# the same command goes on.
#   usage: network_sizes.sh OUT_DIR NASBENCH201.csv CIFAR10_DIR CIFAR10_REFERENCE
#   SAMPLE=300
set -eu
[ $# -eq 4 ] || { sed -n '6s/# *//p' "$0"; exit 2; }
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
panel() { # panel CELLS CHANNELS SIDE
    go "panel-$1-$2-$3" --batch-size 32 --cells "$1" --channels "$2" --image-size "$3" --scores $members --combine "$agg"
}
beside() { # beside PANEL CELLS CHANNELS SIDE IMAGES UPDATES SEED: rmi of one size beside agg of another
    name=rmi-$2-$3-$4-n$5s$6-seed$7
    go "$name" --batch-size "$5" --cells "$2" --channels "$3" --image-size "$4" --steps "$6" --score-seed "$7" --scores rmi
    go "panel-$1+$name" --combine "$agg*rmi" \
        --table "$out/panel-$1/scores.csv:$(echo $members | sed 's/,/,:/g'),$out/$name/scores.csv:rmi"
}
for size in '5 16 0' '1 16 0' '2 16 0' '10 16 0' '5 8 0' '5 16 24' '5 16 16' '5 8 24' '5 8 16'; do
    panel $size
    beside "$(echo $size | tr ' ' -)" 5 16 0 32 20 1
done
for setting in '5 8 0 32 30 1' '5 8 0 32 30 2' '5 8 0 16 40 1' '5 4 0 32 30 1' '3 8 0 32 30 1' '2 16 0 16 20 1' '1 16 0 16 40 1' \
    '1 16 0 16 40 2' '1 16 0 16 40 3' '10 8 0 16 30 1'; do
    beside 5-16-0 $setting
done
for setting in '5 16 16 16 40 1' '5 8 16 32 40 1' '5 8 16 32 30 1' '5 8 16 16 40 1' '5 8 16 16 40 2'; do
    beside 5-16-0 $setting
    beside 5-8-16 $setting
done
for seed in 1 2 3; do
    go "bf16-seed$seed" --precision bf16 --score-seed "$seed" --scores rmi
done
