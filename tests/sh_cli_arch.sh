#!/bin/sh
# hdnas arch and hdnas cost: what they print in each form, from arguments and standard input, and how they refuse.
# Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tables=${HDNAS_TEST_DATA:-../shared/data}/nas
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-arch-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
unset HDNAS_TABLES
n=0
result() { # result NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; head -20 "$tmp/out" "$tmp/err" | sed 's/^/# /'; fi
}
run() { "$hdnas" "$@" >"$tmp/out" 2>"$tmp/err"; code=$?; }
is_error() { [ "$code" -eq "$1" ] && [ ! -s "$tmp/out" ] && grep -q "^hdnas: error: .*$2" "$tmp/err"; }
check() { python3 -c "import json, sys
v = json.load(open('$tmp/out'))
sys.exit(0 if ($1) else 1)"; }

run arch --json 13714 </dev/null
check "len(v) == 1 and v[0]['index'] == 13714 and v[0]['code'] == '333123' and v[0]['params'] == 1073466 and v[0]['macs'] == 153272970 and v[0]['connected'] and v[0]['arch'] == v[0]['canonical']"
result "arch --json" $?
text=$("$hdnas" arch --json 13714 | sed -n 's/.*"arch": "\(.*\)",/\1/p')
run arch --json 13714 333123 code:333123 nb201/13714 "$text" </dev/null
check "len(v) == 5 and all(x == v[0] for x in v)"
result "index, code and string are the same" $?
printf '# comment\n\n13714\n  0\n%s\n' "$text" | "$hdnas" arch --json >"$tmp/out" 2>"$tmp/err"
check "[x['index'] for x in v] == [13714, 0, 13714]"
result "architectures from standard input" $?
run arch --json 000000 300000 </dev/null
check "not v[0]['connected'] and not v[1]['connected'] and v[0]['canonical'] == v[1]['canonical'] and v[0]['params'] != v[1]['params']"
result "disconnected cells are one class" $?
run arch 13714 </dev/null
[ "$code" -eq 0 ] && grep -q '^out .*= skip_connect(in) + nor_conv_1x1(node 1) + nor_conv_3x3(node 2)' "$tmp/out"
result "arch draws a line a node" $?
run arch --dot 333123 </dev/null
[ "$code" -eq 0 ] && [ "$(grep -c -- '->' "$tmp/out")" -eq 6 ] && grep -q '2 -> 3 \[label="nor_conv_3x3"' "$tmp/out"
result "arch --dot" $?
run arch --svg "$tmp/cell.svg" 204300 </dev/null
[ "$code" -eq 0 ] && python3 - "$tmp/cell.svg" <<'P'
import sys, xml.etree.ElementTree as x
t = x.parse(sys.argv[1]).getroot()
s = '{http://www.w3.org/2000/svg}'
words = [e.text for e in t.iter(s + 'text')]
sys.exit(0 if t.tag == s + 'svg' and words.count('conv 3\u00d73') == 1 and 'out' in words
         and len(list(t.iter(s + 'circle'))) == 4 else 1)
P
result "arch --svg is well-formed" $?
run arch --json --image 28x28x1 --classes 100 0 </dev/null
check "v[0]['params'] == 129306 - 2 * 144 + 90 * 65"
result "arch of another input" $?

for bad in 15625 333125 x '|none~0|'; do
    run arch "$bad" </dev/null
    is_error 3 architecture
    result "arch refuses '$bad'" $?
done
run arch --image 32x32 0 </dev/null
is_error 2 HEIGHTxWIDTHxCHANNELS
result "arch refuses an image of two sides" $?
run arch --svg "$tmp/x.svg" 0 1 </dev/null
is_error 2 'one architecture' && [ ! -e "$tmp/x.svg" ]
result "arch draws one at a time" $?
run arch --svg "$tmp/no/such/x.svg" 0 </dev/null
is_error 1 x.svg
result "arch --svg into no folder" $?

printf 'index,phone_ms,phone_energy_mj\n0,1.5,3\n13714,,4\n' >"$tmp/phone.csv"
run cost --device phone --tables "$tmp" 0 13714 7 </dev/null
printf '%s\n' index,arch,cost,unit '0,|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|,1.5,ms' >"$tmp/want"
[ "$code" -eq 0 ] && head -2 "$tmp/out" | cmp -s - "$tmp/want" && sed -n 3p "$tmp/out" | grep -q '^13714,.*|,,ms$' && sed -n 4p "$tmp/out" | grep -q '^7,.*|,,ms$'
result "cost prints CSV, nothing for what the device cannot run" $?
run cost --device phone --metric energy --tables "$tmp" --json 13714 </dev/null
check "v == [dict(index=13714, arch=v[0]['arch'], cost=4, unit='mJ')]"
result "cost --json, energy" $?
HDNAS_TABLES=$tmp "$hdnas" cost --list --json >"$tmp/out" 2>"$tmp/err"
check "[(x['device'], x['metric']) for x in v][-2:] == [('phone', 'latency'), ('phone', 'energy')] and v[0]['device'] == 'local'"
result "cost --list finds HDNAS_TABLES" $?
echo 13714 | "$hdnas" cost --device flops >"$tmp/out" 2>"$tmp/err"
tail -1 "$tmp/out" | grep -q ',153.27297,MFLOP$'
result "cost from standard input" $?
run cost --device table:"$tmp/phone.csv":phone_ms 0 </dev/null
[ "$code" -eq 0 ] && tail -1 "$tmp/out" | grep -q ',1.5,ms$'
result "cost --device table:FILE:COLUMN" $?
cp "$tmp/phone.csv" "$tmp/other.csv"
run cost --device phone --tables "$tmp" 0 </dev/null
is_error 2 'other.csv:phone_ms, .*phone.csv:phone_ms'
result "an ambiguous device names its tables" $?
run cost --device phnoe --tables "$tmp" 0 </dev/null
is_error 2 phnoe && grep -q 'did you mean phone' "$tmp/err"
result "an unknown device names the nearest" $?
run cost --device toaster 0 </dev/null
is_error 2 toaster
result "an unknown device without tables" $?
run cost --quiet --device local 333333 000100 </dev/null
[ "$code" -eq 0 ] && [ ! -s "$tmp/err" ] && python3 - "$tmp/out" <<'P'
import csv, sys
v = [float(r['cost']) for r in csv.DictReader(open(sys.argv[1]))]
sys.exit(0 if v[0] > 2 * v[1] > 0 else 1)
P
result "cost --device local measures" $?

if [ -d "$tables" ]; then
    run cost --device fpga --tables "$tables" 0 </dev/null
    tail -1 "$tmp/out" | grep -q ',2.57296,ms$'
    result "the published FPGA latency" $?
    run cost --list --tables "$tables" </dev/null
    c=0
    for d in raspi4 pixel3 eyeriss fpga gold_6226 pi5_litert_cifar100; do grep -q "^$d " "$tmp/out" || c=1; done
    result "the published devices" $c
else
    n=$((n + 1)); echo "ok $n published tables # SKIP no $tables"
fi
echo "1..$n"
