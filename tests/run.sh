#!/bin/sh
# Run every test: programs built from tests/test_*.c and scripts tests/sh_*.sh, each printing TAP. Ends with one line
# "N passed, N failed, N skipped". Exit 1 if anything failed or a program ended without a plan's worth of results.
#   usage: tests/run.sh [name ...]      only those whose file name contains one of the words
set -u
cd "$(dirname "$0")/.." || exit 1
build=${BUILD:-build}
# Idle threads sleep: spinning ones starve each other where processors are shared.
export OMP_WAIT_POLICY=${OMP_WAIT_POLICY:-passive}
logs=$build/test-logs
mkdir -p "$logs"
passed=0 failed=0 skipped=0
wanted() {
    [ $# -gt 1 ] || return 0
    file=$1; shift
    for word in "$@"; do case $file in *"$word"*) return 0 ;; esac; done
    return 1
}
for t in "$build"/tests/test_* tests/sh_*.sh; do
    case $t in *.o | *.d) continue ;; esac
    [ -f "$t" ] || continue
    wanted "$t" "$@" || continue
    name=$(basename "$t")
    log=$logs/$name.tap
    start=$(date +%s)
    case $t in
        *.sh) BUILD=$build sh "$t" >"$log" 2>"$log.err" ;;
        *) CMOCKA_MESSAGE_OUTPUT=TAP "$t" >"$log" 2>"$log.err" ;;
    esac
    code=$?
    # cmocka prints skips as "not ok N # SKIP name"; TAP as "ok N name # SKIP why".
    s=$(grep -cE '^(not )?ok .*# *SKIP' "$log")
    p=$(grep -E '^ok ' "$log" | grep -cvE '# *SKIP')
    f=$(grep -E '^not ok ' "$log" | grep -cvE '# *SKIP')
    if [ "$code" -ne 0 ] && [ "$f" -eq 0 ]; then f=1; echo "not ok - $name ended with status $code" >>"$log"; fi
    if [ "$code" -eq 0 ] && [ $((s + p + f)) -eq 0 ]; then f=1; echo "not ok - $name ran no test" >>"$log"; fi
    printf '%-34s %4d ok %3d failed %3d skipped %4ds\n' "$name" "$p" "$f" "$s" $(($(date +%s) - start))
    [ "$s" -eq 0 ] || grep -E '# *SKIP' "$log" | sed 's/^/    skipped: /' | head -5
    if [ "$f" -ne 0 ]; then
        grep -vE '^(ok|1\.\.)' "$log" | head -30 | sed 's/^/    /'
        tail -20 "$log.err" | sed 's/^/    /'
    fi
    passed=$((passed + p)) failed=$((failed + f)) skipped=$((skipped + s))
done
echo "$passed passed, $failed failed, $skipped skipped"
[ "$failed" -eq 0 ] && [ "$passed" -gt 0 ]
