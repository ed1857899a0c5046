#!/bin/sh
# hdnas cost --fit: a device of a table is learnt from few architectures and predicted for others, by file or, for those that
# ship, by name; a search on it says that its costs are predicted. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
HDNAS_SHARE=${HDNAS_SHARE:-$PWD/data/builtin} && export HDNAS_SHARE
unset HDNAS_TABLES
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-fit-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
# A made-up phone: so much an operation; it cannot run average pooling on the first edge.
"$hdnas" arch --json $(seq 0 499) | python3 -c '
import json, sys
print("index,phone_ms,phone_energy_mj")
for a in json.load(sys.stdin):
    c = a["code"]
    ms = 2 + sum({"0": 0, "1": .1, "2": 1, "3": 3, "4": .7}[d] for d in c)
    print("%d,%s,%g" % (a["index"], "-1" if c[0] == "4" else "%g" % ms, 3 * ms))' >"$tmp/t.csv"
"$hdnas" cost --quiet --device phone --tables "$tmp" --fit "$tmp/p/x.csv" --sample 200 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 1 ] && [ ! -e "$tmp/p" ]
result "an impossible file is exit 1" $? "$(cat "$tmp/err")"
"$hdnas" cost --quiet --device phone --tables "$tmp" --fit "$tmp/p.csv" --sample 3000 --json >"$tmp/out" 2>"$tmp/err" &&
    python3 -c "import json; v = json.load(open('$tmp/out')); assert v['device'] == 'phone' and v['within5'] == 1 and v['spearman'] > .99 and v['fitted'] < 120, v" 2>>"$tmp/err"
result "learnt from those of the drawn that the table knows" $? "$(cat "$tmp/out" "$tmp/err")"
cost() { "$hdnas" cost --quiet "$@" 2>"$tmp/err" | tail -1 | cut -d, -f3; }
python3 -c "assert abs($(cost --device "predict:$tmp/p.csv" 333333) / 20 - 1) < .01" 2>>"$tmp/err"
result "predicted for a network that the table lacks" $? "$(cost --device "predict:$tmp/p.csv" 333333)"
[ -z "$(cost --device "predict:$tmp/p.csv:phone" 433333)" ]
result "a network with what never ran cannot be run" $? "$(cost --device "predict:$tmp/p.csv:phone" 433333)"
"$hdnas" cost --quiet --device phone --metric energy --tables "$tmp" --fit "$tmp/p.csv" --sample 3000 >"$tmp/out" 2>"$tmp/err" &&
    [ "$(wc -l <"$tmp/p.csv")" -eq 3 ] && [ -n "$(cost --device "predict:$tmp/p.csv" --metric energy 433333)" ]
result "a second metric is added to the file" $? "$(cat "$tmp/p.csv" "$tmp/err")"
cp "$tmp/p.csv" "$tmp/1.csv" && "$hdnas" cost --quiet --device phone --tables "$tmp" --fit "$tmp/p.csv" --sample 3000 >/dev/null && cmp "$tmp/p.csv" "$tmp/1.csv"
result "the same sample gives the same bytes" $?
"$hdnas" cost --quiet --device predict:nothing 0 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q "predicted are: 1080ti_1, " "$tmp/err"
result "an unknown device names those that are predicted" $? "$(cat "$tmp/err")"
"$hdnas" cost --list | grep -q '^raspi4 .*predicted'
result "--list tells which ship" $?
"$hdnas" search --quiet --score params --device raspi4 --generations 3 --out "$tmp/run" >"$tmp/out" 2>"$tmp/err" &&
    grep -q '"cost_name":.*"raspi4 latency (predicted)"' "$tmp/run/config.json" && grep -q 'predicted by .* from 900 measurements' "$tmp/run/config.json" &&
    grep -q 'raspi4 latency (predicted)' "$tmp/run/report.html" && head -1 "$tmp/out" | grep -q predicted
result "a search on it says so in config.json, on the page and in its table" $? "$(cat "$tmp/out" "$tmp/err")"
"$hdnas" cost --quiet --device local --fit "$tmp/p.csv" --sample 6 --name here --image 8x8x3 --classes 10 >"$tmp/out" 2>"$tmp/err" &&
    grep -q '^nb201,here,latency,ms' "$tmp/p.csv" && grep -q 'each left out in turn' "$tmp/out"
result "this machine is learnt from six measurements" $? "$(cat "$tmp/out" "$tmp/err")"
echo "1..$n"
