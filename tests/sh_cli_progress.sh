#!/bin/sh
# Progress belongs on a terminal: bar, count, rate and time left, taken away at the end; nothing in a pipe, with
# --quiet or on a dumb terminal. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-progress-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
if ! python3 -c 'import pty; pty.openpty()' 2>/dev/null; then
    echo "ok 1 progress on a terminal # SKIP this machine gives out no pseudo terminals"
    exit 0
fi
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | cat -v | sed 's/^/# /'; fi
}
for i in 1 2 3 4 5 6; do echo gemm:m64n64k64; done >"$tmp/problems" # 6 x 3 x 50 ms
job="bench --threads 1 --repeats 3 --min-ms 50 --no-check $tmp/problems"
erase=$(printf '\r\033[K')

TERM=xterm python3 tests/terminal.py err "$hdnas" $job >"$tmp/tty"
result "the job ends well on a terminal" $?
count=$(tr '\r' '\n' <"$tmp/tty" | grep -c ' [1-5]/6 problems')
[ "$count" -ge 3 ]
result "the count goes up" $? "$(cat "$tmp/tty")"
tr '\r' '\n' <"$tmp/tty" | grep -q '/6 problems, .*s.*, .* left, '
result "with rate, time left and a note" $? "$(cat "$tmp/tty")"
tr '\r' '\n' <"$tmp/tty" | sed 's/\x1b\[K//' | awk '{ gsub(/[\xe2][\x96][\x80-\xbf]/, "x") } length > 99 { exit 1 }'
result "on one line of the terminal" $? "$(cat "$tmp/tty")"
tail=$(sed 's/.*\r//' "$tmp/tty" | tail -2 | head -1)
case $(cat "$tmp/tty") in *"$erase"peak* | *"$erase"*peak*) true ;; *) false ;; esac
result "and is taken away before anything else is said" $? "$tail"

"$hdnas" $job >/dev/null 2>"$tmp/err"
! grep -q problems "$tmp/err" && ! grep -q "$(printf '\033')" "$tmp/err"
result "nothing of it in a pipe" $? "$(cat "$tmp/err")"
TERM=dumb python3 tests/terminal.py err "$hdnas" $job >"$tmp/tty"
! grep -q problems "$tmp/tty" && ! grep -q "$(printf '\033')" "$tmp/tty"
result "nor on a dumb terminal" $? "$(cat "$tmp/tty")"
TERM=xterm python3 tests/terminal.py err "$hdnas" $job --quiet >"$tmp/tty"
[ ! -s "$tmp/tty" ]
result "nor with --quiet" $? "$(cat "$tmp/tty")"
echo "1..$n"
