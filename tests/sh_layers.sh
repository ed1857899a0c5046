#!/bin/sh
# The shape of the house, held by machine: forbidden includes, headers that compile alone, global names that begin with
# their file's stem, wide registers only where the file's name grants them, memory and #if only where they belong.
# Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
n=0
result() { # result NAME FINDINGS: ok if there are none
    n=$((n + 1))
    if [ -z "$2" ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "$2" | head -20 | sed 's/^/# /'; fi
}
includes() { grep -nE "^#include \"($2)/" "$1"/*.c "$1"/*.h "$1"/*/*.c "$1"/*/*.h 2>/dev/null; }

result "core includes core only" "$(includes core 'nn|data|nas|cli|tests|bench')"
result "nn includes nn and core only" "$(includes nn 'data|nas|cli|tests|bench')"
result "data includes data and core only" "$(includes data 'nn|nas|cli|tests|bench')"
result "nas includes nas, nn and core only" "$(includes nas 'data|cli|tests|bench')"
result "cli includes no tests, no bench" "$(includes cli 'tests|bench')"
result "kernels see base, kernel.h, simd headers and templates only" \
    "$(grep -nE '^#include "' core/kernels/*.[ch] | grep -vE '"core/(base\.h|kernel\.h|kernel(_bf16)?\.def|simd_[a-z0-9]+\.h|kernels/[a-z0-9_]+\.h)"')"
result "rooms do not include their tables" \
    "$(grep -nE '#include "nas/(searches|spaces)\.h"|#include "nn/models\.h"' nas/search_*.c nas/space_*.c nn/model_*.c 2>/dev/null | grep -v '_H')"
result "reports read runs from files, not from searches" \
    "$(grep -nE '#include "nas/(run|run_state|search|score|cost)\.h"' cli/report*.c cli/plot.c cli/report*.h 2>/dev/null)"

found=
for h in core/*.h nn/*.h data/*.h nas/*.h cli/*.h; do
    case $h in core/simd_a[vm]*.h | core/simd_neon.h) continue ;; esac # these need the flags their name grants
    ${CC:-gcc} -std=c11 -I. -fsyntax-only -x c "$h" 2>/dev/null || found="$found$h does not compile alone
"
done
result "headers compile alone" "$found"

found=
for o in $(find "$build/core" "$build/nn" "$build/data" "$build/nas" "$build/cli" -name '*.o' 2>/dev/null); do
    src=${o#"$build"/}; src=${src%.o}.c
    [ -f "$src" ] || continue
    stem=$(basename "$o" .o)
    # kernels: <family>_..._<isa> in file <family>_<isa>; tables of commands and rooms: cmd_x, op_x ...
    isa= ; case $src in core/kernels/*) isa=${stem##*_}; stem=${stem%_*} ;; esac
    bad=$(nm --defined-only -g "$o" 2>/dev/null | awk -v s="$stem" -v i="$isa" '
        $2 ~ /[TDBRC]/ { name = $3; if (name == "main" || name ~ /^\.gomp_critical/) next
            # A table file (plural) holds the functions of its contract (singular): searches.c -> search_find.
            one = s; sub(/es$/, "", one); two = s; sub(/s$/, "", two)
            if (index(name, s) != 1 && index(name, one "_") != 1 && index(name, two "_") != 1) print name
            else if (i != "" && name !~ ("__" i "$")) print name }')
    [ -z "$bad" ] || found="$found$src: $(echo $bad)
"
done
result "global names begin with their file's stem" "$found"

found=
for o in $(find "$build/core" "$build/nn" "$build/data" "$build/nas" "$build/cli" -name '*.o' 2>/dev/null); do
    [ -f "$(echo "${o#"$build"/}" | sed 's/\.o$/.c/')" ] || continue
    case $o in *_avx512.o | *_avx512bf16.o | *_amx.o) continue ;; *_avx2.o) wide='%zmm' ;; *) wide='%[yz]mm' ;; esac
    objdump -d "$o" 2>/dev/null | grep -qE "$wide" && found="$found$o uses ${wide#%}
"
done
result "wide registers only in files whose name grants them" "$found"

result "no march=native, no ffast-math" "$(grep -nE 'march=native|ffast-math' Makefile)"
result "malloc and free only in arena.c and threads.c" \
    "$(grep -nE '\b(malloc|calloc|realloc|free)\(' core/*.c core/kernels/*.c nn/*.c data/*.c nas/*.c cli/*.c | grep -vE '^core/(arena|threads)\.c|^data/decode\.c')"
result "exit and printing only in cli" \
    "$(grep -nE '\b(exit|printf|puts|perror)\(|fprintf\(std' core/*.c core/kernels/*.c nn/*.c data/*.c nas/*.c | grep -vE '^core/base\.c|s(n)?printf|_printf')"
result "processor and system #if only where they belong" \
    "$(grep -nE '^ *#\s*(if|ifdef|ifndef) ' core/*.[ch] core/kernels/*.[ch] nn/*.[ch] data/*.[ch] nas/*.[ch] cli/*.[ch] | grep -vE '_H\b|^core/(cpu|clock|file|threads|kernels|simd_[a-z0-9]+)\.[ch]|^data/decode\.c|^cli/version\.c')"
found=
for o in $(find "$build/core" "$build/nn" "$build/data" "$build/nas" "$build/cli" -name '*.o' 2>/dev/null); do
    [ -f "$(echo "${o#"$build"/}" | sed 's/\.o$/.c/')" ] || continue
    case $o in */cli/signals.o) continue ;; esac # the flag that a signal sets
    # Objects in .data or .bss; constants with addresses in them live in .data.rel.ro. stb_image keeps three of its own.
    bad=$(objdump -t "$o" | awk '$0 ~ /[ \t]\.(data|bss|tdata|tbss)(\.[A-Za-z]|[ \t])/ && $0 !~ /\.data\.rel\.ro/ && $0 ~ / O / { print $NF }' |
        grep -vE '^(stbi__|invalid_chunk|gomp_critical)')
    [ -z "$bad" ] || found="$found$o: $(echo $bad)
"
done
result "no mutable globals" "$found"
echo "1..$n"
