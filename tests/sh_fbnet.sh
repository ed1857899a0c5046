#!/bin/sh
# The second search space on the command line: names, sizes and costs of FBNet networks, a search with the score of its
# choice, a training. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
data=${HDNAS_TEST_DATA:-../shared/data}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-fbnet-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
run() { # run ARGS: output in $tmp/out and $tmp/err, status in $code
    "$hdnas" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    code=$?
}
check() { python3 -c "import json; v = json.load(open('$tmp/out')); assert $1, v" 2>"$tmp/why"; }

run arch --space fbnet --classes 100 --json 7818488874147327324245
[ "$code" -eq 0 ] && check "v[0]['params'] == 1790500 and v[0]['macs'] == 67605376 and v[0]['index'] is None"
result "arch: parameters and multiply-adds as PyTorch counts them" $? "$(cat "$tmp/err" "$tmp/why")"
run arch --space fbnet 7818488874147327324245
! grep -q '^index' "$tmp/out" && grep -q '^canonical  7814887884147327324245$' "$tmp/out"
result "arch: skips go to the end of their stage" $? "$(cat "$tmp/out")"
run arch --space fbnet 123
[ "$code" -eq 3 ] && grep -q '22 digits' "$tmp/err"
result "what is no network is refused" $? "$(cat "$tmp/err")"
if [ -d "$data/nas" ]; then
    run cost --quiet --space fbnet --device fpga --tables "$data/nas" --classes 100 0000000000000000000000
    [ "$code" -eq 0 ] && grep -q '^,0000000000000000000000,10.7395[0-9]*,ms$' "$tmp/out"
    result "cost: the published sum" $? "$(cat "$tmp/out" "$tmp/err")"
    run cost --list --space fbnet --tables "$data/nas"
    grep -q '^edgegpu  *energy' "$tmp/out" && ! grep -q nb201 "$tmp/out"
    result "cost --list: the devices of the block table" $? "$(cat "$tmp/out")"
else
    n=$((n + 2)); echo "ok $((n - 1)) cost # SKIP no $data/nas"; echo "ok $n cost --list # SKIP no $data/nas"
fi
for algorithm in mo-hdnas hw-evrsnas; do
    run search --quiet --json --space fbnet --algorithm $algorithm --score params --device flops --constraint 90MFLOP \
        --population 10 --generations 6 --out "$tmp/$algorithm"
    [ "$code" -eq 0 ] && check "v['evals'] == 60 and v['best'][0]['met'] and v['best'][0]['cost'] <= 90
assert all(len(f['arch']) == 22 and f['index'] is None for f in v['front'])"
    result "search: $algorithm, parameters against multiply-adds" $? "$(cat "$tmp/err" "$tmp/why")"
done
[ -s "$tmp/mo-hdnas/report.html" ] && head -31 "$tmp/mo-hdnas/evals.csv" >"$tmp/cut" &&
    cp -r "$tmp/mo-hdnas" "$tmp/again" && cp "$tmp/cut" "$tmp/again/evals.csv" &&
    "$hdnas" search --quiet --resume "$tmp/again" >/dev/null 2>"$tmp/err" &&
    cut -d, -f1-9 "$tmp/again/evals.csv" >"$tmp/1" && cut -d, -f1-9 "$tmp/mo-hdnas/evals.csv" | cmp -s - "$tmp/1"
result "a resumed run ends the same" $? "$(cat "$tmp/err")"
run score --quiet --space fbnet --score rmi --steps 1 --batch-size 4 --draw 8 8888888888888888888888
[ "$code" -eq 0 ] && python3 -c "
import csv; v = [float(r['score']) for r in csv.DictReader(open('$tmp/out'))]; assert -3 < v[0] < 0, v" 2>"$tmp/why"
result "score: representation similarity to a ResNet-20" $? "$(cat "$tmp/out" "$tmp/err" "$tmp/why")"
run train --quiet --arch fbnet:0123458888888888888888 --data builtin --limit 64 --batch-size 32 --epochs 1 --out "$tmp/t"
[ "$code" -eq 0 ]
result "train: groups, shuffle, depthwise" $? "$(cat "$tmp/err")"
run train --quiet --arch fbnet/0123458888888888888889 --data builtin --limit 64 --epochs 1 --out "$tmp/u"
[ "$code" -ge 2 ] && grep -q '22 digits' "$tmp/err"
result "train: a name that is none" $? "$(cat "$tmp/err")"
echo "1..$n"
