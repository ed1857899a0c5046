#!/bin/sh
# Every training-free score against PyTorch: same weights, same batch, same noise. Tolerances: sums of float32 products
# agree to 2e-4 where the network is stable; plain is a sum that cancels; grasp takes second derivatives by differences,
# which rounding limits.
# Skipped where PyTorch is absent. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
python=/usr/bin/python3
"$python" -c 'import torch, numpy' 2>/dev/null || { echo "ok 1 scores against PyTorch # SKIP python3-torch is not installed"; echo "1..1"; exit 0; }
work=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-scores-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
scores="epe-nas ntk vkdnw naswot swap synflow logsynflow snip grad_norm jacob_cov zico meco zen fisher l2_norm plain grasp az-expressivity az-progressivity az-trainability"
n=0
compare() { # compare CODE SCORES
    code=$1
    "$hdnas" score --quiet --score snip --batch-size 16 --save-init "$work/w" --save-batch "$work/b" "$code" >/dev/null || exit 1
    # shellcheck disable=SC2086
    OMP_NUM_THREADS=2 "$python" tests/torch/scores.py "$code" --init "$work/w" --batch "$work/b" $2 >"$work/torch" 2>"$work/err"
    [ -s "$work/err" ] && sed 's/^/# /' "$work/err"
    for s in $2; do
        n=$((n + 1))
        ours=$("$hdnas" score --quiet --score "$s" --batch "$work/b" --init "$work/w" "$code" | awk -F, 'NR == 2 { print $3 }')
        theirs=$(awk -v s="$s" '$1 == s { print $2 }' "$work/torch")
        # grasp: a difference of sums of squares near 1, of which a few hundredths are left.
        case $s in
            grasp) within=0 slack=0.1 ;;
            plain) within=0.01 slack=0 ;;
            *) within=0.0002 slack=0 ;;
        esac
        if awk -v a="$ours" -v b="$theirs" -v t=$within -v s=$slack 'BEGIN { d = a - b; d = d < 0 ? -d : d; m = b < 0 ? -b : b; exit !(a != "" && b != "" && d <= t * m + s) }'; then
            echo "ok $n $s of $code"
        else
            echo "not ok $n $s of $code"
        fi
        echo "# $s: $ours, PyTorch $theirs"
    done
}
compare 421211 "$scores"
# Cells that are the identity: block ends that are one and the same.
compare 000100 "az-expressivity az-trainability"
echo "1..$n"
