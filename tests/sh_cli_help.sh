#!/bin/sh
# The face of the program: help, errors with hints, exit codes, JSON, colour only where it is wanted. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
tmp=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-help-XXXXXX") || exit 1
trap 'rm -rf "$tmp"' EXIT
n=0
result() { # result NAME STATUS [WHY]
    n=$((n + 1))
    if [ "$2" -eq 0 ]; then echo "ok $n $1"; else echo "not ok $n $1"; printf '%s\n' "${3:-}" | head -20 | sed 's/^/# /'; fi
}
run() { # run ARGS: output in $tmp/out and $tmp/err, status in $code
    "$hdnas" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
    code=$?
}
both() { cat "$tmp/out" "$tmp/err"; }
# An error: this exit code, nothing on stdout, the word in the error, a hint behind it.
is_error() { # is_error CODE WORD
    [ "$code" -eq "$1" ] && [ ! -s "$tmp/out" ] && grep -q "^hdnas: error: .*$2" "$tmp/err" && grep -q '^  hint: ..' "$tmp/err"
}

commands=$("$hdnas" info --json | python3 -c 'import json,sys; print(*json.load(sys.stdin)["commands"])')
[ -n "$commands" ]
result "info --json lists the commands" $?

run --help
missing=
for c in $commands "Exit codes" Examples Environment; do grep -q "^ *$c" "$tmp/out" || missing="$missing $c"; done
[ "$code" -eq 0 ] && [ ! -s "$tmp/err" ] && [ -z "$missing" ]
result "--help names every command" $? "lacks$missing"
cp "$tmp/out" "$tmp/help"
run help && cmp -s "$tmp/out" "$tmp/help"
result "help is the same" $?
run
[ "$code" -eq 2 ] && [ ! -s "$tmp/out" ] && cmp -s "$tmp/err" "$tmp/help"
result "no command: help on standard error, exit 2" $?
run --version
[ "$code" -eq 0 ] && grep -q '^hdnas .' "$tmp/out"
result "--version" $?

for c in $commands; do
    run "$c" --help
    missing=
    for w in "^hdnas $c: ..*" ^Usage "^  hdnas $c" ^Examples '^Exit codes' '^  --json' '^  --quiet' '^  --help'; do
        grep -q -e "$w" "$tmp/out" || missing="$missing $w"
    done
    [ "$code" -eq 0 ] && [ ! -s "$tmp/err" ] && [ -z "$missing" ]
    result "$c --help" $? "lacks$missing"
    long=$(COLUMNS=80 "$hdnas" "$c" --help | sed '/^Examples/,/^$/d; /^Usage/,/^$/d' | awk 'length > 80')
    [ -z "$long" ]
    result "$c --help fits 80 columns" $? "$long"
    cp "$tmp/out" "$tmp/help-$c"
    # Every option that help shows is one that the command knows: its first letters are worth a suggestion.
    unknown=
    for o in $(sed -n 's/^  --\([a-z0-9-]*\).*/\1/p' "$tmp/out"); do
        "$hdnas" "$c" "--${o}x" 2>&1 >/dev/null </dev/null | grep -q "unknown option --${o}x" || unknown="$unknown $o"
    done
    [ -z "$unknown" ]
    result "$c refuses what is almost an option" $? "took$unknown"
    run help "$c" && grep -q "^hdnas $c: " "$tmp/out"
    result "help $c" $?
    run "$c" --no-such-option-here
    is_error 2 "unknown option --no-such-option-here"
    result "$c: an unknown option is exit 2 with a hint" $? "exit $code: $(both)"
    grep -q '^  --threads' "$tmp/help-$c" || continue
    run "$c" --threads 99999
    is_error 2 "from 0 to 1024"
    result "$c: a range error states the range" $? "exit $code: $(both)"
    run "$c" --threads
    is_error 2 "needs a value"
    result "$c: a missing value is said" $? "exit $code: $(both)"
done

run serach
is_error 2 "unknown command serach"
result "an unknown command is exit 2" $? "$(both)"
run ifno
grep -q 'did you mean info?' "$tmp/err"
result "the nearest command is suggested" $? "$(both)"
run info --jsno
grep -q 'did you mean --json?' "$tmp/err"
result "the nearest option is suggested" $? "$(both)"
run info --cpu pentium
is_error 2 pentium
result "an unknown tier is exit 2" $? "$(both)"
run info extra
is_error 2 extra
result "a stray argument is exit 2" $? "$(both)"

out=$("$hdnas" info --json | python3 -c 'import json,sys
info = json.load(sys.stdin)
wanted = "version compiler cpu tiers tier processors threads memory_bytes commands".split()
assert not [k for k in wanted if not info[k]], info
assert info["tier"] in info["tiers"] and "ref" in info["tiers"], info
' 2>&1)
result "info --json tells the machine" $? "$out"
for t in $("$hdnas" info --json | python3 -c 'import json,sys; print(*json.load(sys.stdin)["tiers"])'); do
    [ "$("$hdnas" info --json --cpu "$t" | python3 -c 'import json,sys; print(json.load(sys.stdin)["tier"])')" = "$t" ]
    result "--cpu $t is obeyed" $?
done
if [ -w /dev/full ]; then
    "$hdnas" info >/dev/full 2>"$tmp/err"
    [ $? -eq 1 ] && grep -q 'cannot write to standard output' "$tmp/err"
    result "a full disk under stdout is exit 1" $? "$(cat "$tmp/err")"
else
    n=$((n + 1)) && echo "ok $n a full disk under stdout # SKIP no /dev/full"
fi

# On a terminal: colour, unless NO_COLOR or TERM=dumb; in a pipe never.
pty() {
    case $(env "$@" python3 tests/terminal.py out "$hdnas" --help) in
        *"$(printf '\033')["*) echo colour ;;
        *Usage*) echo plain ;;
    esac
}
if python3 -c 'import pty; pty.openpty()' 2>/dev/null; then
    out=$(pty TERM=xterm NO_COLOR=)
    [ "$out" = colour ]
    result "colour on a terminal" $? "$out"
    out=$(pty TERM=xterm NO_COLOR=1)
    [ "$out" = plain ]
    result "none with NO_COLOR" $? "$out"
    out=$(pty TERM=dumb NO_COLOR=)
    [ "$out" = plain ]
    result "none on a dumb terminal" $? "$out"
else
    n=$((n + 1)) && echo "ok $n colour on a terminal # SKIP this machine gives out no pseudo terminals"
fi
! grep -q "$(printf '\033')" "$tmp/help"
result "none in a pipe" $?

out=$(HDNAS=$hdnas sh docs/cli.sh | diff - docs/cli.md)
result "docs/cli.md says what --help says (else: sh docs/cli.sh >docs/cli.md)" $? "$out"

python3 - "$hdnas" <<'EOF'
import subprocess, sys, time
times = []
for _ in range(20):
    start = time.perf_counter()
    subprocess.run([sys.argv[1], "info", "--json"], stdout=subprocess.DEVNULL)
    times.append(1e3 * (time.perf_counter() - start))
print(f"# start-up: hdnas info takes {sorted(times)[10]:.1f} ms in the median of 20")
EOF
echo "1..$n"
