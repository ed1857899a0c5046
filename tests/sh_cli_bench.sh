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
head=problem,direction,algo,tier,precision,threads,ms_median,ms_min,gflops,share_of_peak,bytes,gb_s,spread,cache
tiers=$("$hdnas" info --json | python3 -c 'import json,sys; print(*json.load(sys.stdin)["tiers"])')

for f in bench/shapes/*.txt; do
    sed 's/:n32/:n2/; s/:n128/:n2/; s/gemm:m[0-9]*/gemm:m2/' "$f" >"$tmp/shapes"
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
[ $? -eq 0 ] && [ "$(head -1 "$tmp/out")" = "$head" ] && [ "$(wc -l <"$tmp/out")" -eq 14 ] && [ ! -s "$tmp/err" ]
result "products, convolutions, networks, scores: a row each way" $? "$(cat "$tmp/out" "$tmp/err")"
out=$("$hdnas" bench $quick --json --algo all --dir fwd conv:n1h9c8k8r3 gemm:m4n4k4 | python3 -c 'import json,sys
rows = json.load(sys.stdin)
assert len(rows) >= 2, rows
for r in rows:
    assert ",".join(r) == sys.argv[1], r
    assert 0 < r["ms_min"] <= r["ms_median"] and r["gflops"] > 0 and r["share_of_peak"] > 0, r
    assert r["bytes"] > 0 and r["gb_s"] > 0 and r["spread"] >= 0 and r["cache"] == "warm", r
    assert r["problem"] in ("conv:n1h9w9c8k8r3s1p1g1", "gemm:m4n4k4"), r
' "$head" 2>&1)
result "--json has the same keys" $? "$out"
out=$(printf '# a comment\n\n  conv:n1h4c4k4r1   # behind\n' | "$hdnas" bench $quick --dir fwd - | tail -n +2 | cut -d, -f1,2)
[ "$out" = "conv:n1h4w4c4k4r1s1p0g1,fwd" ]
result "problems from standard input" $? "$out"
list() { "$hdnas" bench --list "$@" >>"$tmp/listed" 2>"$tmp/err" || echo "--list $* failed" >>"$tmp/listed"; }
same_list() { # same_list FILE: it holds what was listed of the networks
    sort -u "$tmp/listed" >"$tmp/out"
    grep -v '^#' "$1" | sort | cmp -s - "$tmp/out"
    result "$1 is what the graphs hold" $? "$(cat "$tmp/err"; grep -v '^#' "$1" | sort | diff - "$tmp/out")"
    rm "$tmp/listed"
}
listed() { file=$1; shift; list "$@"; same_list "$file"; }
listed bench/shapes/nb201.txt nb201:111111 nb201:222222 nb201:333333 nb201:444444
listed bench/shapes/resnet.txt resnet20 resnet32 resnet44 resnet56
listed bench/shapes/fbnet.txt $(for d in 0 1 2 3 4 5 6 7 8; do printf 'fbnet/'; printf "$d%.0s" $(seq 22); echo; done)
vae=vae:16s,32s,32s:128:16:32,16
list --batch 128 --image 28x28x1 $vae
list --batch 128 --image 32x32x3 $vae cnn:32,32,M,64,64,M:128:16
same_list bench/shapes/vae.txt
"$hdnas" prune --help | tr -s '\n ' '  ' | grep -q 'default 16s,32s,32s.*default 128;.*default 16;.*default 32,16'
result "the VAE of bench/shapes/vae.txt is the one that hdnas prune makes" $? "$("$hdnas" prune --help)"
out=$("$hdnas" bench $quick --threads 1 --image 8x8x1 --classes 3 "net:vae:4s,6s:16:5:6,4:n4:train" | tail -1)
echo "$out" | grep -q '^"net:vae:4s,6s:16:5:6,4:n4:train",train,auto,'
result "networks on images of another shape; what holds a comma is quoted" $? "$out"
"$hdnas" bench --list >"$tmp/list" && grep -q '^# conv:n32' "$tmp/list" && grep -q '^#   gemm_taps_f32  *ref ' "$tmp/list" &&
    grep -q '^# algorithms of .* winograd' "$tmp/list" && ! grep -v '^#' "$tmp/list" | grep -v '^[a-z]*:'
result "--list alone shows forms, algorithms, kernels with their tiers, usual problems" $?
out=$("$hdnas" bench --list --json | python3 -c 'import json,sys
v = json.load(sys.stdin)
names = [k["name"] for k in v["kernels"]]
assert "peak_fma_f32" in names and len(set(names)) == len(names), names
assert all("ref" in k["tiers"] for k in v["kernels"]) and "winograd" in v["algorithms"], v
assert [k["form"][:5] for k in v["kinds"]][0] == "conv:" and "gemm:m1024n64k576" in v["usual"], v
' 2>&1)
result "and so in JSON" $? "$out"

"$hdnas" bench $quick --threads 1 --precision bf16 net:resnet20:n2:train conv:n2h8c16k16r1 score:rmi-paper:0:n4s1 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 0 ] && [ "$(cut -d, -f5 "$tmp/out" | grep -c '^bf16$')" -eq 5 ]
result "--precision bf16" $? "$(cat "$tmp/out" "$tmp/err")"

# Cold caches, bandwidths, and the picture of it all.
"$hdnas" bench $quick --threads 1 --cache cold --dir fwd conv:n1h9c8k8r3 >"$tmp/out" 2>"$tmp/err" && tail -1 "$tmp/out" | grep -q ',cold$'
result "cold caches" $? "$(cat "$tmp/out" "$tmp/err")"
"$hdnas" bench $quick --threads 2 stream:l1 stream:memory >"$tmp/out" 2>"$tmp/err" &&
    [ "$(cut -d, -f1,2,6 "$tmp/out" | grep -cE '^stream:(l1|memory),(read|copy),[12]$')" -eq 8 ]
result "bandwidth: reading and copying, by one thread and by two" $? "$(cat "$tmp/out" "$tmp/err")"
"$hdnas" bench --repeats 1 --min-ms 0 --threads 1 --plot "$tmp/roof.svg" conv:n2h8c16k16r3 gemm:m8n8k8 net:resnet20:n1:infer >"$tmp/out" 2>"$tmp/err"
[ $? -eq 0 ] && [ "$(wc -l <"$tmp/out")" -eq 8 ] && grep -q 'spread' "$tmp/err" && [ "$(grep -c '^stream:.*read.*copy.* GB/s$' "$tmp/err")" -eq 4 ]
result "standard error tells peak, spread and bandwidths of the run" $? "$(cat "$tmp/out" "$tmp/err")"
out=$(python3 - "$tmp/roof.svg" 2>&1 <<'P'
import re, sys, xml.etree.ElementTree as T
root, ns = T.parse(sys.argv[1]).getroot(), "{http://www.w3.org/2000/svg}"
words = [t.text or "" for t in root.iter(ns + "text")]
height = float(root.get("height"))
points = [g for g in root.iter(ns + "g")]
assert len(points) == 6, len(points)  # three directions each of a convolution and a product; networks have no traffic
for level in ("L1", "L2", "L3", "memory"):
    assert any(re.match(level + r" \d+ GB/s$", w) for w in words), words
assert any(w.startswith("peak of multiply-adds") for w in words), words
assert sum(w == "conv:n2h8w8c16k16r3s1p1g1" for w in words) == 3 and any("1 not drawn" in w for w in words), words
for t in root.iter(ns + "text"):
    if t.get("transform") is None:
        assert 0 < float(t.get("x")) <= 900 and 0 < float(t.get("y")) < height, t.text
P
)
result "--plot draws peak, bandwidths and a point for each row that has a traffic" $? "$out"
"$hdnas" bench $quick --threads 1 --plot "$tmp/no/where.svg" gemm:m4n4k4 >/dev/null 2>"$tmp/err"
[ $? -eq 1 ] && grep -q 'no/where.svg' "$tmp/err"
result "a plot that cannot be written is an error" $? "$(cat "$tmp/err")"

# The tuner: every algorithm in turns, a table that --tune-file takes, the measured choice followed.
"$hdnas" bench --tune $quick --threads 1 --out "$tmp/tune.csv" conv:n2h8c16k16r3 gemm:m4n4k4 conv:n3h8c16k16r3 conv:n1h8c16k16r3g16 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 0 ] && cmp "$tmp/out" "$tmp/tune.csv" && [ "$(wc -l <"$tmp/out")" -eq 7 ] && [ ! -s "$tmp/err" ]
result "--tune writes a row for each shape of an image and direction" $? "$(cat "$tmp/out" "$tmp/err")"
out=$(for dir in fwd bwd_data bwd_weights; do
    chosen=$(grep "^conv:n2h8w8c16k16r3s1p1g1,$dir," "$tmp/tune.csv" | cut -d, -f6)
    for n in 1 7; do
        taken=$("$hdnas" bench $quick --threads 1 --tune-file "$tmp/tune.csv" --dir $dir conv:n${n}h8c16k16r3 2>&1 | tail -1 | cut -d, -f3)
        [ -n "$chosen" ] && [ "$chosen" = "$taken" ] || echo "$dir n$n: $chosen $taken"
    done
done)
[ -z "$out" ]
result "and what it chose is taken, for any number of images" $? "$out"
"$hdnas" bench --tune $quick --threads 1 --json --dir fwd --out "$tmp/tune2.csv" conv:h8c4k4r3 2>&1 | python3 -c 'import json,sys
r, = json.load(sys.stdin)
assert r["direction"] == "fwd" and r["algo"] and r["ms"] > 0 and r["default_ms"] > 0 and r["speedup"] > 0, r' 2>"$tmp/err" && [ "$(wc -l <"$tmp/tune2.csv")" -eq 2 ]
result "--tune --json" $? "$(cat "$tmp/err")"
"$hdnas" bench --tune $quick --out "$tmp/none.csv" gemm:m4n4k4 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'no convolution' "$tmp/err" && [ ! -e "$tmp/none.csv" ]
result "nothing to tune is an error" $? "$(cat "$tmp/err")"

