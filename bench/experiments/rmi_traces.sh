#!/bin/sh
# The courses behind the study of the score: for every setting below, loss, CKA and cross-entropy after each update, of random
# cells of NAS-Bench-201 (seed 1, as given: the sample of correlate_scores.sh). About 200 core-minutes on an AVX-512 machine
# for all settings; interrupted, the same command goes on, ten cells at a time. rmi_study.py reads the folder.
#   usage: rmi_traces.sh OUT_DIR NASBENCH201.csv CIFAR10_DIR CIFAR10_REFERENCE [CIFAR100_DIR CIFAR100_REFERENCE]
#   ONLY="c10-b32-s1 ..." takes some settings; NETWORKS=100 at most so many of the cells, the first; THREADS=1
set -eu
[ $# -eq 4 ] || [ $# -eq 6 ] || { sed -n '5,6s/# *//p' "$0"; exit 2; }
out=$1 truth=$2 c10=$3 reference10=$4 c100=${5:-} reference100=${6:-}
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
mkdir -p "$out"

# name, data, batch, seed, updates, networks, cells a stage (0: the published five)
settings='c10-b32-s1 c10 32 1 150 300 0
c10-b32-s2 c10 32 2 150 300 0
c10-b32-s3 c10 32 3 150 300 0
c10-b16-s1 c10 16 1 50 300 0
c10-b16-s2 c10 16 2 50 300 0
c10-b16-s3 c10 16 3 50 300 0
c10-b8-s1 c10 8 1 80 300 0
c10-b64-s1 c10 64 1 50 100 0
c10-b128-s1 c10 128 1 150 100 0
c10-b256-s1 c10 256 1 150 100 0
c10-n1-b16-s1 c10 16 1 150 300 1
c10-n1-b16-s2 c10 16 2 60 300 1
c10-n1-b16-s3 c10 16 3 60 300 1
c10-n1-b8-s1 c10 8 1 80 300 1
c10-n1-b32-s1 c10 32 1 60 300 1
c10-n1-b64-s1 c10 64 1 50 300 1
c10-n1-b128-s1 c10 128 1 50 100 1
c10-n1-b256-s1 c10 256 1 50 100 1
c10-n2-b16-s1 c10 16 1 60 300 2
c100-b32-s1 c100 32 1 150 150 0
c100-b32-s2 c100 32 2 50 100 0
c100-n1-b16-s1 c100 16 1 60 300 1'

if [ ! -f "$out/cells.txt" ]; then
    "$hdnas" correlate --quiet --as-given --sample 300 --seed 1 --truth "$truth:c10_test200" --scores params --resamples 0 \
        --data "cifar10:$c10" \
        --out "$out/sample" >/dev/null
    cut -d, -f1 "$out/sample/scores.csv" | tail -n +2 >"$out/cells.part"
    mv "$out/cells.part" "$out/cells.txt"
fi

echo "$settings" | while read -r name data batch seed updates networks cells; do
    case " ${ONLY:-$name} " in *" $name "*) ;; *) continue ;; esac
    if [ "$data" = c100 ]; then
        [ -n "$c100" ] || continue
        images=cifar100:$c100 reference=$reference100
    else
        images=cifar10:$c10 reference=$reference10
    fi
    mkdir -p "$out/$name"
    [ "$networks" -le "${NETWORKS:-$networks}" ] || networks=$NETWORKS
    first=1
    while [ "$first" -le "$networks" ]; do
        file=$out/$name/$(printf %03d "$first").csv
        # Ten lines or what is left; the trace is put in place whole.
        [ -f "$file" ] || sed -n "$first,$((first + 9 < networks ? first + 9 : networks))p" "$out/cells.txt" |
            "$hdnas" score --quiet --as-given --score rmi-paper --steps "$updates" --batch-size "$batch" --cells "$cells" --seed "$seed" \
                --threads "${THREADS:-1}" --data "$images" --reference "$reference" --trace "$file" >/dev/null
        first=$((first + 10))
    done
done
