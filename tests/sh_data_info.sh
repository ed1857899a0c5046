#!/bin/sh
# hdnas data list, info and sample, from the outside: exit codes, JSON, and that the script which made the built-in
# sample makes the same images again. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
HDNAS_SHARE=$PWD/data/builtin
export HDNAS_SHARE
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-test-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME: ok if the last command was
    code=$?
    n=$((n + 1))
    if [ "$code" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; cat "$tmp/err" "$tmp/out" | head -10 | sed 's/^/# /'; fi
}
run() { # run CODE ARGS...: hdnas ARGS ends with CODE
    want=$1
    shift
    "$hdnas" "$@" >"$tmp/out" 2>"$tmp/err"
    [ $? -eq "$want" ]
}

run 0 data list && grep -q '^fashion-mnist ' "$tmp/out"
result "list names the formats"
run 0 data list --json && python3 -c 'import json, sys; assert len(json.load(open(sys.argv[1]))) >= 7' "$tmp/out"
result "list --json is JSON"
run 0 data info builtin --json && python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert d["train"]["images"] == 1024 and d["test"]["images"] == 512
assert sum(c["images"] for c in d["train"]["classes"]) == 1024
assert d["train"]["classes"][9]["name"] == "ankle boot"
assert abs(d["train"]["mean"][0] - .286) < .02 and d["train"]["channels"] == 1' "$tmp/out"
result "info --json tells counts, classes, mean"
run 0 data info synthetic:20 --split test && ! grep -q '^train' "$tmp/out" && grep -q '^test  *20 images, 32 x 32 x 3' "$tmp/out"
result "info --split test looks at one half"
run 2 data info && run 2 data info nothing && run 2 data info builtin --split all && run 2 data nonsense &&
    run 2 data list more && grep -q 'hint:' "$tmp/err"
result "wrong usage ends with 2 and a hint"
mkdir "$tmp/bad"
printf 'short' >"$tmp/bad/data_batch_1.bin"
run 3 data info "cifar10:$tmp/bad" && grep -q "$tmp/bad/data_batch_1.bin: expected a size" "$tmp/err"
result "a bad file ends with 3 and is named"
run 3 data info "cifar10:$tmp/nowhere" && grep -q 'hdnas data fetch cifar10' "$tmp/err"
result "a missing set ends with 3 and says how to get it"
run 0 data sample builtin --train 50 --test 20 --out "$tmp/sample" && run 0 data info "mnist:$tmp/sample" --json &&
    python3 -c '
import json, sys
d = json.load(open(sys.argv[1]))
assert [c["images"] for c in d["train"]["classes"]] == [5] * 10
assert [c["images"] for c in d["test"]["classes"]] == [2] * 10' "$tmp/out"
result "a sample is balanced and can be read"
run 3 data sample builtin --train 2000 --out "$tmp/sample" && grep -q 'found only 1024' "$tmp/err"
result "a sample of more than there is ends with 3"
name="make_builtin.sh makes data/builtin again"
if [ -f /usr/share/datasets/fashion-mnist/train-images-idx3-ubyte.gz ]; then
    # The images, not the compressed bytes: another zlib may pack them otherwise.
    HDNAS=$hdnas bench/experiments/make_builtin.sh "$tmp/builtin" >"$tmp/out" 2>"$tmp/err" &&
        for f in "$tmp"/builtin/*.gz; do
            gzip -dc "$f" >"$tmp/a" && gzip -dc "data/builtin/$(basename "$f")" | cmp -s - "$tmp/a" || exit 1
        done
    result "$name"
else
    n=$((n + 1))
    echo "ok $n $name # SKIP no dataset-fashion-mnist"
fi
echo "1..$n"
