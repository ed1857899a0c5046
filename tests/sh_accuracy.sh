#!/bin/sh
# The public ResNets on all 10,000 CIFAR-10 test images: exactly the count of right ones that an independent forward pass
# found, give or take 3; the built-in reference on all of Fashion-MNIST. Skipped where the data is absent. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
data=${HDNAS_TEST_DATA:-../shared/data}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
images=
if [ -f "$data/cifar10/test_batch.bin" ]; then
    images=$data/cifar10
elif [ -f "$data/cifar10/test_batch.bin.xz" ]; then
    xz -dc "$data/cifar10/test_batch.bin.xz" >"$work/test_batch.bin" && images=$work
fi
for pair in 20:9173 32:9263 44:9310 56:9339; do
    n=$((n + 1))
    depth=${pair%:*} want=${pair#*:}
    file=$data/weights/resnet${depth}_cifar10.safetensors
    if [ -z "$images" ] || [ ! -f "$file" ]; then
        echo "ok $n resnet$depth on CIFAR-10 # SKIP CIFAR-10 or the weights are absent"; continue
    fi
    got=$(./hdnas eval --quiet --model "$file" --data "cifar10:$images" 2>"$work/err" | sed -n '2s/,.*//p')
    [ -n "$got" ] && [ "$got" -ge $((want - 3)) ] && [ "$got" -le $((want + 3)) ] && ok= || ok="not "
    echo "${ok}ok $n resnet$depth on CIFAR-10: $got right, expected $want"
    sed 's/^/# /' "$work/err"
done
n=$((n + 1))
if [ -f /usr/share/datasets/fashion-mnist/t10k-images-idx3-ubyte.gz ]; then
    got=$(./hdnas eval --quiet --model data/builtin/resnet20-fashion-mnist.safetensors --data fashion-mnist 2>"$work/err" | sed -n '2s/,.*//p')
    [ -n "$got" ] && [ "$got" -ge 9350 ] && ok= || ok="not "
    echo "${ok}ok $n the built-in reference on Fashion-MNIST: $got right, at least 9350 expected"
    sed 's/^/# /' "$work/err"
else
    echo "ok $n the built-in reference on Fashion-MNIST # SKIP dataset-fashion-mnist is not installed"
fi
echo "1..$n"
