#!/bin/sh
# hdnas report on a made-up run folder and on odd variants of it: pages and plots are well-formed and self-contained,
# broken folders are refused with exit 3 and a hint. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-report-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
fresh() { rm -rf "$tmp/run" && cp -r tests/fixtures/run "$tmp/run"; }
front_head=index,arch,score,cost,diversity,params,macs
page() { # page NAME: make and check what lies in $tmp/run
    if out=$("$hdnas" report "$tmp/run" 2>&1); then
        out=$(python3 tests/report_check.py "$tmp/run/report.html" "$tmp/run/front.svg" 2>&1)
        result "$1" $? "$out"
    else
        result "$1" 1 "$out"
    fi
}

fresh
page "a run with true accuracies"
out=$("$hdnas" report "$tmp/run" 2>/dev/null)
[ "$out" = "$tmp/run/report.html
$tmp/run/front.svg" ]
result "the paths are printed" $? "$out"
out=$("$hdnas" report --json "$tmp/run" "$tmp/run" | python3 -c 'import json,sys
rows = json.load(sys.stdin)
assert len(rows) == 2 and all(set(r) == {"run", "page", "plot"} for r in rows), rows' 2>&1)
result "--json lists them" $? "$out"

rm "$tmp/run/truth.csv" "$tmp/run/time.csv" "$tmp/run/summary.json"
cut -d, -f1-7 tests/fixtures/run/front.csv >"$tmp/run/front.csv"
page "a run without true accuracies and times"
grep -q 'class="pair"' "$tmp/run/report.html"
result "has one chart of the front" $((1 - $?))

fresh
{ echo "$front_head"; sed -n 2p tests/fixtures/run/front.csv | cut -d, -f1-7; } >"$tmp/run/front.csv"
page "a front of one"
fresh
echo "$front_head" >"$tmp/run/front.csv"
page "an empty front"
fresh
{ echo "$front_head"; echo '7,"<b>&""x"", y",-1e300,1e-300,0,1e15,0'; echo ',"]]>",1,1,1,1,1'; } >"$tmp/run/front.csv"
page "odd names and sizes"
fresh
echo '{"best":[{"constraint":5,"arch":"<b>","score":1,"cost":2},{"constraint":"x"},7,null,{"constraint":1e300,"score":null},{"constraint":3,"arch":4}]}' \
    >"$tmp/run/summary.json"
page "odd limits in summary.json"
grep -q '<td class="t" data-label="network">&lt;b&gt;</td>' "$tmp/run/report.html"
result "tells the ones that make sense" $?
echo '{"best":{"constraint":5}}' >"$tmp/run/summary.json"
page "limits that are no list"
fresh
python3 - "$tmp/run" <<'EOF'
import sys
with open(sys.argv[1] + "/evals.csv", "w") as f:
    f.write("eval,feasible,score,cost\n")
    for i in range(200000):
        f.write(f"{i + 1},1,{(i * 7919 % 100003) / 1e5},{(i * 104729 % 99991) / 1e4}\n")
EOF
page "two hundred thousand evaluations"
size=$(wc -c <"$tmp/run/report.html")
[ "$size" -lt 8000000 ]
result "make a page below 8 MB" $? "$size bytes"

refused() { # refused NAME ERRORWORD: exit 3, an error with the word, a hint, nothing on stdout
    out=$("$hdnas" report "$tmp/run" 2>"$tmp/err")
    code=$?
    [ "$code" -eq 3 ] && [ -z "$out" ] && grep -q "^hdnas: error: .*$2" "$tmp/err" && grep -q '^  hint: ' "$tmp/err"
    result "$1" $? "exit $code: $out $(cat "$tmp/err")"
}
fresh && rm "$tmp/run/evals.csv" && refused "a missing evals.csv is named" evals.csv
fresh && sed -i 's/hypervolume/volume/' "$tmp/run/generations.csv" && refused "a missing column is named" hypervolume
fresh && echo '1,2' >>"$tmp/run/front.csv" && refused "a short row is named with its line" 14
rm -rf "$tmp/run" && refused "a missing folder is refused" config.json
"$hdnas" report >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q '^  hint: ' "$tmp/err"
result "no folder at all is wrong usage" $? "$(cat "$tmp/err")"
echo "1..$n"
