#!/bin/sh
# Scores against accuracies over all 15,625 cells of NAS-Bench-201 (isomorphic ones share a score: 6,461 are computed), and
# sums of log ranks in the whole space: the section "All cells" of docs/SCORES.md. About 40 core-minutes on an AVX-512
# machine; with a reference, for rmi-brief, 80 more, 45 for 40 updates of 8 images, which go to OUT_DIR/small, and 25 for
# rmi, which goes to OUT_DIR/rmi; 30 for agg-lite, which goes to OUT_DIR/lite. Interrupted, the same command goes on. Searches
# can look the scores up then: hdnas search --score "table:OUT_DIR/scores.csv:COLUMN" --smooth yes.
#   usage: whole_space.sh OUT_DIR NASBENCH201.csv cifar10:DIR|cifar100:DIR [REFERENCE]
set -eu
[ $# -eq 3 ] || [ $# -eq 4 ] || { sed -n '7s/# *//p' "$0"; exit 2; }
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
members=swap,meco,logsynflow,az-expressivity,az-trainability
agg=$(echo $members | tr , '*')
scores=params,naswot,zen,$members
combine="swap*meco,$agg,swap*meco*naswot*logsynflow*az-expressivity*az-trainability"
out=$1 table=$2 data=$3 reference=${4:-}
mkdir -p "$out"
correlate() { # correlate OUT_DIR ARGS
    dir=$1
    shift
    cut -d, -f2 "$table" | tail -n +2 |
        "$hdnas" correlate --data "$data" --out "$dir" --truth "$table:c10_test200,:nats_c100_test200" --smooth \
            ${reference:+--reference "$reference"} "$@"
}
if [ -z "$reference" ]; then
    correlate "$out" --batch-size 32 --scores "$scores" --combine "$combine"
    exit
fi
correlate "$out" --batch-size 32 --scores "$scores,rmi-brief" --combine "$combine,$agg*rmi-brief,swap*meco*rmi-brief"
correlate "$out/small" --batch-size 8 --cells 0 --steps 40 --scores rmi --combine "$agg*rmi" \
    --table "$out/scores.csv:$(echo $members | sed 's/,/,:/g')"
correlate "$out/rmi" --scores rmi
correlate "$out/lite" --batch-size 16 --channels 8 --image-size 16 --scores "$members,rmi-lite" --combine "$agg,$agg*rmi-lite"
