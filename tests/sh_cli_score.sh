#!/bin/sh
# hdnas score --trace: one course an architecture, told apart by a column; the same numbers (but for seconds) on one thread,
# on two, and alone; the last line is the score; refused where nothing is trained. agg: ranks do not depend on company.
# --cells. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-score-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
go() { "$hdnas" score --quiet --as-given --score rmi-paper --steps 2 --batch-size 8 --draw 32 --limit 64 "$@"; }

go --threads 1 --trace "$tmp/one" 131311 444000 421211 >"$tmp/scores" 2>"$tmp/err" &&
    go --threads 2 --trace "$tmp/two" 131311 444000 421211 >/dev/null 2>"$tmp/err"
result "a trace of three architectures" $? "$(cat "$tmp/err")"
why=$(python3 - "$tmp" <<'P' 2>&1
import csv, sys
read = lambda name: list(csv.DictReader(open(sys.argv[1] + "/" + name)))
one, two, scores = read("one"), read("two"), read("scores")
assert list(one[0]) == "arch step loss cka1 cka2 cka3 cross_entropy seconds".split(), list(one[0])
assert [r["arch"] for r in scores] == list(dict.fromkeys(r["arch"] for r in one))
for r in one + two:
    assert float(r.pop("seconds")) > 0
assert one == two, "threads change the trace"
# The second network's output ignores its input: its course ends where the first loss is no number.
assert [r["step"] for r in one] == ["0", "1", "2", "0", "0", "1", "2"], one
for score, last in zip(scores, (one[2], one[3], one[6])):
    loss = .8 * sum(1 - float(last[f"cka{i}"]) for i in (1, 2, 3)) + .2 * float(last["cross_entropy"])
    if last["step"] == "2":
        assert abs(loss - float(last["loss"])) < 1e-6 and abs(loss + float(score["score"])) < 1e-6, (loss, score)
    else:
        assert score["score"] == "" or score["score"] == "nan", score
P
)
result "one thread, two threads: the same course, and its end is the score" $? "$why"

go --trace "$tmp/alone" 131311 >/dev/null && cut -d, -f1-6 "$tmp/alone" >"$tmp/a" &&
    sed -n '1,4p' "$tmp/one" | cut -d, -f2-7 >"$tmp/b" && cmp "$tmp/a" "$tmp/b"
result "alone: the same lines without the column" $?

"$hdnas" score --score naswot --trace "$tmp/none" 0 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'has no course' "$tmp/err" && [ ! -e "$tmp/none" ]
result "a score that trains nothing has no trace" $? "$(cat "$tmp/err")"
seq 0 199 | "$hdnas" score --steps 100000 --trace "$tmp/none" >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'more than 10000000 lines' "$tmp/err" && [ ! -e "$tmp/none" ]
result "a trace beyond all measure is refused before anything is scored" $? "$(cat "$tmp/err")"

# One cell a stage is what rmi has by default, and the published depth what rmi-paper has.
deep() { go "$@" 131311 | cut -d, -f1-3; }
deep >"$tmp/five" && deep --score rmi --cells 0 >"$tmp/a" && cmp "$tmp/a" "$tmp/five" && deep --cells 5 >"$tmp/a" && cmp "$tmp/a" "$tmp/five" &&
    deep --score rmi >"$tmp/single" && deep --cells 1 >"$tmp/a" && cmp "$tmp/a" "$tmp/single" && ! cmp -s "$tmp/single" "$tmp/five"
result "--cells: as deep as it says" $?
"$hdnas" score --space fbnet --score rmi --cells 2 8888888888888888888888 >"$tmp/a" 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'do not stack one cell' "$tmp/err" && [ ! -s "$tmp/a" ]
result "--cells: refused where a network repeats none" $? "$(cat "$tmp/err")"

"$hdnas" score --quiet --steps 1 --batch-size 4 --draw 8 --cells 40 --channels 1 333333 >"$tmp/a" 2>"$tmp/err"
result "--cells: the deepest there is" $? "$(cat "$tmp/err")"

# Made of others: ranks are fixed by the calibration, so neither order nor threads nor company change a score.
agg() { "$hdnas" score --quiet --as-given --score agg --batch-size 8 --limit 64 --calibration 3 "$@" | cut -d, -f1-3; }
agg --threads 1 131311 421211 444000 >"$tmp/one" && agg --threads 2 444000 421211 131311 >"$tmp/two" &&
    agg --threads 2 421211 >"$tmp/alone" && sort "$tmp/one" >"$tmp/a" && sort "$tmp/two" >"$tmp/b" && cmp "$tmp/a" "$tmp/b" &&
    [ "$(sed -n 2p "$tmp/alone")" = "$(sed -n 3p "$tmp/one")" ]
result "agg: whatever the order, the company and the threads, the same scores" $?
agg --threads 2 --calibration 4 421211 >"$tmp/four"; ! cmp -s "$tmp/alone" "$tmp/four"
result "agg: another calibration, another score" $?
lite() { "$hdnas" score --quiet --as-given --score agg-lite --limit 64 --calibration 3 --batch-size 8 --steps 2 "$@" 421211 | cut -d, -f3; }
lite >"$tmp/lite" && lite --image-size 16 --channels 8 >"$tmp/a" && cmp "$tmp/a" "$tmp/lite" && lite --image-size 0 >"$tmp/a" &&
    ! cmp -s "$tmp/a" "$tmp/lite" && lite --channels 0 >"$tmp/a" && ! cmp -s "$tmp/a" "$tmp/lite" && grep -q '^-[0-9]' "$tmp/lite"
result "agg-lite: narrow networks on small images" $?
lite --save-batch "$tmp/batch" >"$tmp/a" && cmp "$tmp/a" "$tmp/lite" && lite --batch "$tmp/batch" >"$tmp/a" && cmp "$tmp/a" "$tmp/lite"
result "agg-lite: a saved batch gives the same score" $?
"$hdnas" score --image-size 33 421211 >"$tmp/a" 2>"$tmp/err"
[ $? -eq 2 ] && grep -q -- '--image-size 33: the images are 28x28' "$tmp/err" && [ ! -s "$tmp/a" ]
result "--image-size: larger than the images is refused" $? "$(cat "$tmp/err")"
echo "1..$n"
