#!/bin/sh
# bench/compare.py on result files made by hand: what is slower is told from what is noise, a case that vanished counts,
# files of something else are refused. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-compare-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
file() { # file NAME MEDIAN MIN [MEDIAN MIN ...]: runs of one case
    to=$tmp/$1
    shift
    echo problem,direction,algo,tier,precision,threads,ms_median,ms_min,gflops,share_of_peak >"$to"
    while [ $# -gt 1 ]; do
        echo "gemm:m1n1k1,fwd,auto,avx512,fp32,1,$1,$2,1,1" >>"$to"
        shift 2
    done
}
judge() { # judge NAME STATUS WORD BEFORE AFTER
    out=$(python3 bench/compare.py --all "$tmp/$4" "$tmp/$5" 2>&1)
    status=$?
    [ $status -eq "$2" ] && echo "$out" | grep -q ",$3\$"
    result "$1" $? "status $status: $out"
}
file base 1.00 0.99
file slow 1.20 1.19
file lifted 1.20 0.99
file little 1.04 1.03
file wide 1.20 1.02 1.00 0.99 1.25 1.03
file runs 1.00 0.99 1.01 0.99 0.99 0.98
judge "a fifth above in median and minimum is slower" 1 slower base slow
judge "and faster the other way round" 0 faster slow base
judge "a lifted median over the same minimum is noise" 0 same base lifted
judge "four per cent are within the tolerance" 0 same base little
judge "runs that differ as much among themselves are noise" 0 same base wide
judge "several runs against one" 1 slower runs slow
sed 's/gemm:m1n1k1/gemm:m2n1k1/' "$tmp/base" >"$tmp/other"
judge "a case that vanished counts" 1 vanished base other
python3 -c 'import csv,json,sys; print(json.dumps(list(csv.DictReader(open(sys.argv[1])))))' "$tmp/slow" >"$tmp/slow.json"
judge "JSON is read as CSV is" 1 slower base slow.json
echo nonsense >"$tmp/bad"
: >"$tmp/empty"
for bad in bad empty missing; do
    out=$(python3 bench/compare.py "$tmp/base" "$tmp/$bad" 2>&1)
    [ $? -eq 2 ] && [ "$(echo "$out" | wc -l)" -eq 1 ]
    result "$bad: refused in one line" $? "$out"
done
echo "1..$n"
