#!/bin/sh
# Combinations of scores by rank, without labels: the tables "Scores as one" of docs/SCORES.md. 300 cells of NAS-Bench-201 on
# CIFAR-10 with three seeds and on CIFAR-100, agg-lite of them on both, and 100 other ones (sample seed 2) scored by the rooms
# themselves. About 35 core-minutes on an AVX-512 machine, most of it the representation score; interrupted, the same command
# goes on.
#   usage: agg.sh OUT_DIR NASBENCH201.csv CIFAR10_DIR CIFAR10_REFERENCE CIFAR100_DIR CIFAR100_REFERENCE
set -eu
[ $# -eq 6 ] || { sed -n '6s/# *//p' "$0"; exit 2; }
out=$1 truth=$2:c10_test200,:c100_test200
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
az='az-expressivity*az-progressivity*az-trainability*flops'
members='swap*meco*logsynflow*az-expressivity*az-trainability'
correlate() { "$hdnas" correlate --quiet --as-given --truth "$truth" "$@"; }
go() { correlate --batch-size 32 "$@"; }
lite() { correlate --batch-size 16 --channels 8 --image-size 16 --sample 300 --scores rmi-lite --combine "$members,$members*rmi-lite" "$@"; }
mkdir -p "$out"
go --data "cifar10:$3" --reference "$4" --sample 300 --out "$out/c10" --scores rmi-brief \
    --combine "$az,meco+naswot,$members,$members*rmi-brief,swap*meco*logsynflow*az-expressivity*az-progressivity*az-trainability*naswot*zico*jacob_cov*flops*zen"
for seed in 2 3; do
    go --data "cifar10:$3" --reference "$4" --sample 300 --score-seed "$seed" --out "$out/seed$seed" --scores rmi-brief,naswot,ntk,epe-nas \
        --combine "$members,$members*rmi-brief"
done
go --data "cifar100:$5" --reference "$6" --sample 300 --out "$out/c100" --scores rmi-brief --combine "$members,$members*rmi-brief"
lite --data "cifar10:$3" --reference "$4" --out "$out/lite-c10"
lite --data "cifar100:$5" --reference "$6" --out "$out/lite-c100"
go --data "cifar10:$3" --reference "$4" --sample 100 --seed 2 --score-seed 1 --out "$out/fresh" --scores agg,agg-rmi,rmi-brief
