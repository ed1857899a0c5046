#!/bin/sh
# bench/peers/run.py without a peer: groups are whole, rows measured earlier become verdicts and a machine's page of
# docs/performance/, and the pages stand side by side in docs/PERFORMANCE.md. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-peers-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
peers() { python3 bench/peers/run.py --only none "$@" >"$tmp/out" 2>&1; }

python3 bench/peers/run.py --list >"$tmp/out" 2>&1 && [ "$(grep -c ' problems, bar ' "$tmp/out")" -ge 25 ] &&
    ! grep -q ' 0 problems' "$tmp/out" && grep -q '^cells: .* 40 problems, bar 3.0$' "$tmp/out" && grep -q '^avx2-train128: ' "$tmp/out"
result "every group has problems" $? "$(cat "$tmp/out")"

# Two peers of the Gram matrix (numpy is in the group), the fastest way of PyTorch counts, sums of random cells, AVX2 apart.
cat >"$tmp/a.csv" <<'C'
problem,direction,peer,threads,ms_ours,ms_peer,ratio,ratio_low,ratio_high,cpu,precision
# about: hdnas 1, two processors
gram:n256d16384,fwd,numpy,1,5,10,2.000,1.900,2.100,auto,fp32
gram:n256d16384,fwd,torch-default,1,5,2,0.400,0.300,0.500,auto,fp32
net:nb201:421211:n32:train,train,torch-default,1,10,40,4.000,3.900,4.100,auto,fp32
net:nb201:421211:n32:train,train,torch-channels_last,1,10,24,2.400,2.300,2.500,auto,fp32
net:nb201:421211:n32:train,train,torch-bf16,1,10,1,0.100,0.090,0.110,auto,fp32
net:nb201:421211:n32:train,train,torch-default,1,10,13,1.300,1.200,1.400,avx2,fp32
C
cat >"$tmp/b.csv" <<'C'
net:resnet20:n1:infer,infer,onnxruntime,2,1,4,4.000,3.500,4.500,auto,fp32
net:nb201:333123:n1:infer,infer,onnxruntime,2,1,1,1.000,0.900,1.100,auto,fp32
C
peers --from "$tmp/a.csv,$tmp/b.csv" --markdown "$tmp/new.md"
[ $? -eq 0 ] && grep -qE '^# Gram matrix 256 x 16384 +1 +1 +2.00 +2.00 +1.0 n256d16384 +met$' "$tmp/out" &&
    grep -qE '^# training step of index 0, batch 32 +1 +1 +2.40 +2.40 +2.5 .* NOT met$' "$tmp/out"
result "the fastest of a peer's ways counts, other groups' peers do not" $? "$(cat "$tmp/out")"
grep -qE '^# training step, batch 32, all limited to AVX2 +1 +1 +1.30 +1.30 +1.2 .* met$' "$tmp/out"
result "rows of AVX2 are of AVX2's groups only" $? "$(cat "$tmp/out")"
grep -qE '^# latency, batch 1 +2 +2 +2.00 +1.00 +1.8 nb201:333123:n1:infer +met by the mean$' "$tmp/out"
result "a mean is geometric, and a bar can be met by it alone" $? "$(cat "$tmp/out")"
grep -q '^hdnas 1, two processors.$' "$tmp/new.md" && grep -qF '| Gram matrix 256 x 16384 | 1 | 1 | 2.00 | 2.00 | n256d16384 | 1.0 | met |' "$tmp/new.md" &&
    grep -qF '| nb201:421211:n32:train (avx2) | 10 | torch-default | 13 | 1.30 (1.20 to 1.40) |' "$tmp/new.md"
result "the tables as Markdown" $? "$(cat "$tmp/new.md")"
printf '# Before\n\n%s\nold figures\n%s\n\nAfter.\n' "$(head -1 "$tmp/new.md")" "$(tail -1 "$tmp/new.md")" >"$tmp/doc.md"
peers --from "$tmp/a.csv" --markdown "$tmp/doc.md" && ! grep -q 'old figures' "$tmp/doc.md" && [ "$(head -1 "$tmp/doc.md")" = '# Before' ] &&
    [ "$(tail -1 "$tmp/doc.md")" = After. ] && grep -q 'Gram matrix' "$tmp/doc.md"
result "put between the marks of a file that is there" $? "$(cat "$tmp/out" "$tmp/doc.md")"
echo 'my thesis' >"$tmp/mine.md"
! peers --from "$tmp/a.csv" --markdown "$tmp/mine.md" && [ "$(cat "$tmp/mine.md")" = 'my thesis' ] && grep -q 'no place' "$tmp/out"
result "a file without marks is left alone" $? "$(cat "$tmp/out")"
python3 bench/peers/report.py "$tmp/both.md" "$tmp/new.md" "$tmp/doc.md" >"$tmp/out" 2>&1 &&
    grep -qF '| latency, batch 1 | 2 | 1.8 | 2.00 (1.00) | not measured |' "$tmp/both.md" &&
    grep -qF '| training step of index 0, batch 32 | 1 | 2.5 | **2.40** (2.40) | **2.40** (2.40) |' "$tmp/both.md"
result "pages of two machines side by side" $? "$(cat "$tmp/out" "$tmp/both.md")"
! python3 bench/peers/report.py "$tmp/both.md" "$tmp/mine.md" >"$tmp/out" 2>&1 && grep -q 'has no table of groups' "$tmp/out"
result "a page without a table is refused" $? "$(cat "$tmp/out")"
cp docs/PERFORMANCE.md "$tmp/docs.md" &&
    python3 bench/peers/report.py "$tmp/docs.md" docs/performance/zen5.md docs/performance/zen4.md >"$tmp/out" 2>&1 &&
    cmp docs/PERFORMANCE.md "$tmp/docs.md" >>"$tmp/out" 2>&1
result "docs/PERFORMANCE.md tells what its pages say" $? "$(cat "$tmp/out")"
echo "1..$n"
