#!/bin/sh
# hdnas search --algorithm rmi-forest: it names one network, which is evaluated last; resumed it ends the same. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-forest-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
for preset in paper default; do
    "$hdnas" search --quiet --json --algorithm rmi-forest --preset $preset --score flops --device params --population 20 \
        --generations 25 --out "$tmp/$preset" >"$tmp/out" 2>"$tmp/err" </dev/null &&
        python3 - "$tmp/out" "$tmp/$preset/evals.csv" $preset <<'P' 2>"$tmp/why"
import csv, json, sys
v, rows = json.load(open(sys.argv[1])), list(csv.DictReader(open(sys.argv[2])))
top = max(float(r["score"] or 0) for r in rows)
assert 200 <= v["evals"] == len(rows) <= 500, v
assert v["answer"]["score"] > .8 * top, (v["answer"], top)
assert sys.argv[3] == "default" or rows[-1]["arch"] == v["answer"]["arch"], rows[-1]
bar = sorted((float(r["score"] or 0) for r in rows[:100]), reverse=True)[4]
good = sum(float(r["score"] or 0) >= bar for r in rows[100:])
assert good >= 100, good
P
    result "$preset: a hundred good picks, then their vote" $? "$(cat "$tmp/err" "$tmp/why")"
done
cp -r "$tmp/paper" "$tmp/again" && head -131 "$tmp/paper/evals.csv" >"$tmp/again/evals.csv" &&
    "$hdnas" search --quiet --resume "$tmp/again" >"$tmp/out" 2>"$tmp/err" &&
    cut -d, -f1-9 "$tmp/again/evals.csv" >"$tmp/1" && cut -d, -f1-9 "$tmp/paper/evals.csv" | cmp -s - "$tmp/1"
result "resumed from its 130th line it ends the same" $? "$(cat "$tmp/err")"
"$hdnas" search --quiet --algorithm rmi-forest --score flops --device params --population 10 --generations 2 \
    --out "$tmp/small" >"$tmp/out" 2>"$tmp/err" </dev/null
grep -q '^rmi-forest returns [0-4]\{6\}: score ' "$tmp/out"
result "it says what it returns" $? "$(cat "$tmp/out")"
echo "1..$n"
