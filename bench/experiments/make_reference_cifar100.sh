#!/bin/sh
# A reference for CIFAR-100: ResNet-20, 60 epochs, one-cycle. 10 minutes on one core for 10,000 images, 50 for all 50,000. The
# study of docs/SCORES.md used the best weights of the first 55 epochs on 10,000 images (docs/logs/resnet20-cifar100.csv).
#   usage: make_reference_cifar100.sh CIFAR100_DIR OUT_DIR         (resumes if OUT_DIR is there)
set -eu
data=${1:?usage: make_reference_cifar100.sh CIFAR100_DIR OUT_DIR}
dir=${2:?usage: make_reference_cifar100.sh CIFAR100_DIR OUT_DIR}
hdnas=${HDNAS:-$(dirname "$0")/../../hdnas}
if [ -f "$dir/config.json" ]; then
    "$hdnas" train --resume "$dir"
else
    "$hdnas" train --arch resnet20 --data "cifar100:$data" --epochs 60 --threads 1 --seed 1 --out "$dir"
fi
