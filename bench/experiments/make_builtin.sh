#!/bin/sh
# Make the images of data/builtin: 1,024 training and 512 test images of Fashion-MNIST, balanced over the classes, chosen
# by seed 1 from Debian's package dataset-fashion-mnist. The same zlib gives the same bytes.
#   usage: bench/experiments/make_builtin.sh [DIR]      DIR: data/builtin
set -eu
cd "$(dirname "$0")/../.."
hdnas=${HDNAS:-./hdnas}
"$hdnas" data sample fashion-mnist --train 1024 --test 512 --seed 1 --out "${1:-data/builtin}"
