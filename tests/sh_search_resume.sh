#!/bin/sh
# A search is its log: killed with -9 twice and resumed, or run with another number of threads, it ends with the same bytes
# (but for the seconds); SIGTERM leaves a resumable run and exit 5. Needs the built-in data only. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
n=0
result() { # result NAME STATUS
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; fi
}
options="--quiet --score rmi --device flops --steps 4 --population 10 --generations 4 --seed 7"
rows() { if [ -f "$1" ]; then wc -l <"$1"; else echo 0; fi; }
# evals.csv without its last column
same() {
    cut -d, -f1-9 "$1/evals.csv" >"$work/a" && cut -d, -f1-9 "$2/evals.csv" >"$work/b" && cmp "$work/a" "$work/b" &&
        cmp "$1/front.csv" "$2/front.csv"
}
# Start the command in the background; kill it with signal $1 once evals.csv in $2 has $3 lines.
kill_at() {
    signal=$1 dir=$2 lines=$3; shift 3
    "$@" >/dev/null 2>"$work/err" &
    pid=$!
    while [ "$(rows "$dir/evals.csv")" -lt "$lines" ] && kill -0 $pid 2>/dev/null; do sleep 0.05; done
    kill -"$signal" $pid 2>/dev/null
    wait $pid
}

./hdnas search $options --threads 1 --out "$work/whole" >/dev/null 2>"$work/err"
result "a search runs to its end" $?
./hdnas search $options --threads 2 --out "$work/two" >/dev/null 2>"$work/err" && same "$work/whole" "$work/two"
result "the same bytes on two threads" $?

./hdnas search $options --threads 2 --memory 200 --out "$work/narrow" >/dev/null 2>"$work/err" && same "$work/whole" "$work/narrow"
result "the same bytes where workers wait for each other's memory" $?

kill_at KILL "$work/killed" 8 ./hdnas search $options --threads 2 --out "$work/killed"
first=$(rows "$work/killed/evals.csv")
kill_at KILL "$work/killed" 24 ./hdnas search --quiet --resume "$work/killed"
second=$(rows "$work/killed/evals.csv")
[ "$first" -ge 8 ] && [ "$first" -lt 41 ] && [ "$second" -ge 24 ] && [ "$second" -lt 41 ]
result "killed twice on its way (at $first and $second lines)" $?
./hdnas search --quiet --resume "$work/killed" --threads 1 >/dev/null 2>"$work/err" && same "$work/whole" "$work/killed"
result "the same bytes after two kills and resumes" $?

kill_at TERM "$work/term" 12 ./hdnas search $options --out "$work/term"
[ $? -eq 5 ] && grep -q "resume" "$work/err"
result "SIGTERM: exit 5, and a word on how to go on" $?
printf '99,9,123,half a li' >>"$work/term/evals.csv"
./hdnas search --quiet --resume "$work/term" >/dev/null 2>"$work/err" && same "$work/whole" "$work/term"
result "a line cut by a crash is dropped, and the end is the same" $?

./hdnas search --quiet --resume "$work/whole" --seed 8 >/dev/null 2>"$work/err"
[ $? -eq 2 ] && grep -q "seed" "$work/err"
result "resuming with another seed is refused" $?
./hdnas search $options --out "$work/whole" >/dev/null 2>"$work/err"
[ $? -eq 2 ]
result "a folder that holds a run is not overwritten" $?
sed -i '5s/^[^,]*,[^,]*,[^,]*,[^,]*/4,1,0,|avg_pool_3x3~0|+|nor_conv_1x1~0|skip_connect~1|+|nor_conv_1x1~0|skip_connect~1|skip_connect~2|/' "$work/whole/evals.csv"
./hdnas search --quiet --resume "$work/whole" >/dev/null 2>"$work/err"
[ $? -eq 3 ] && grep -q "line 5" "$work/err"
result "a log of another search is refused with its line" $?
./hdnas search --quiet --score flops --device flops --population 5 --generations 2 --out /dev/full/x >/dev/null 2>"$work/err"
[ $? -eq 1 ]
result "an impossible folder: exit 1" $?
(
    ulimit -f 8
    exec ./hdnas search --quiet --score flops --device flops --population 20 --generations 20 --out "$work/full"
) >/dev/null 2>"$work/err"
[ $? -eq 1 ] && grep -q "full/" "$work/err"
result "a file size limit: exit 1, naming the file" $?
./hdnas search --quiet --resume "$work/full" >/dev/null 2>"$work/err" &&
    ./hdnas search --quiet --score flops --device flops --population 20 --generations 20 --out "$work/free" >/dev/null 2>"$work/err" &&
    same "$work/full" "$work/free"
result "resumed with room, it ends with the same bytes" $?
echo "1..$n"
