#!/bin/sh
# Candidates in parallel: seconds to score the same random cells of NAS-Bench-201 with 1, 2, ... workers, in turns, by the
# clock; wants a quiet machine. Start-up and reference are inside. Scores must not depend on the number of workers.
#   usage: workers.sh [WORKERS...]        default 1 2; on 16 cores: workers.sh 1 2 4 8 16
#   CELLS=40 ROUNDS=5 OPTIONS='--steps 10' HDNAS=./hdnas        (OPTIONS of hdnas score: --data, --reference ...)
set -eu
cd "$(dirname "$0")/../.."
exec python3 - "$@" <<'P'
import os, statistics, subprocess, sys, time
sys.dont_write_bytecode = True
sys.path.insert(0, "bench/peers")
from groups import cells
workers = [int(w) for w in sys.argv[1:]] or [1, 2]
n, rounds = int(os.environ.get("CELLS", 40)), int(os.environ.get("ROUNDS", 5))
options = os.environ.get("OPTIONS", "--steps 10").split()
codes = [c.split(":")[1] for c in cells(n)]
seconds, scores = {w: [] for w in workers}, {}
for _ in range(rounds):
    for w in workers:
        start = time.perf_counter()
        out = subprocess.run([os.environ.get("HDNAS", "./hdnas"), "score", "--quiet", "--threads", str(w)] + options + codes,
                             stdout=subprocess.PIPE, text=True)
        seconds[w].append(time.perf_counter() - start)
        if out.returncode:
            sys.exit(out.returncode)
        found = [line.rsplit(",", 1)[0] for line in out.stdout.splitlines()]
        if scores.setdefault("first", found) != found:
            sys.exit("workers: scores differ with %d workers" % w)
print("workers,cells,seconds_median,cells_per_s,speedup,speedup_low,speedup_high")
for w in workers:
    r = sorted(a / b for a, b in zip(seconds[workers[0]], seconds[w]))
    low, _, high = statistics.quantiles(r, n=4, method="inclusive") if len(r) > 1 else r * 3
    s = statistics.median(seconds[w])
    print("%d,%d,%.3f,%.3f,%.3f,%.3f,%.3f" % (w, n, s, n / s, statistics.median(r), low, high))
P
