#!/bin/sh
# hdnas search --pool: with a pool, without one, with one that another device and search have filled and with two runs at
# once on one pool, evals.csv is the same but for its seconds; other settings are refused. --score table looks scores up.
# Needs the built-in data only. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
HDNAS_SHARE=${HDNAS_SHARE:-$PWD/data/builtin} && export HDNAS_SHARE
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-pool-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
search() { # search NAME ARGS
    name=$1; shift
    "$hdnas" search --quiet --score naswot --limit 200 --batch-size 8 --score-seed 3 --population 8 --generations 3 \
        --out "$tmp/$name" "$@" >"$tmp/out-$name" 2>"$tmp/err-$name" </dev/null
}
same() {
    cut -d, -f1-9 "$tmp/$1/evals.csv" >"$tmp/1" && cut -d, -f1-9 "$tmp/$2/evals.csv" | cmp - "$tmp/1" &&
        cmp "$tmp/$1/front.csv" "$tmp/$2/front.csv" &&
        cut -d, -f1-6 "$tmp/$1/generations.csv" >"$tmp/1" && cut -d, -f1-6 "$tmp/$2/generations.csv" | cmp - "$tmp/1"
}
lines() { tail -n +19 "$1" | wc -l; } # behind the head

search plain --device flops && search first --device flops --pool "$tmp/pool" && same plain first
result "a run that fills a pool is the run without one" $? "$(cat "$tmp"/err-*)"
was=$(lines "$tmp/pool")
unique=$(tail -1 "$tmp/first/generations.csv" | cut -d, -f3)
search again --device flops --pool "$tmp/pool" && same plain again && [ "$(lines "$tmp/pool")" -eq "$was" ]
result "a run that a pool answers is the same, and the pool stays as it was ($was lines, $unique networks)" $? "$(cat "$tmp"/err-*)"
awk -F, 'NR > 1 && $10 > 0' "$tmp/again/evals.csv" >"$tmp/slow" && [ ! -s "$tmp/slow" ]
result "nothing was computed anew" $? "$(cat "$tmp/slow")"
search other --device params --seed 9 --algorithm random --pool "$tmp/pool" && search bare --device params --seed 9 --algorithm random &&
    same bare other && [ "$(lines "$tmp/pool")" -gt "$was" ]
result "another device, search and seed of the search share it" $? "$(cat "$tmp"/err-*)"
rm "$tmp/pool"
search one --device flops --pool "$tmp/pool" &
search two --device params --seed 9 --algorithm random --pool "$tmp/pool"
wait
same plain one && same bare two
result "two runs at once on a new pool" $? "$(cat "$tmp"/err-*)"
[ "$(lines "$tmp/pool")" -eq "$(tail -n +19 "$tmp/pool" | cut -d, -f1 | sort -u | wc -l)" ]
result "no network is twice in it" $? "$(tail -n +19 "$tmp/pool")"

cp "$tmp/pool" "$tmp/kept"
for change in "--score-seed 4" "--batch-size 9" "--limit 100" "--score synflow" "--cpu ref"; do
    # shellcheck disable=SC2086
    search bad --device flops --pool "$tmp/pool" $change
    [ $? -eq 2 ] && grep -q 'pool: line [0-9]*: its scores were made with' "$tmp/err-bad" && [ ! -e "$tmp/bad" ]
    result "another setting is refused: $change" $? "$(cat "$tmp/err-bad")"
done
printf '1,2,3\nhalf a li' >>"$tmp/pool"
search mended --device flops --pool "$tmp/pool" && same plain mended && ! grep -q half "$tmp/pool"
result "a line cut by a crash is removed" $? "$(cat "$tmp/err-mended")"
printf 'x,2,3\n' >>"$tmp/pool"
search bad --device flops --pool "$tmp/pool"
[ $? -eq 3 ] && grep -q 'pool: line [0-9]*: architecture' "$tmp/err-bad"
result "a bad line is exit 3 with its number" $? "$(cat "$tmp/err-bad")"
"$hdnas" search --quiet --resume "$tmp/plain" --pool "$tmp/kept" >/dev/null 2>"$tmp/err" && same plain first
result "a run may be resumed with a pool" $? "$(cat "$tmp/err")"

python3 - "$tmp" <<'P'
import sys
with open(sys.argv[1] + "/t.csv", "w") as f:
    f.write("index,acc\n")
    for i in range(15625):
        f.write(f"{i},{'' if i % 7 == 0 else i / 200}\n")
P
"$hdnas" search --quiet --score "table:$tmp/t.csv:acc" --device flops --keep-disconnected --out "$tmp/table" --json >"$tmp/out" 2>"$tmp/err" &&
    python3 -c "
import csv
for r in csv.DictReader(open('$tmp/table/evals.csv')):
    i = int(r['index'])
    assert (r['score'] == '' and r['feasible'] == '0') if i % 7 == 0 else abs(float(r['score']) - i / 200) < 1e-12, r
    assert r['cached'] == '0'" 2>>"$tmp/err"
result "scores from a table, each architecture its own; a missing one is infeasible" $? "$(cat "$tmp/err")"
sed -i 's/^3,.*/3,1/' "$tmp/t.csv"
"$hdnas" search --quiet --resume "$tmp/table" >/dev/null 2>"$tmp/err"
[ $? -eq 3 ] && grep -q 'other score table' "$tmp/err"
result "a table that has changed is refused on resuming" $? "$(cat "$tmp/err")"
"$hdnas" search --quiet --score "table:$tmp/t.csv" --out "$tmp/none" >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'names no column' "$tmp/err" && [ ! -e "$tmp/none" ]
result "a table without a column is a wrong option" $? "$(cat "$tmp/err")"
echo "1..$n"
