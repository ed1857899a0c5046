#!/bin/sh
# A tuned table of algorithms: named by an option or the environment, it is part of a run (checksum in config.json, a copy
# beside it), a run is resumed with no other, and what is no table is refused. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
unset HDNAS_TUNE
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-tune-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
head=problem,direction,tier,precision,algo
tier=$("$hdnas" info --json | python3 -c 'import json,sys; print(json.load(sys.stdin)["tier"])')
direct() { # direct DIRECTION ...: the 3x3 convolutions of NAS-Bench-201 by the direct method
    echo $head
    for dir in "$@"; do
        for s in h28w28c16k16 h14w14c32k32 h7w7c64k64 h32w32c16k16 h16w16c32k32 h8w8c64k64; do
            echo "conv:n32${s}r3s1p1g1,$dir,$tier,fp32,direct"
        done
    done
}
direct fwd bwd_data bwd_weights >"$tmp/direct.csv"
direct fwd >"$tmp/forward.csv"
sum() { sha256sum "$1" | cut -d' ' -f1; }
in_config() { grep -q "\"tune_sha256\": \"$2\"" "$1/config.json"; }
score() { "$hdnas" score --quiet --steps 2 "$@" 333333 2>"$tmp/err" | cut -d, -f1-3; }

plain=$(score) && tuned=$(score --tune-file "$tmp/direct.csv") && [ -n "$tuned" ] && [ "$plain" != "$tuned" ]
result "another algorithm is another order of sums" $? "$plain $tuned $(cat "$tmp/err")"
[ "$(HDNAS_TUNE=$tmp/direct.csv score)" = "$tuned" ] &&
    [ "$(HDNAS_TUNE=$tmp/direct.csv score --tune-file none)" = "$plain" ] &&
    [ "$(HDNAS_TUNE=$tmp/nothing score --tune-file "$tmp/direct.csv")" = "$tuned" ]
result "HDNAS_TUNE is the default of --tune-file" $? "$(cat "$tmp/err")"
[ "$(score --tune-file "$tmp/direct.csv" --threads 1)" = "$(score --tune-file "$tmp/direct.csv" --threads 2)" ]
result "the same bits on one and two threads" $?

search="--quiet --score rmi --device flops --steps 1 --population 4 --generations 2 --seed 3"
"$hdnas" search $search --tune-file "$tmp/direct.csv" --out "$tmp/run" >/dev/null 2>"$tmp/err" &&
    in_config "$tmp/run" "$(sum "$tmp/direct.csv")" && cmp -s "$tmp/direct.csv" "$tmp/run/tune.csv"
result "a search records the table and keeps a copy" $? "$(cat "$tmp/err")"
"$hdnas" search $search --out "$tmp/plain" >/dev/null 2>"$tmp/err" && in_config "$tmp/plain" "" && [ ! -e "$tmp/plain/tune.csv" ]
result "without one nothing is recorded" $? "$(cat "$tmp/err")"
cp -r "$tmp/run" "$tmp/cut"
head -4 "$tmp/run/evals.csv" >"$tmp/cut/evals.csv"
rm -f "$tmp/cut/front.csv"
refused() { # refused FOLDER THEN NOW ARGS: a resume that must be refused, and why
    folder=$1 before=$2 now=$3; shift 3
    "$hdnas" search --quiet --resume "$folder" "$@" >/dev/null 2>"$tmp/err"
    [ $? -eq 3 ] && grep -q "other tuned algorithms: $before then, $now now" "$tmp/err" && grep -q '^  hint: ' "$tmp/err"
}
a=$(sum "$tmp/direct.csv" | cut -c1-16) b=$(sum "$tmp/forward.csv" | cut -c1-16)
refused "$tmp/cut" "$a" "$b" --tune-file "$tmp/forward.csv"
result "a resume with another table is refused" $? "$(cat "$tmp/err")"
refused "$tmp/cut" "$a" none --tune-file none
result "and without the table" $? "$(cat "$tmp/err")"
(HDNAS_TUNE=$tmp/direct.csv refused "$tmp/plain" none "$a")
result "and with one where there was none" $? "$(cat "$tmp/err")"
rm "$tmp/direct.csv"
"$hdnas" search --quiet --resume "$tmp/cut" --tune-file "$tmp/run/tune.csv" >/dev/null 2>"$tmp/err" &&
    cmp "$tmp/run/front.csv" "$tmp/cut/front.csv" &&
    [ "$(cut -d, -f1-9 "$tmp/run/evals.csv")" = "$(cut -d, -f1-9 "$tmp/cut/evals.csv")" ]
result "the run's own copy resumes it to the same bytes" $? "$(cat "$tmp/err")"
direct fwd bwd_data bwd_weights >"$tmp/direct.csv"

train="--quiet --arch resnet20 --limit 64 --epochs 1 --batch-size 32"
"$hdnas" train $train --tune-file "$tmp/direct.csv" --out "$tmp/train" >/dev/null 2>"$tmp/err" &&
    in_config "$tmp/train" "$(sum "$tmp/direct.csv")" && cmp -s "$tmp/direct.csv" "$tmp/train/tune.csv"
result "a training does so too" $? "$(cat "$tmp/err")"
"$hdnas" search $search --pool "$tmp/pool" --out "$tmp/pool-1" >/dev/null 2>"$tmp/err" &&
    ! "$hdnas" search $search --pool "$tmp/pool" --tune-file "$tmp/direct.csv" --out "$tmp/pool-2" >/dev/null 2>"$tmp/err" &&
    grep -q 'kernels' "$tmp/err"
result "scores by one table do not pass for those by another" $? "$(cat "$tmp/err")"

bad() { # bad NAME PART: $tmp/bad.csv is refused with these words
    "$hdnas" score --quiet --score flops --tune-file "$tmp/bad.csv" 0 >"$tmp/out" 2>"$tmp/err"
    [ $? -eq 3 ] && [ ! -s "$tmp/out" ] && grep -q "^hdnas: error: $tmp/bad.csv: .*$2" "$tmp/err" && grep -q '^  hint: ' "$tmp/err"
    result "refused: $1" $? "$(cat "$tmp/err")"
}
: >"$tmp/bad.csv"; bad "an empty file" empty
echo index,score >"$tmp/bad.csv"; bad "another table" 'no column problem'
printf '%s\nconv:n1h8c4k4r3,fwd,%s,fp32,fft\n' $head "$tier" >"$tmp/bad.csv"; bad "an unknown algorithm" 'line 2, column algo: .*found "fft"'
printf '%s\nconv:n1h8c4k4r3,fwd,%s,fp32\n' $head "$tier" >"$tmp/bad.csv"; bad "a row that is cut" 'line 2: expected 5 fields'
printf '%s\nconv:n1h8c4k4r3,fwd,%s,fp32,depthwise\n' $head "$tier" >"$tmp/bad.csv"; bad "what an algorithm cannot do" 'line 2: depthwise cannot do'
head -c 100000 /dev/urandom >"$tmp/bad.csv"; bad "noise" ''
"$hdnas" score --quiet --score flops --tune-file "$tmp/nothing" 0 >/dev/null 2>"$tmp/err"
[ $? -eq 3 ] && grep -q 'nothing' "$tmp/err" && grep -q '^  hint: ' "$tmp/err"
result "refused: a file that is not there" $? "$(cat "$tmp/err")"
echo "1..$n"
