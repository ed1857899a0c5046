#!/bin/sh
# Scores against accuracies over all 15,625 cells of NAS-Bench-201 (isomorphic ones share a score: 6,461 are computed), and
# sums of log ranks in the whole space: the section "All cells" of docs/SCORES.md. About 40 core-minutes on an AVX-512
# machine, with a reference, for rmi-brief, 80 more; interrupted, the same command goes on. Searches can look the scores up then:
# hdnas search --score "table:OUT_DIR/scores.csv:COLUMN" --smooth yes.
#   usage: whole_space.sh OUT_DIR NASBENCH201.csv cifar10:DIR|cifar100:DIR [REFERENCE]
set -eu
[ $# -eq 3 ] || [ $# -eq 4 ] || { sed -n '6s/# *//p' "$0"; exit 2; }
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
agg='swap*meco*logsynflow*az-expressivity*az-trainability'
scores=params,logsynflow,meco,swap,naswot,zen,az-expressivity,az-trainability
combine="swap*meco,$agg,swap*meco*naswot*logsynflow*az-expressivity*az-trainability"
if [ $# -eq 4 ]; then
    scores=$scores,rmi-brief combine="$combine,$agg*rmi-brief,swap*meco*rmi-brief"
fi
mkdir -p "$1"
cut -d, -f2 "$2" | tail -n +2 |
    "$hdnas" correlate --data "$3" --batch-size 32 --out "$1" \
        --truth "$2:c10_test200,:nats_c100_test200" --scores "$scores" --combine "$combine" --smooth ${4:+--reference "$4"}
