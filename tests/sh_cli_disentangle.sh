#!/bin/sh
# hdnas disentangle and hdnas data factors from the outside: sprites' own factors as codes score 1, tables and JSON,
# chosen metrics, the same bits at any number of threads, bad files with path, line and column. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-disentangle-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME: ok if the last command was
    code=$?
    n=$((n + 1))
    if [ "$code" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; head -5 "$tmp/err" "$tmp/out" | sed 's/^/# /'; fi
}
run() { # run CODE ARGS...: hdnas ARGS ends with CODE
    want=$1
    shift
    "$hdnas" "$@" >"$tmp/out" 2>"$tmp/err"
    [ $? -eq "$want" ]
}
bad() { # bad CODE WORDS ARGS...: ends with CODE and says WORDS, prints no data
    want=$1 words=$2
    shift 2
    run "$want" disentangle "$@" && grep -qF "$words" "$tmp/err" && [ ! -s "$tmp/out" ]
}

run 0 data factors sprites:1500 --split test && mv "$tmp/out" "$tmp/factors.csv" &&
    [ "$(head -1 "$tmp/factors.csv")" = shape,scale,rotation,x,y ] && [ "$(wc -l <"$tmp/factors.csv")" -eq 1501 ]
result "data factors prints a line an image"
run 0 data factors sprites:1500 --split test --json && python3 -c '
import csv, json, sys
factors, table = json.load(open(sys.argv[1])), list(csv.reader(open(sys.argv[2])))
assert [f["name"] for f in factors] == table[0] and [f["values"] for f in factors] == [3, 6, 40, 32, 32]
assert [list(map(str, row)) for row in zip(*(f["images"] for f in factors))] == table[1:]' "$tmp/out" "$tmp/factors.csv" 2>"$tmp/err"
result "data factors --json tells the same"
run 2 data factors sprites && grep -q 'split' "$tmp/err" && run 3 data factors builtin --split test && grep -q 'not known' "$tmp/err"
result "data factors wants one half, and images with factors"

# The factors as codes, and log variances of 0.
awk -F, 'NR == 1 { print "a,b,c,d,e,logvar_a,logvar_b,logvar_c,logvar_d,logvar_e"; next } { print $0 ",0,0,0,0,0" }' "$tmp/factors.csv" >"$tmp/codes.csv"
run 0 disentangle "$tmp/codes.csv" "$tmp/factors.csv" --rows 600 --draws 500 --json --threads 1 && cp "$tmp/out" "$tmp/one" && python3 -c '
import json, math, sys
d = json.load(open(sys.argv[1]))
v = d["values"]
assert d["rows"] == 1500 and d["codes"] == 5 and [f["values"] for f in d["factors"]] == [3, 6, 40, 32, 32]
assert len(v) == 16 and all(isinstance(x, (int, float)) for x in v.values()), v
assert v["factorvae"] == 1 and v["betavae"] == 1 and v["sap_r2"] > .98, v
assert v["dci_disentanglement"] > .9 and v["dci_completeness"] > .9, v
# 20 bins of 40 or 32 values hold log 20 at most; chance knows a little of the second best.
assert .75 < v["mig"] < (2 + math.log(20) / math.log(40) + 2 * math.log(20) / math.log(32)) / 5, v
' "$tmp/out" 2>"$tmp/err"
result "codes that are the factors score 1"
run 0 disentangle "$tmp/codes.csv" "$tmp/factors.csv" --rows 600 --draws 500 --json --threads 3 && cmp "$tmp/one" "$tmp/out"
result "the same bits at three threads"
run 0 disentangle "$tmp/codes.csv" "$tmp/factors.csv" --metrics sap,mig && grep -q '^mig ' "$tmp/out" && ! grep -q dci "$tmp/out" &&
    run 0 disentangle "$tmp/codes.csv" && grep -q '^active_units  *5 ' "$tmp/out" && grep -q '^kl_mutual' "$tmp/out" && ! grep -q mig "$tmp/out" &&
    run 0 disentangle "$tmp/factors.csv" && ! grep -q kl "$tmp/out"
result "chosen metrics; without factors or log variances what can be had"

bad 2 'expected CODES.csv' && grep -q 'hint:' "$tmp/err" && bad 2 'unknown metric "mgi"' "$tmp/codes.csv" "$tmp/factors.csv" --metrics mgi &&
    bad 2 'named twice' "$tmp/codes.csv" "$tmp/factors.csv" --metrics mig,mig && bad 2 'mig needs the factors' "$tmp/codes.csv" --metrics mig &&
    bad 2 'kl needs the log variances' "$tmp/factors.csv" --metrics kl && bad 2 'bins' "$tmp/codes.csv" --bins 1
result "wrong usage is exit 2"
sed '7s/^[0-9]*/nan/' "$tmp/codes.csv" >"$tmp/nan.csv"
sed '9s/,[0-9]*$/,1e39/' "$tmp/factors.csv" >"$tmp/huge.csv"
sed '5s/,0$/,99/' "$tmp/codes.csv" >"$tmp/logvar.csv"
bad 3 'nan.csv: line 7, column a: expected a finite number, found "nan"' "$tmp/nan.csv" "$tmp/factors.csv" &&
    bad 3 'huge.csv: row 8, column y: expected at most' "$tmp/huge.csv" &&
    bad 3 'logvar.csv: row 3, code 4: expected a log variance from -80 to 80, found 99' "$tmp/logvar.csv" &&
    bad 3 'nowhere.csv' "$tmp/nowhere.csv"
result "a bad number is exit 3, with line and column"
head -1500 "$tmp/factors.csv" >"$tmp/short.csv"
head -30 "$tmp/codes.csv" >"$tmp/few.csv"
cut -d, -f1-9 "$tmp/codes.csv" >"$tmp/uneven.csv"
bad 3 'short.csv: expected 1500 rows, one for each row of codes, found 1499' "$tmp/codes.csv" "$tmp/short.csv" &&
    bad 3 'few.csv: expected 50 to 1048576 rows after the header, found 29' "$tmp/few.csv" &&
    bad 3 'expected as many columns logvar... as codes, or none; found 4 and 5' "$tmp/uneven.csv"
result "rows and columns that do not fit are exit 3"
awk 'BEGIN { print "f"; for (i = 0; i < 5000; i++) print i * .37 }' >"$tmp/many.csv"
awk 'BEGIN { print "z"; for (i = 0; i < 5000; i++) print i }' >"$tmp/z.csv"
bad 3 'many.csv: column f: expected at most 4096 different values, found 5000' "$tmp/z.csv" "$tmp/many.csv" && grep -q 'hint: cut' "$tmp/err"
result "a continuous factor is refused with a hint"
awk -F, 'NR == 1 { print; next } { print $1 * .25 - 3 "," 1 - $2 * 1e-3 "," $3 "," $4 "," $5 }' "$tmp/factors.csv" >"$tmp/names.csv"
run 0 disentangle "$tmp/codes.csv" "$tmp/names.csv" --metrics mig,sap --json && mv "$tmp/out" "$tmp/two" &&
    run 0 disentangle "$tmp/codes.csv" "$tmp/factors.csv" --metrics mig,sap --json && python3 -c '
import json, sys
a, b = (json.load(open(f))["values"] for f in sys.argv[1:])
assert all(abs(a[k] - b[k]) < 1e-9 for k in a), (a, b)' "$tmp/two" "$tmp/out" 2>"$tmp/err"
result "values of factors may be any numbers"
echo "1..$n"
