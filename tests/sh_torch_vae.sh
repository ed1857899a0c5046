#!/bin/sh
# A whole training of the Beta-VAE, and masks of pruning, against the PyTorch installed here. TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
python=${HDNAS_TEST_PYTHON:-/usr/bin/python3}
hdnas=${HDNAS:-./hdnas}
if ! "$python" -c 'import torch, numpy' 2>/dev/null; then
    echo "ok 1 Beta-VAE and masks beside PyTorch # SKIP $python cannot import torch"
    echo "1..1"
    exit 0
fi
work=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-torch-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
n=0
result() { # result NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; tail -8 "$work/log" | sed 's/^/# /'; fi
}
"$python" -B tests/torch/vae.py "$work" >"$work/log" 2>&1 && "${BUILD:-build}/tests/test_nn_vae" "$work" >"$work/log" 2>&1
result "three steps of a Beta-VAE end with PyTorch's weights" $?
small="--quiet --data synthetic:96 --widths 8s,6s --hidden 10 --latent 8 --decoder 8,8 --epochs 1 --batch-size 32 --seed 5 --finetune 0"
for how in global layer channels; do
    case $how in
        global) level=0.73 options= ;;
        layer) level=0.73 options="--scope layer" ;;
        channels) level=0.5 options="--structure channels --scope layer" ;;
    esac
    "$hdnas" prune $small $options --levels $level --out "$work/$how" >"$work/log" 2>&1 &&
        "$python" -B tests/torch/prune.py $how "$work/$how" $level >"$work/log" 2>&1
    result "masks of torch.nn.utils.prune: $how" $?
done
echo "1..$n"
