#!/bin/sh
# Every disentanglement metric against numpy (tests/numpy/metrics.py): the same definitions, draws and rows, written
# twice. 360 rows, so that the trees' bins hold one value each; two, three and five values a factor, so that two classes
# and several are both seen. Sums in double of some hundred terms: 1e-9; shares of rows told rightly: exact but for a row
# on a border, of 120. Skipped where numpy is absent. Prints TAP.
set -u
cd "$(dirname "$0")/.." || exit 1
hdnas=${HDNAS:-./hdnas}
python=/usr/bin/python3
"$python" -c 'import numpy' 2>/dev/null || { echo "ok 1 metrics against numpy # SKIP python3-numpy is not installed"; echo "1..1"; exit 0; }
work=$(mktemp -d "${TMPDIR:-/tmp}/hdnas-metrics-XXXXXX") || exit 1
trap 'rm -rf "$work"' EXIT
n=0
for seed in 1 2; do
    "$python" - "$work" "$seed" <<'EOF'
import sys
import numpy as np
rng, n = np.random.default_rng(int(sys.argv[2])), 360
factors = np.stack([rng.integers(0, card, n) for card in (2, 3, 5)], 1)
mix = np.array([[1.2, .5, 0, .7], [.6, 1, .1, -.4], [.3, -.6, .5, .6]])
codes = factors @ mix + rng.normal(size=(n, 4)) * [1, 1.4, 2.5, 1.2]
logvar = rng.normal(size=(n, 4)) / 2 - 2
np.savetxt(sys.argv[1] + '/codes.csv', np.concatenate([codes, logvar], 1), delimiter=',', fmt='%.7g', comments='',
           header='a,b,c,d,logvar_a,logvar_b,logvar_c,logvar_d')
np.savetxt(sys.argv[1] + '/factors.csv', factors, delimiter=',', fmt='%d', comments='', header='p,q,r')
EOF
    "$python" tests/numpy/metrics.py "$work/codes.csv" "$work/factors.csv" --seed "$seed" --draws 200 >"$work/numpy" 2>"$work/err"
    "$hdnas" disentangle "$work/codes.csv" "$work/factors.csv" --seed "$seed" --draws 200 --json >"$work/ours" 2>>"$work/err"
    [ -s "$work/err" ] && sed 's/^/# /' "$work/err"
    "$python" - "$work" "$seed" "$n" <<'EOF'
import json, sys
ours = json.load(open(sys.argv[1] + '/ours'))['values']
theirs = dict(line.split() for line in open(sys.argv[1] + '/numpy'))
n = int(sys.argv[3])
for name in ours:
    n += 1
    a, b = ours[name], float(theirs.pop(name, 'nan'))
    within = 1 / 120 + 1e-9 if name in ('sap', 'dci_informativeness', 'factorvae', 'betavae') else 1e-9 * max(1, abs(b))
    print('ok' if abs(a - b) <= within else 'not ok', n, name, 'seed', sys.argv[2])
    print(f'# {name}: {a!r}, numpy {b!r}')
n += 1
print('not ok' if theirs or len(ours) != 16 else 'ok', n, 'nothing is left out', *theirs)
EOF
    n=$((n + 17))
done
echo "1..$n"