for bad in conv: conv:n1h4c4k4 conv:n1h2c4k4r9p0 conv:n1h4c3k4r1g2 conv:h4c4k4r1x2 gemm:m1n2 net:resnet20 \
    net:resnet20:n2 net:nonsense:n2:train gram:n4 score:rmi score:what:0 score:agg:0 score:rmi:15625 score:rmi:0:n4x1 \
    stream: stream:l4 what:n1 :; do
    "$hdnas" bench $quick "$bad" >"$tmp/out" 2>"$tmp/err"
    [ $? -eq 2 ] && grep -q '^hdnas: error: ' "$tmp/err" && grep -q '^  hint: ' "$tmp/err"
    result "$bad is refused" $? "$(cat "$tmp/err")"
done
"$hdnas" bench --algo nonsense gemm:m1n1k1 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'one of' "$tmp/err"
result "an unknown algorithm is refused" $? "$(cat "$tmp/err")"
"$hdnas" bench --repeats 1 --min-ms 0 --algo gemm --threads 1 conv:n1h4c4k4r3 >"$tmp/out" 2>"$tmp/err"
[ $? -eq 0 ] && [ "$(wc -l <"$tmp/out")" -eq 1 ] && grep -q 'no rows: .*--dir all and --algo gemm' "$tmp/err"
result "what fits no problem is said" $? "$(cat "$tmp/out" "$tmp/err")"
out=$("$hdnas" bench $quick --threads 1 --algo all --dir fwd conv:n2h6c5k4r1 2>&1 | tail -n +2 | cut -d, -f3 | sort | tr '\n' ' ')
[ "$out" = "direct gemm im2col " ]
result "--algo all is every algorithm that can" $? "$out"
"$hdnas" bench --cache lukewarm gemm:m1n1k1 >/dev/null 2>"$tmp/err"
[ $? -eq 2 ] && grep -q 'one of: warm cold' "$tmp/err"
result "an unknown state of the caches is refused" $? "$(cat "$tmp/err")"
"$hdnas" bench "$tmp/nothing-here" >/dev/null 2>"$tmp/err"
[ $? -eq 3 ] && grep -q '^  hint: ' "$tmp/err"
result "a missing file of problems is bad input" $? "$(cat "$tmp/err")"
echo "1..$n"
