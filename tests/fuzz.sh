#!/bin/sh
# Fuzz every parser under AddressSanitizer and UBSan with clang's libFuzzer. Not part of make check: run it after a
# change to a parser. Stops at the first finding and leaves the input in BUILD/fuzz.
#   usage: tests/fuzz.sh [SECONDS for each, 60] [name ...]
set -eu
cd "$(dirname "$0")/.."
seconds=${1:-60}
[ $# -eq 0 ] || shift
build=${BUILD:-build}/fuzz
mkdir -p "$build"
names=${*:-$(ls tests/fuzz_*.c | sed 's,tests/fuzz_,,; s,\.c$,,')}
sources='core/arena.c core/base.c core/csv.c core/err.c core/file.c core/pickle.c core/pickle_call.c core/pickle_stack.c core/number.c core/rng.c '$(ls data/*.c)
# Seeds: the pictures of the tests, and whatever small files are in the repository.
mkdir -p "$build/seeds_decode" "$build/seeds_tables" "$build/seeds_pickle"
python3 tests/make_pickles.py "$build/seeds_pickle"
find "$build/seeds_pickle" -size +15k -delete
python3 - "$build/seeds_decode" <<'END'
import re, sys
for name, body in re.findall(r'pictures_(\w+)\[\d+\] = \{([^}]*)\}', open('tests/pictures.h').read()):
    open(f'{sys.argv[1]}/{name}', 'wb').write(bytes(int(x) for x in body.replace('\n', ' ').split(',') if x.strip()))
open(f'{sys.argv[1]}/pgm', 'wb').write(b'P5 3 2 65535\n' + bytes(12))
open(f'{sys.argv[1]}/ppm', 'wb').write(b'P6\n# x\n3 2 200\n' + bytes(18))
head = lambda n, w, h, bpp: b'BM' + n.to_bytes(4, 'little') + bytes(4) + (54).to_bytes(4, 'little') + (40).to_bytes(4, 'little') \
    + w.to_bytes(4, 'little') + h.to_bytes(4, 'little') + b'\1\0' + bytes([bpp, 0]) + bytes(24)
open(f'{sys.argv[1]}/bmp24', 'wb').write(head(54 + 24, 2, 3, 24) + bytes(24))
open(f'{sys.argv[1]}/bmp32', 'wb').write(head(54 + 24, 2, 3, 32) + bytes(24))
END
python3 - "$build/seeds_tables" <<'END'
import gzip, io, sys, tarfile
d = sys.argv[1]
open(f'{d}/csv', 'wb').write(b'\0a,"b ""c""",d\r\n1,"2\n3",4\r\n-1e3,,x\n')
idx = b'\0\0\x08\1\0\0\0\3abc'
open(f'{d}/idx', 'wb').write(b'\1' + idx)
open(f'{d}/idxgz', 'wb').write(b'\1' + gzip.compress(idx, mtime=0))
open(f'{d}/idx3', 'wb').write(b'\1\0\0\x08\3\0\0\0\2\0\0\0\1\0\0\0\2abcd')
f = io.BytesIO()
with tarfile.open(fileobj=f, mode='w', format=tarfile.USTAR_FORMAT) as t:
    for name in 'a.bin', 'b.bin':
        info = tarfile.TarInfo('x/' + name)
        info.size = 3
        t.addfile(info, io.BytesIO(b'abc'))
open(f'{d}/tar', 'wb').write(b'\2' + f.getvalue()[:3072])
END
for name in $names; do
    mkdir -p "$build/corpus_$name" "$build/seeds_$name"
    # shellcheck disable=SC2086
    ${CLANG:-clang} -std=c11 -O1 -g -I. -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined \
        -o "$build/fuzz_$name" "tests/fuzz_$name.c" $sources -lz -lcrypto -lm
    echo "== $name, $seconds s"
    "$build/fuzz_$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -max_len=16384 \
        -artifact_prefix="$build/" "$build/corpus_$name" "$build/seeds_$name" >"$build/$name.log" 2>&1 ||
        { tail -30 "$build/$name.log"; exit 1; }
    tail -1 "$build/$name.log"
done
