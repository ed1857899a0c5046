#!/bin/sh
# Whole networks against the PyTorch installed here: tests/torch/live.py computes, test_nn_torch compares. TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
python=${HDNAS_TEST_PYTHON:-/usr/bin/python3}
if ! "$python" -c 'import torch, numpy' 2>/dev/null; then
    echo "ok 1 live comparison with PyTorch # SKIP $python cannot import torch"
    echo "1..1"
    exit 0
fi
dir=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-torch-XXXXXX") || exit 1
trap 'rm -rf "$dir"' EXIT
if ! "$python" -B tests/torch/live.py "$dir" >"$dir/log" 2>&1; then
    sed 's/^/# /' "$dir/log"
    echo "not ok 1 PyTorch could not make the cases"
    echo "1..1"
    exit 1
fi
CMOCKA_MESSAGE_OUTPUT=TAP "${BUILD:-build}/tests/test_nn_torch" "$dir"/live_*.safetensors
