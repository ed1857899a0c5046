#!/bin/sh
# hdnas search --constraint: units, lists, what is told where a limit is met and where it is not, regret against a made-up
# truth, the same bytes after a resume. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-constraint-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
# Latency and accuracy that rise with the index; a score that the convolutions of 3x3 raise, with noise.
python3 - "$tmp" <<'P'
import sys
with open(sys.argv[1] + "/t.csv", "w") as f:
    f.write("index,phone_ms,acc,rough\n")
    for i in range(15625):
        wide = sum(i // 5 ** edge % 5 == 3 for edge in range(6))
        f.write(f"{i},{1 + i / 1000},{40 + i / 500},{500 * wide + i * 7919 % 1009}\n")
P
search() { # search NAME ARGS
    name=$1; shift
    "$hdnas" search --quiet --score params --device phone --tables "$tmp" --generations 5 --out "$tmp/$name" "$@" \
        >"$tmp/out" 2>"$tmp/err" </dev/null
    code=$?
}
check() { python3 -c "import json; v = json.load(open('$tmp/out')); assert $1, v" 2>"$tmp/why"; }

search none --algorithm hw-evrsnas
[ "$code" -eq 2 ] && grep -q 'hint: say which: --constraint 5ms' "$tmp/err"
result "hw-evrsnas wants a limit" $? "$(cat "$tmp/err")"
for bad in 5mJ 5x 0 -1 nan 2,,3 2,3x ms; do
    search bad --algorithm hw-evrsnas "--constraint=$bad"
    [ "$code" -eq 2 ] && [ ! -e "$tmp/bad" ]
    result "--constraint $bad is refused" $? "$(cat "$tmp/err")"
done
search a --algorithm hw-evrsnas --constraint 0.5,4000us,9ms --smooth no --json
[ "$code" -eq 0 ] && check "[b['constraint'] for b in v['best']] == [.5, 4, 9]
assert [b['met'] for b in v['best']] == [False, True, True]
for b in v['best'][1:]:
    fits = [f for f in v['front'] if f['cost'] <= b['constraint']]
    assert b['index'] == max(fits, key=lambda f: f['score'])['index'] and b['cost'] <= b['constraint']
assert 'regret' not in v['best'][1]; assert v['evals'] == 100"
result "a list with units: the best of each" $? "$(cat "$tmp/why" "$tmp/err")"
search b --algorithm random --constraint 4,9 --truth "$tmp/t.csv:acc" --smooth no --json
[ "$code" -eq 0 ] && check "[round(b['optimum'], 9) for b in v['best']] == [46, 56]
assert all(abs(b['optimum'] - b['true_accuracy'] - b['regret']) < 1e-9 and b['regret'] >= 0 for b in v['best'])"
result "any method answers; regret against the optimum" $? "$(cat "$tmp/why" "$tmp/err")"
check "v['shortlist_true_hypervolume'] >= v['true_hypervolume'] - 1e-12 and v['shortlist_true_igd_plus'] <= v['true_igd_plus'] + 1e-12
assert len(v['shortlist']) == 20 and {f['index'] for f in v['front']} <= {f['index'] for f in v['shortlist']}
import csv; rows = list(csv.DictReader(open('$tmp/b/shortlist.csv')))
assert [int(r['index']) for r in rows] == [f['index'] for f in v['shortlist']]" &&
    search few --algorithm random --shortlist 3 --json && check "len(v['shortlist']) == 3" &&
    search zero --algorithm random --shortlist 0 --json && check "v['shortlist'] == []" && [ ! -e "$tmp/zero/shortlist.csv" ]
result "a shortlist: the front and what is close behind it" $? "$(cat "$tmp/why" "$tmp/err")"
search even --algorithm random --generations 20 --constraint 2,4,9 --score "table:$tmp/t.csv:rough" --smooth yes --json
[ "$code" -eq 0 ] && check "all(b['met'] and b['cost'] <= b['constraint'] for b in v['best'])
import csv; scored = {int(r['index']): (float(r['score']), float(r['cost'])) for r in csv.DictReader(open('$tmp/even/evals.csv')) if r['score']}
assert all(scored[b['index']] == (b['score'], b['cost']) for b in v['best'])
assert any(b['score'] < max(s for s, c in scored.values() if c <= b['constraint']) for b in v['best'])"
result "smoothed, another one of those scored is the best within a limit" $? "$(cat "$tmp/why" "$tmp/err")"
search smooth --algorithm random --smooth yes && search auto --algorithm random &&
    cmp "$tmp/auto/shortlist.csv" "$tmp/smooth/shortlist.csv" && search rough --algorithm random --smooth no && ! cmp -s "$tmp/rough/shortlist.csv" "$tmp/smooth/shortlist.csv" &&
    cmp "$tmp/rough/front.csv" "$tmp/smooth/front.csv" && search odd --algorithm random --smooth maybe
[ "$code" -eq 2 ] && grep -q 'yes, no or auto' "$tmp/err"
result "a smoothed shortlist, the same front; another word is refused" $? "$(cat "$tmp/err")"
search c --algorithm hw-evrsnas --constraint 4,9 --truth "$tmp/t.csv:acc"
[ "$code" -eq 0 ] && grep -q '^at most (ms)  phone latency' "$tmp/out" && grep -q '^mean regret of 2 constraints: ' "$tmp/out"
result "told as a table" $? "$(cat "$tmp/out" "$tmp/err")"
python3 tests/report_check.py "$tmp/c/report.html" >"$tmp/why" && grep -q '<h2>Under limits of the cost</h2>' "$tmp/c/report.html" &&
    grep -q 'penalty: twice the range' "$tmp/c/report.html" && ! grep -q 'none found' "$tmp/c/report.html" &&
    grep -q 'The search did not know the limits' "$tmp/b/report.html" && python3 tests/report_check.py "$tmp/a/report.html" >>"$tmp/why" &&
    grep -q 'none found' "$tmp/a/report.html"
result "the page tells the limits, the best within and how they were kept" $? "$(cat "$tmp/why")"
search d --algorithm hw-evrsnas --constraint 10us
[ "$code" -eq 4 ] && grep -q 'nothing found costs at most 0.01 ms; the least is [0-4]* with' "$tmp/err" &&
    grep -q 'none found' "$tmp/out" && [ -s "$tmp/d/front.csv" ]
result "a limit that nothing meets is exit 4 with the least violating" $? "$(cat "$tmp/out" "$tmp/err")"

search deb --algorithm hw-evrsnas --constraint 4,9 --constraint-rule deb --json
[ "$code" -eq 0 ] && check "all(b['met'] for b in v['best'])"
result "limits as walls: --constraint-rule deb" $? "$(cat "$tmp/why" "$tmp/err")"
search bad --algorithm hw-evrsnas --constraint 4,9 --constraint-rule wall
[ "$code" -eq 2 ] && grep -q 'expected penalty or deb' "$tmp/err"
result "another rule is refused" $? "$(cat "$tmp/err")"
head -31 "$tmp/c/evals.csv" >"$tmp/cut" && cp -r "$tmp/c" "$tmp/e" && cp "$tmp/cut" "$tmp/e/evals.csv"
"$hdnas" search --quiet --resume "$tmp/e" >/dev/null 2>"$tmp/err" &&
    cut -d, -f1-9 "$tmp/c/evals.csv" >"$tmp/1" && cut -d, -f1-9 "$tmp/e/evals.csv" | cmp -s - "$tmp/1" &&
    cmp -s "$tmp/c/front.csv" "$tmp/e/front.csv"
result "resumed from its 30th line it ends the same" $? "$(cat "$tmp/err")"
"$hdnas" search --quiet --resume "$tmp/e" --constraint 5 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ]
result "a resumed run keeps its limits" $? "$(cat "$tmp/err")"
echo "1..$n"
