#!/bin/sh
# --precision: a word that is not known is refused, bf16 gives other scores than fp32 and the same ones on any number of
# threads, runs record it, and a run begun with one precision is not resumed with another. Needs the built-in data only.
# Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
result() { # result NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; sed 's/^/# /' "$work/err" | head -5; fi
}

$hdnas score --quiet --precision half 0 >/dev/null 2>"$work/err"
[ $? -eq 2 ] && grep -q "fp32, bf16 or auto" "$work/err"
result "an unknown precision is refused, and the known ones are named" $?

score() { $hdnas score --quiet --score rmi --steps 2 "$@" 13714 333 2>"$work/err" | cut -d, -f1-3; }
score --precision fp32 >"$work/fp32" && score --precision auto >"$work/auto" &&
    [ "$(wc -l <"$work/fp32")" -eq 3 ] && cmp "$work/fp32" "$work/auto" 2>"$work/err"
result "auto is fp32" $?
score --precision bf16 --threads 1 >"$work/one" && score --precision bf16 --threads 2 >"$work/two"
[ "$(wc -l <"$work/one")" -eq 3 ] && cmp "$work/one" "$work/two" 2>"$work/err"
result "bf16: the same scores on two threads" $?
cmp -s "$work/fp32" "$work/one"
[ $? -eq 1 ]
result "bf16: other scores than fp32" $?
paste -d, "$work/fp32" "$work/one" |
    awk -F, 'NR > 1 { n++; d = $3 - $6; if (d < 0) d = -d; m = $3 < 0 ? -$3 : $3; if (!(d < 0.1 * m)) bad = 1 } END { exit bad || n != 2 }'
result "but not far from them" $?

search="--quiet --score rmi --device flops --steps 1 --population 4 --generations 2 --seed 7"
$hdnas search $search --precision bf16 --out "$work/run" >/dev/null 2>"$work/err" &&
    grep -q '"precision": *"bf16"' "$work/run/config.json"
result "a search records its precision" $?
$hdnas search --quiet --resume "$work/run" --precision fp32 >/dev/null 2>"$work/err"
[ $? -eq 2 ] && grep -q -- "--precision" "$work/err"
result "a search is not resumed with another precision" $?
sed -i 's/"precision": *"bf16"/"precision": "fp32"/' "$work/run/config.json"
$hdnas search --quiet --resume "$work/run" >/dev/null 2>"$work/err"
[ $? -ne 0 ] && grep -q "precision" "$work/err"
result "nor where its record says another" $?

train="--quiet --arch mlp:8 --limit 200 --epochs 1 --batch-size 50"
$hdnas train $train --precision bf16 --out "$work/net" >/dev/null 2>"$work/err" &&
    grep -q '"precision": *"bf16"' "$work/net/config.json" && grep -aq "bf16 epochs" "$work/net/checkpoint.safetensors"
result "a training records its precision, in its checkpoint too" $?
$hdnas train --quiet --resume "$work/net" --precision fp32 >/dev/null 2>"$work/err"
[ $? -eq 2 ] && grep -q -- "--precision" "$work/err"
result "a training is not resumed with another precision" $?
$hdnas eval --quiet --model "$work/net/best.safetensors" --precision bf16 --limit 100 >"$work/out" 2>"$work/err" &&
    [ "$(wc -l <"$work/out")" -eq 2 ]
result "eval takes it" $?
echo "1..$n"
