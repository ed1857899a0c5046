#!/bin/sh
# hdnas bench: every shape of bench/shapes is computed as the reference computes it, rows and JSON are whole, bad
# problems are refused. No time is judged here. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-bench-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
quick="--repeats 1 --min-ms 0 --quiet"
head=problem,direction,algo,tier,precision,threads,ms_median,ms_min,gflops,share_of_peak
tiers=$("$hdnas" info --json | python3 -c 'import json,sys; print(*json.load(sys.stdin)["tiers"])')

for f in bench/shapes/*.txt; do
    sed 's/:n32/:n2/' "$f" >"$tmp/shapes"
    wanted=$(grep -c '^conv:' "$f")
    for tier in $tiers; do
        [ "$tier" = ref ] && continue # it would be held to itself
        out=$("$hdnas" bench $quick --cpu "$tier" --threads 1 "$tmp/shapes" 2>&1)
        [ $? -eq 0 ] && [ "$(echo "$out" | grep -c '^conv:')" -eq $((3 * wanted)) ]
        result "$f is computed rightly by $tier" $? "$(echo "$out" | tail -3)"
    done
done

"$hdnas" bench $quick --threads 1 gemm:m33n17k65 conv:n1h9c8k8r3 net:resnet20:n2:train net:resnet20:n2:infer \
    net:nb201/0:n2:grad gram:n5d33 score:rmi-paper:0:n4s1 score:rmi:nb201:000000:s0 score:flops:0 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 0 ] && [ "$(head -1 "$tmp/out")" = "$head" ] && [ "$(wc -l <"$tmp/out")" -eq 12 ] && [ ! -s "$tmp/err" ]
result "products, convolutions, networks, scores: a row each way" $? "$(cat "$tmp/out" "$tmp/err")"
out=$("$hdnas" bench $quick --json --algo all --dir fwd conv:n1h9c8k8r3 gemm:m4n4k4 | python3 -c 'import json,sys
rows = json.load(sys.stdin)
assert len(rows) >= 2, rows
for r in rows:
    assert ",".join(r) == sys.argv[1], r
    assert 0 < r["ms_min"] <= r["ms_median"] and r["gflops"] > 0 and r["share_of_peak"] > 0, r
    assert r["problem"] in ("conv:n1h9w9c8k8r3s1p1g1", "gemm:m4n4k4"), r
' "$head" 2>&1)
result "--json has the same keys" $? "$out"
out=$(printf '# a comment\n\n  conv:n1h4c4k4r1   # behind\n' | "$hdnas" bench $quick --dir fwd - | tail -n +2 | cut -d, -f1,2)
[ "$out" = "conv:n1h4w4c4k4r1s1p0g1,fwd" ]
result "problems from standard input" $? "$out"
out=$("$hdnas" bench --list nb201:333333 nb201:222222)
[ "$out" = "$(grep -v '^#' bench/shapes/nb201.txt)" ]
result "--list ARCH names what bench/shapes/nb201.txt holds" $? "$out"
out=$("$hdnas" bench --list resnet56)
[ "$out" = "$(grep -v '^#' bench/shapes/resnet.txt)" ]
result "and bench/shapes/resnet.txt" $? "$out"
"$hdnas" bench --list >"$tmp/list" && "$hdnas" bench --list --json | python3 -m json.tool >/dev/null
result "--list alone shows the forms" $?

for bad in conv: conv:n1h4c4k4 conv:n1h2c4k4r9p0 conv:n1h4c3k4r1g2 conv:h4c4k4r1x2 gemm:m1n2 net:resnet20 \
    net:resnet20:n2 net:nonsense:n2:train gram:n4 score:rmi score:what:0 score:rmi:15625 score:rmi:0:n4x1 \
    what:n1 :; do
    "$hdnas" bench $quick "$bad" >"$tmp/out" 2>"$tmp/err"
    [ $? -eq 2 ] && grep -q '^hdnas: error: ' "$tmp/err" && grep -q '^  hint: ' "$tmp/err"
    result "$bad is refused" $? "$(cat "$tmp/err")"
done
"$hdnas" bench --algo nonsense gemm:m1n1k1 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'one of' "$tmp/err"
result "an unknown algorithm is refused" $? "$(cat "$tmp/err")"
"$hdnas" bench "$tmp/nothing-here" >/dev/null 2>"$tmp/err"
[ $? -eq 3 ] && grep -q '^  hint: ' "$tmp/err"
result "a missing file of problems is bad input" $? "$(cat "$tmp/err")"
echo "1..$n"
