#!/bin/sh
# hdnas data fetch, from the outside: the official MNIST or Fashion-MNIST files, where they are at hand, served by
# Python on 127.0.0.1; exit codes and what is left in the folder. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
data=${HDNAS_TEST_DATA:-../shared/data}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-test-XXXXXX") || exit 1
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$tmp"' EXIT
no_proxy=127.0.0.1
export no_proxy
n=0
result() { # result NAME: ok if the last command was
    code=$?
    n=$((n + 1))
    if [ "$code" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; sed 's/^/# /' "$tmp/err" "$tmp/out" | head -10; fi
}
run() { # run CODE ARGS...: hdnas ARGS ends with CODE
    want=$1
    shift
    "$hdnas" "$@" >"$tmp/out" 2>"$tmp/err"
    [ $? -eq "$want" ]
}

run 2 data fetch imagenet && grep -q 'expected one of cifar10, cifar100, mnist, fashion-mnist' "$tmp/err"
result "an unknown name ends with 2 and names the known ones"
run 2 data fetch
result "a missing name ends with 2"
run 1 data fetch mnist --out "$tmp/none" --url http://127.0.0.1:1/ && [ -z "$(ls -A "$tmp/none" | grep -v '\.part$')" ]
result "an unreachable server ends with 1 and leaves no file"

if [ ! -f "$data/mnist/train-images-idx3-ubyte.gz" ]; then
    for name in "right files" "JSON" "again" "wrong checksum" "missing file" "unchanged"; do
        n=$((n + 1)); echo "ok $n $name # SKIP no $data/mnist"
    done
    echo "1..$n"
    exit 0
fi
mkdir "$tmp/www"
cp "$data"/mnist/*.gz "$tmp/www/"
chmod u+w "$tmp/www"/*
: >"$tmp/server"
python3 -u -m http.server --bind 127.0.0.1 --directory "$tmp/www" 0 >"$tmp/server" 2>&1 &
server=$!
port=
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
    port=$(sed -n 's/.*port \([0-9]*\).*/\1/p' "$tmp/server")
    [ -n "$port" ] && break
    sleep 0.5
done
url=http://127.0.0.1:$port/

run 0 data fetch mnist --out "$tmp/got" --url "$url" && grep -q "mnist:$tmp/got" "$tmp/out" &&
    [ "$(ls -A "$tmp/got" | wc -l)" -eq 4 ] && cmp -s "$tmp/got/train-images-idx3-ubyte.gz" "$tmp/www/train-images-idx3-ubyte.gz" &&
    run 0 data info "mnist:$tmp/got" && grep -q '60000 images, 28 x 28 x 1' "$tmp/out"
result "the right files are put in place and can be used"
rm "$tmp/got/t10k-labels-idx1-ubyte.gz"
run 0 data fetch mnist --out "$tmp/got" --url "$url" --json &&
    python3 -c 'import json, sys; d = json.load(open(sys.argv[1])); assert d["spec"] == "mnist:" + sys.argv[2]' \
        "$tmp/out" "$tmp/got"
result "one missing file is fetched alone, and --json says where it is"
before=$(grep -c GET "$tmp/server")
run 0 data fetch mnist --out "$tmp/got" --url "$url" && [ "$(grep -c GET "$tmp/server")" -eq "$before" ]
result "what is there is not fetched again"
printf x >>"$tmp/www/t10k-images-idx3-ubyte.gz"
run 3 data fetch mnist --out "$tmp/bad" --url "$url" && grep -q 'expected the checksum' "$tmp/err" &&
    [ -z "$(ls -A "$tmp/bad" | grep -v '\.part$')" ]
result "a wrong checksum ends with 3 and leaves no file"
rm "$tmp/www/t10k-images-idx3-ubyte.gz"
run 1 data fetch mnist --out "$tmp/bad" --url "$url" && grep -q 'status 404' "$tmp/err" &&
    [ -z "$(ls -A "$tmp/bad" | grep -v '\.part$')" ]
result "a missing page ends with 1 and leaves no file"
cp "$data/mnist/t10k-images-idx3-ubyte.gz" "$tmp/www/"
run 0 data fetch mnist --out "$tmp/bad" --url "$url" && [ "$(ls -A "$tmp/bad" | wc -l)" -eq 4 ]
result "the next try completes the set"
echo "1..$n"
