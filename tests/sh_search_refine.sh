#!/bin/sh
# hdnas search --refine: the shortlist trained, its front by what was measured; stopped on its way and gone on with, or on
# another number of threads, the same bytes (but for the seconds). Built-in data only. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
HDNAS=${HDNAS:-./hdnas}
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
result() { # result NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; sed 's/^/# /' "$work/err"; fi
}
search() { # search DIR [OPTIONS]
    dir=$1
    shift
    "$HDNAS" search --quiet --score params --device flops --algorithm random --population 6 --generations 2 --seed 3 \
        --shortlist 4 --refine 2 --refine-images 120 --out "$work/$dir" "$@" >"$work/out" 2>"$work/err"
}
same() { # trained.csv without its last column, and the front
    cut -d, -f1-5 "$work/$1/trained.csv" >"$work/a" && cut -d, -f1-5 "$work/$2/trained.csv" >"$work/b" &&
        cmp "$work/a" "$work/b" && cmp "$work/$1/refined.csv" "$work/$2/refined.csv"
}

search whole --threads 1 && grep -q 'trained for 2 epochs on 96 images and measured on 24 others' "$work/out"
result "a shortlist is trained and told" $?
python3 - "$work/whole" 2>"$work/err" <<'P'
import csv, json, sys
run = sys.argv[1]
read = lambda name: list(csv.DictReader(open(f"{run}/{name}.csv")))
trained, refined, listed = read("trained"), read("refined"), read("shortlist")
assert [t["arch"] for t in trained] == [s["arch"] for s in listed] and len(trained) == 4
points = [(float(t["cost"]), float(t["refined_accuracy"]), t["arch"]) for t in trained]
assert all(abs(p[1] * 24 / 100 - round(p[1] * 24 / 100)) < 1e-9 for p in points), "of 24 images"
free = [p for p in points if not any(q != p and q[0] <= p[0] and q[1] >= p[1] and q[:2] != p[:2] for q in points)]
kept = [(float(r["cost"]), float(r["refined_accuracy"])) for r in refined]
assert kept == sorted(set(p[:2] for p in free)), (kept, free)
v = json.load(open(f"{run}/summary.json"))
assert [r["arch"] for r in v["refined"]] == [r["arch"] for r in refined]
assert [r["refined_accuracy"] for r in v["refined"]] == [k[1] for k in kept]
page = open(f"{run}/report.html").read()
assert "After a short training" in page and all(r["arch"] in page for r in refined)
P
result "its front is what no cheaper network beats; summary and page have it" $?

search two --threads 2 && same whole two
result "the same bytes on two threads" $?

search stopped --threads 1 &
pid=$!
while [ ! -e "$work/stopped/trained.csv" ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -TERM "$(pgrep -P $pid | head -1)" 2>/dev/null
wait $pid
status=$?
rows=$(wc -l <"$work/stopped/trained.csv")
[ $status -eq 5 ] && [ "$rows" -lt 5 ] && grep -q "search --resume" "$work/err" && [ ! -e "$work/stopped/refined.csv" ]
result "SIGTERM while training: exit 5, and a word on how to go on (at $rows lines)" $?
cp -r "$work/stopped" "$work/other"
"$HDNAS" search --quiet --resume "$work/stopped" >"$work/out" 2>"$work/err" && same whole stopped &&
    ! ls "$work/stopped" | grep -q training-
result "gone on with: the same bytes, and no checkpoint is left" $?

sed -i '2s/,|[^,]*,/,|none~0|+|none~0|none~1|+|none~0|none~1|none~2|,/' "$work/other/trained.csv"
"$HDNAS" search --quiet --resume "$work/other" >"$work/out" 2>"$work/err"
[ $? -eq 3 ] && grep -q 'trained.csv: line 2: expected |' "$work/err"
result "another network in trained.csv is refused with its line" $?
search none --shortlist 0
[ $? -eq 2 ] && grep -q -- '--shortlist' "$work/err"
result "no shortlist: a usage error" $?
search few --refine-images 4
[ $? -eq 2 ] && grep -q 'held out' "$work/err"
result "too few images to hold some out: a usage error" $?
echo "1..$n"
