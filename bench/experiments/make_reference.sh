#!/bin/sh
# The built-in reference: ResNet-20 trained by hdnas on all 60,000 Fashion-MNIST images (package dataset-fashion-mnist).
# Takes about 27 minutes on one core, half of that on two. The last epoch's weights are taken, so that no test image had a say.
#   usage: make_reference.sh DIR         (weights and log go to DIR; resumes if DIR is there)
set -eu
cd "$(dirname "$0")/../.."
dir=${1:?usage: make_reference.sh DIR}
if [ -f "$dir/config.json" ]; then
    ./hdnas train --resume "$dir"
else
    ./hdnas train --arch resnet20 --data fashion-mnist --epochs 24 --lr 0.2 --crop 2 --seed 1 --out "$dir"
fi
cp "$dir/last.safetensors" data/builtin/resnet20-fashion-mnist.safetensors
./hdnas eval --model data/builtin/resnet20-fashion-mnist.safetensors --data fashion-mnist
