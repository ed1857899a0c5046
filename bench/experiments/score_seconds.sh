#!/bin/sh
# Seconds an architecture, one thread: the mean of every score over 20 cells of NAS-Bench-201, every 781st, for docs/SCORES.md.
# About 3 minutes on an AVX-512 machine, 2 of them rmi-paper; wants a quiet one.
#   usage: score_seconds.sh CIFAR10_DIR REFERENCE
set -eu
[ $# -eq 2 ] || { sed -n '4s/# *//p' "$0"; exit 2; }
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
cells=$(seq 0 781 15000)
for score in params synflow logsynflow snip grad_norm grasp fisher l2_norm plain naswot swap meco jacob_cov epe-nas zen zico ntk vkdnw \
    az-expressivity az-progressivity az-trainability agg rmi rmi-brief rmi-lite agg-lite agg-rmi rmi-paper; do
    echo "$cells" | "$hdnas" score --quiet --as-given --score "$score" --threads 1 --data "cifar10:$1" --reference "$2" |
        awk -F, -v score="$score" 'NR > 1 { sum += $4; n++ } END { printf "%-18s %.3f\n", score, sum / n }'
done
