#!/bin/sh
# How good are the classifiers that are pruned when nothing is spared? CIFAR-10, MNIST and Fashion-MNIST, all images.
#
# usage: classifier_baselines.sh OUT CIFAR10_DIR MNIST_DIR FASHION_DIR [--seeds N]
#
# One thread, about 12 + 6 + 6 minutes a seed (45 s an epoch of CIFAR-10); set THREADS for more, results stay the same.
# Runs that are done are kept, one under way is resumed. OUT/SET-SEED holds weights and log of each; OUT/baselines.csv,
# a line a run, copied to docs/pruning/baselines.csv, is what pruning_study.py report and speed read.
set -eu
[ $# -eq 4 ] || { [ $# -eq 6 ] && [ "$5" = --seeds ]; } || { sed -n '4s/^# //p' "$0" >&2; exit 2; }
out=$1 cifar10=$2 mnist=$3 fashion=$4 seeds=${6:-1}
root=$(cd "$(dirname "$0")/../.." && pwd)
hdnas=${HDNAS:-$root/hdnas}

train() { # train SET SEED EPOCHS ARCH DATA OPTIONS...
    folder=$out/$1-$2 seed=$2 epochs=$3 arch=$4 data=$5 set=$1
    shift 5
    if [ ! -d "$folder" ]; then
        "$hdnas" train --quiet --arch "$arch" --data "$data" --epochs "$epochs" --seed "$seed" --threads "${THREADS:-1}" \
            --out "$folder" "$@" >/dev/null
    elif [ "$(($(wc -l <"$folder/train.csv") - 1))" -lt "$epochs" ]; then
        "$hdnas" train --quiet --resume "$folder" >/dev/null
    fi
    awk -F, -v s="$set,$seed,\"$arch\",$epochs" 'NR > 1 { last = $4; if ($4 > best) best = $4; t += $7 }
        END { printf "%s,%s,%s,%.1f\n", s, last, best, t }' "$folder/train.csv" >>"$out/baselines.csv"
}

mkdir -p "$out"
echo "set,seed,arch,epochs,accuracy,best,seconds" >"$out/baselines.csv"
for seed in $(seq "$seeds"); do
    train mnist "$seed" 12 cnn:32,32,M,64,64,M:128:32 "mnist:$mnist" --crop 2 --no-flip
    train fashion "$seed" 12 cnn:32,32,M,64,64,M:128:32 "mnist:$fashion" --crop 2
    train cifar10 "$seed" 15 cnn:32,32,M,64,64,M,128,128,M:256:64 "cifar10:$cifar10"
done
cp "$out/baselines.csv" "$root/docs/pruning/baselines.csv"
cat "$out/baselines.csv"
