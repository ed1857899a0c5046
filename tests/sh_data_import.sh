#!/bin/sh
# hdnas data import: pickles that Python wrote (tests/make_pickles.py), in three protocols and every way to hold numbers,
# give the numbers back to the last bit; hostile and broken ones, and one cut at every byte, are refused with an offset,
# and nothing in them is executed. With the published examples of HW-NAS-Bench where they are at hand. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
data=${HDNAS_TEST_DATA:-../shared/data}
python=${HDNAS_TEST_PYTHON:-/usr/bin/python3}
[ -x "$python" ] || python=python3
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-import-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
cat >"$tmp/compare.py" <<'P'
import csv, json, sys
want = json.load(open(sys.argv[1] + "/expected.json"))
for name, sets in want["nasbench201"].items():
    if len(sys.argv) > 3:
        break
    rows = list(csv.DictReader(open("%s/%s/hwnasbench_nb201.csv" % (sys.argv[2], name))))
    assert [int(r["index"]) for r in rows] == list(range(len(rows)))
    assert set(rows[0]) == {"index"} | set(sets), rows[0]
    for metric, values in sets.items():
        assert [float(r[metric]) for r in rows] == values, metric
rows = list(csv.DictReader(open(sys.argv[2] + "/fbnet/hwnasbench_fbnet.csv")))
for metric, blocks in want["fbnet"].items():
    assert {r["block"]: float(r[metric]) for r in rows} == blocks, metric
P
good() { # good FOLDER WHAT
    for f in "$1"/good_*.pickle; do
        name=$(basename "$f" .pickle)
        rm -rf "$tmp/tables"
        only= ; [ "$name" = good_one_way ] && only=fbnet
        "$hdnas" data import "$f" --out "$tmp/tables" >"$tmp/out" 2>"$tmp/err" &&
            "$python" "$tmp/compare.py" "$1" "$tmp/tables" $only 2>"$tmp/why"
        result "$2: $name" $? "$(cat "$tmp/err" "$tmp/why")"
    done
}
mkdir "$tmp/made" "$tmp/published"
"$python" tests/make_pickles.py "$tmp/made" || exit 1
good "$tmp/made" "made here"
examples=$data/nas/hwnasbench_nb201_examples.csv
if [ -f "$examples" ]; then
    "$python" tests/make_pickles.py "$tmp/published" "$examples"
    good "$tmp/published" "published"
    "$hdnas" data import "$tmp/published/good_list_4.pickle" --out "$tmp/tables" --json >"$tmp/out" 2>"$tmp/err"
    grep -q '"rows": 3' "$tmp/out" &&
        "$hdnas" cost --quiet --tables "$tmp/tables/cifar100" --device fpga --metric energy 2 >"$tmp/out" 2>"$tmp/err" &&
        want=$("$python" -c "
import csv
print([r['fpga_energy'] for r in csv.DictReader(open('$examples')) if r['index'] == '2' and r['dataset'] == 'cifar100'][0])") &&
        grep -q ",$want,mJ\$" "$tmp/out"
    result "a table for --tables" $? "$want $(cat "$tmp/out" "$tmp/err")"
else
    n=$((n + 1)); echo "ok $n published examples # SKIP no $examples"
fi
for f in "$tmp"/made/bad_*.pickle; do
    rm -rf "$tmp/tables"
    timeout 20 "$hdnas" data import "$f" --out "$tmp/tables" >"$tmp/out" 2>"$tmp/err"
    code=$?
    [ "$code" -eq 3 ] && grep -qE 'offset [0-9]+: |nasbench201|fbnet' "$tmp/err" && [ ! -e "$tmp/made/executed" ] && [ ! -e "$tmp/cifar10" ]
    result "refused: $(basename "$f" .pickle)" $? "exit $code: $(cat "$tmp/out" "$tmp/err")"
done
"$python" - "$hdnas" "$tmp" <<'P' 2>"$tmp/why"
import os, subprocess, sys
hdnas, tmp = sys.argv[1:]
whole = open(tmp + "/made/short.pickle", "rb").read()
for cut in list(range(len(whole))) + [None]:
    with open(tmp + "/cut.pickle", "wb") as f:
        f.write(whole[:cut])
    p = subprocess.run([hdnas, "data", "import", tmp + "/cut.pickle", "--out", tmp + "/cut"], capture_output=True, text=True)
    assert p.returncode == (0 if cut is None else 3), (cut, p)
    assert cut is None or "cut.pickle: offset" in p.stderr, (cut, p.stderr)
P
result "cut off at every byte" $? "$(cat "$tmp/why")"
"$hdnas" data import "$tmp/made/short.pickle" >"$tmp/out" 2>"$tmp/err"
[ $? -eq 2 ]
result "no --out is a usage error" $? "$(cat "$tmp/err")"
"$hdnas" data import "$tmp/nowhere.pickle" --out "$tmp/t" >"$tmp/out" 2>"$tmp/err"
[ $? -eq 3 ]
result "no file is an input error" $? "$(cat "$tmp/err")"
echo "1..$n"
