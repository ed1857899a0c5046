#!/bin/sh
# The first tables of docs/SCORES.md: training-free scores against accuracies and published values on 300 random cells of
# NAS-Bench-201. About 20 minutes on two cores; interrupted, the same command goes on.
#   usage: bench/experiments/correlate_scores.sh CIFAR10_DIR NASBENCH201.csv NB201_ZC_FULL.csv OUT_DIR
set -eu
[ $# -eq 4 ] || { sed -n '4s/# *//p' "$0"; exit 2; }
data=$1 truth=$2 published=$3 out=$4
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
mkdir -p "$out"
sed 's/-inf//g' "$published" >"$out/published.csv"
"$hdnas" correlate --as-given --data "cifar10:$data" --batch-size 32 --sample 300 --out "$out/values" \
    --truth "$truth:c10_test200,:c100_test200,$out/published.csv:naswot_c10,:logsynflow_c10,:zen_c10" \
    --scores naswot,synflow,logsynflow,snip,grad_norm,jacob_cov,zico,swap,meco,zen,plain,l2_norm,params,flops,vkdnw,epe-nas,ntk,grasp,fisher \
    --combine naswot+synflow
