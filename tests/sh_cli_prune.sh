#!/bin/sh
# hdnas prune from the outside: a run and its files, the classifier that hdnas eval reads, interrupted and resumed to the
# same bits, bad input. Needs no data. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
HDNAS_SHARE=${HDNAS_SHARE:-$PWD/data/builtin} && export HDNAS_SHARE
work=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-prune-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
n=0
result() { # result NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; sed 's/^/# /' "$work/err" | head -5; fi
}
small="--quiet --data synthetic:192 --widths 8s,8s,M --hidden 16 --latent 8 --decoder 8,8 --epochs 2 --batch-size 32 --seed 3"
# prune.csv and train.csv without their seconds
lines() { cut -d, -f1-8,10- "$1/prune.csv"; cut -d, -f1-8 "$1/train.csv"; }
same() { lines "$1" >"$work/a" && lines "$2" >"$work/b" && cmp "$work/a" "$work/b" && cmp "$1/pruned.safetensors" "$2/pruned.safetensors"; }
run() { "$hdnas" prune "$@" >"$work/out" 2>"$work/err"; }

run $small --schedule iterative --rounds 4 --sparsity 0.9 --threads 1 --out "$work/whole"
result "an iterative run goes to its end" $?
missing=0
for f in config.json train.csv prune.csv dense.safetensors pruned.safetensors classifier.safetensors metrics.csv weights.csv \
    reconstructions.png traversals.png report.html; do
    [ -s "$work/whole/$f" ] || missing=1
done
[ "$missing" -eq 0 ] && [ "$(wc -l <"$work/whole/prune.csv")" -eq 5 ] && [ "$(wc -l <"$work/whole/train.csv")" -eq 7 ]
result "its files are there, a line a round and an epoch" $?
grep -q 'data:image/png;base64' "$work/whole/report.html" && ! grep -qE '(src|href)="(https?:)?//' "$work/whole/report.html"
result "the page carries its pictures and fetches nothing" $?
said=$(tail -1 "$work/whole/prune.csv" | cut -d, -f8)
right=$("$hdnas" eval --quiet --model "$work/whole/classifier.safetensors" --data synthetic:192 --seed 3 2>"$work/err" | tail -1 | cut -d, -f3)
awk -v a="$said" -v b="$right" 'BEGIN { exit !(b != "" && a * 100 - b < 1e-3 && b - a * 100 < 1e-3) }'
result "hdnas eval finds the same accuracy ($said, $right %)" $?
run $small --schedule iterative --rounds 4 --sparsity 0.9 --threads 2 --out "$work/two" && same "$work/whole" "$work/two"
result "the same bits on two threads" $?

run --resume "$work/whole" --quiet && same "$work/whole" "$work/two"
result "a finished run resumed is left as it is" $?
cp -r "$work/two" "$work/cut"
rm "$work/cut/pruned.safetensors" "$work/cut/weights.csv"
head -3 "$work/two/prune.csv" >"$work/cut/prune.csv" # lines without weights: the rounds are run again
run --resume "$work/cut" --quiet && same "$work/whole" "$work/cut"
result "lines whose weights were lost are run again" $?
"$hdnas" prune $small --schedule iterative --rounds 4 --sparsity 0.9 --threads 1 --out "$work/killed" >/dev/null 2>&1 &
pid=$!
while [ ! -s "$work/killed/prune.csv" ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
kill -TERM $pid 2>/dev/null
wait $pid
code=$?
{ [ $code -eq 5 ] || [ $code -eq 0 ]; } && run --resume "$work/killed" --quiet && same "$work/whole" "$work/killed"
result "stopped by a signal (exit $code) and resumed: the same bits" $?

dense="$small --epochs 6 --rounds 1 --finetune 0 --no-metrics"
run $dense --out "$work/long"
"$hdnas" prune $dense --out "$work/early" >/dev/null 2>&1 &
pid=$!
while [ "$(cat "$work/early/train.csv" 2>/dev/null | wc -l)" -lt 3 ] && kill -0 $pid 2>/dev/null; do sleep 0.02; done
kill -KILL $pid 2>/dev/null
wait $pid 2>/dev/null
# As if it died between the line and the checkpoint: a line too many, and half of another.
tail -1 "$work/early/train.csv" | awk -F, -v OFS=, '{ $2 = $2 + 1; print } END { printf "0,9,1.5" }' >"$work/more"
cat "$work/more" >>"$work/early/train.csv"
run --resume "$work/early" --quiet && same "$work/long" "$work/early"
result "killed in the dense training: the same bits, a line an epoch" $?

run $small --model plain --structure channels --levels 0.25,0.5 --min-width 1 --finetune 0 --out "$work/channels" &&
    tail -1 "$work/channels/prune.csv" | grep -q '"cnn:' &&
    [ "$(tail -1 "$work/channels/prune.csv" | cut -d, -f6)" -lt "$(sed -n 2p "$work/channels/prune.csv" | cut -d, -f6)" ]
result "channels that go take their multiply-adds along" $?
grep -q 'reconstruction, nats' "$work/whole/report.html" && ! grep -q 'reconstruction, nats' "$work/channels/report.html" &&
    grep -q '>dense accuracy<' "$work/channels/report.html"
result "the page shows the parts that a loss has, and the dense accuracy" $?
run $small --model bottleneck --rewind 1 --rounds 2 --out "$work/rewound"
result "a bottleneck, rewound to its first epoch" $?
# Grey images, which hdnas train normalises and a VAE would not.
"$hdnas" train --quiet --arch cnn:8s,8s:16:8 --data builtin --epochs 2 --threads 2 --out "$work/trained" >/dev/null 2>"$work/err" &&
    run --quiet --init "$work/trained/last.safetensors" --data builtin --levels 0 --finetune 0 --no-metrics --out "$work/given" &&
    awk -F, 'NR == FNR { want = $4; next } END { exit !(want > 0.15 && $8 - want < 1e-6 && want - $8 < 1e-6) }' \
        "$work/trained/train.csv" "$work/given/prune.csv"
result "weights of hdnas train keep their accuracy" $?

bad() { # bad CODE WORDS OPTIONS
    code=$1 words=$2; shift 2
    run $small --out "$work/bad" "$@"
    found=$?
    grep -q -e "$words" "$work/err" && grep -q '^  hint: ..' "$work/err" && [ "$found" -eq "$code" ]
    result "exit $code for $*" $?
    rm -rf "$work/bad"
}
bad 2 beta --beta -1
bad 2 beta --beta nan
bad 2 sparsity --sparsity 1.5
bad 2 sparsity --sparsity -0.1
bad 2 levels --levels 0.5,0.2
bad 2 levels --levels 0.5,2
bad 2 "no network" --widths 8,,8
bad 2 criterion --criterion best
bad 2 rewind --rewind 5
bad 2 rewind --rewind 1 --structure channels
bad 3 "nothing would be left of layer encoder" --model plain --structure channels --sparsity 0.97 --rounds 1
bad 3 "made for 32 x 32 x 3" --init "$work/whole/dense.safetensors" --data sprites:100
echo "1..$n"
