#!/bin/sh
# The same bits whichever flavour of OpenBLAS is installed (pthread, openmp, serial), on one thread and on two. Flavours
# that are absent are skipped; with none in Debian's place the installed one is held on both thread counts. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
n=0 want=
scores() { ./hdnas score --quiet --steps 2 "$@" 13714 421211 2>/dev/null | cut -d, -f2-3; }
want=$(scores --threads 1)
n=$((n + 1))
if [ -n "$want" ] && [ "$want" = "$(scores --threads 2)" ]; then echo "ok $n installed flavour"; else echo "not ok $n installed flavour"; fi
for flavour in pthread openmp serial; do
    n=$((n + 1))
    dir=$(ls -d /usr/lib/*/openblas-$flavour 2>/dev/null | head -1)
    if [ -z "$dir" ]; then echo "ok $n openblas-$flavour # SKIP not installed"; continue; fi
    one=$(LD_LIBRARY_PATH=$dir scores --threads 1) two=$(LD_LIBRARY_PATH=$dir scores --threads 2)
    if [ "$one" = "$want" ] && [ "$two" = "$want" ]; then echo "ok $n openblas-$flavour"; else
        echo "not ok $n openblas-$flavour"; printf '%s\n%s\n%s\n' "$want" "$one" "$two" | sed 's/^/# /'
    fi
done
echo "1..$n"
