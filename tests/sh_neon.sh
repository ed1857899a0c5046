#!/bin/sh
# The kernels for AArch64: all of core is compiled by Debian's cross compiler, and every NEON kernel is held to its plain C
# twin under qemu-user. Skipped where one of the two is missing. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
cc=aarch64-linux-gnu-gcc qemu=${QEMU_AARCH64:-}
[ -n "$qemu" ] || for q in qemu-aarch64 qemu-aarch64-static; do command -v $q >/dev/null && qemu=$q && break; done
for need in "$cc:gcc-aarch64-linux-gnu" "${qemu:-qemu-aarch64}:qemu-user"; do
    if ! command -v "${need%%:*}" >/dev/null; then
        echo "ok 1 NEON kernels # SKIP no ${need%%:*} (apt-get install ${need#*:})"
        echo 1..1
        exit 0
    fi
done
build=${BUILD:-build}/neon
mkdir -p "$build"
log=$build/make.log
# What needs a foreign library (OpenSSL, BLAS) is stood in for by tests/cross/absent.c, cmocka by tests/cross/cmocka.h.
objects=$(ls core/*.c core/kernels/*_ref.c core/kernels/*_neon.c tests/cross/absent.c tests/test_core_kernels.c \
    tests/test_core_conv.c tests/test_core_numerics.c | grep -vE 'core/(digest|file|gemm_blas)\.c' | sed "s|^|$build/|; s|c\$|o|")
if ! CFLAGS="-Itests/cross" OPT=-O2 make --no-print-directory -j2 CC=$cc BUILD="$build" PROGRAM="$build/none" $objects >"$log" 2>&1; then
    echo "not ok 1 core compiles for AArch64"
    grep -iE 'error' "$log" | head -10 | sed 's/^/# /'
    echo 1..1
    exit 1
fi
bad=0
if grep -q 'warning:' "$log"; then
    echo "not ok 1 core compiles for AArch64 without a warning"
    grep 'warning:' "$log" | head -10 | sed 's/^/# /'
    bad=1
else
    echo "ok 1 core compiles for AArch64 without a warning"
fi
# The kernels against their twins, and beside it, on the other processor, what is made of them against the definition:
# convolutions of random shapes by every algorithm, products, norms, pools (the rest takes too long in an emulator).
some="test_conv_random_shapes test_conv_refuses_nonsense test_gemm test_norm test_norm_edges test_pool test_vec test_nothing_to_do"
library=$(echo "$objects" | grep -v '/test_core_')
run() { # run NAME: its results in $build/NAME.tap, its end in $build/NAME.code
    $cc -static -fopenmp -o "$build/$1" "$build/tests/$1.o" $library -lm 2>"$build/$1.err" &&
        $qemu "$build/$1" >"$build/$1.tap" 2>"$build/$1.err"
    echo $? >"$build/$1.code"
}
rm -f "$build"/test_core_*.tap
run test_core_kernels &
(CROSS_ONLY=$some; export CROSS_ONLY; run test_core_conv; run test_core_numerics)
wait
n=1
for t in test_core_kernels test_core_conv test_core_numerics; do
    [ "$(cat "$build/$t.code")" -eq 0 ] || bad=1
    if ! grep -q '^1\.\.[1-9]' "$build/$t.tap" 2>/dev/null; then
        n=$((n + 1))
        echo "not ok $n $t ends with status $(cat "$build/$t.code") under $qemu"
        head -10 "$build/$t.err" | sed 's/^/# /'
        continue
    fi
    # Numbered on from the results before.
    awk -v n=$n '/^(not )?ok / { i = ($1 == "not") ? 3 : 2; $i += n } !/^1\.\./ { print }' "$build/$t.tap"
    n=$((n + $(grep -cE '^(not )?ok ' "$build/$t.tap")))
done
echo "1..$n"
exit $bad
