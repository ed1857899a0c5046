#!/usr/bin/env python3
"""Two result files of hdnas bench: what became slower, what faster, what is noise.

    bench/compare.py [--tolerance X] [--all] BEFORE AFTER

Files as `hdnas bench` prints them, CSV or JSON (--json); `-` is standard input. Rows are matched by
problem, direction, algo, tier, precision, threads and cache; a row that occurs more than once (several
runs in one file) counts by the median of its medians and the least of its minima. A case is
slower only where all of this holds:
  - the median is more than X above (default 0.05);
  - so is the minimum by half as much: noise lifts medians, but the best of several runs of the same
    code hardly moves;
  - the medians differ by more than the spread of the two (median - minimum) and, with several runs
    in a file, than the range of their medians.
Faster likewise. Exit status: 0, 1 if any case is slower or has vanished, 2 for files that cannot be
read. Standard library only.
"""
import argparse
import csv
import io
import json
import math
import statistics
import sys

KEY = ["problem", "direction", "algo", "tier", "precision", "threads", "cache"]


def fail(text):
    print("compare: " + text, file=sys.stderr)
    sys.exit(2)


def read(path):
    """{key: (median, least, spread)} in milliseconds."""
    try:
        text = sys.stdin.read() if path == "-" else open(path, encoding="utf-8").read()
        rows = json.loads(text) if text.lstrip().startswith("[") else list(csv.DictReader(io.StringIO(text)))
        runs = {}
        for row in rows:
            if row["problem"] != "problem":  # files put behind each other
                key = tuple(str(row[k]) for k in KEY[:-1]) + (row.get("cache", "warm"),)  # not in old files
                runs.setdefault(key, []).append((float(row["ms_median"]), float(row["ms_min"])))
    except OSError as e:
        fail("%s: %s" % (path, e.strerror))
    except (ValueError, KeyError, TypeError) as e:
        fail("%s: not a result of hdnas bench (%s)" % (path, e))
    if not runs:
        fail("%s: no rows" % path)
    out = {}
    for key, v in runs.items():
        medians, least = [m for m, _ in v], min(m for _, m in v)
        median = statistics.median(medians)
        out[key] = (median, least, max(median - least, max(medians) - min(medians)))
    return out


def verdict(before, after, tolerance):
    """-1 slower, 1 faster, 0 no change that can be told from noise."""
    if after[0] < before[0]:
        return -verdict(after, before, tolerance)
    beyond = after[0] > before[0] * (1 + tolerance) and after[1] > before[1] * (1 + tolerance / 2)
    return -1 if beyond and after[0] - before[0] > max(before[2], after[2]) else 0


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("before")
    p.add_argument("after")
    p.add_argument("--tolerance", type=float, default=0.05, help="share that counts as a change (default 0.05)")
    p.add_argument("--all", action="store_true", help="print unchanged cases too")
    o = p.parse_args()
    before, after = read(o.before), read(o.after)
    words = {-1: "slower", 0: "same", 1: "faster"}
    count = {-1: 0, 0: 0, 1: 0}
    logs = []
    print(",".join(KEY) + ",ms_before,ms_after,speedup,verdict")
    for key in before:
        if key not in after:
            print(",".join(key) + ",%.5g,,,vanished" % before[key][0])
            count[-1] += 1
            continue
        b, a = before[key], after[key]
        v = verdict(b, a, o.tolerance)
        count[v] += 1
        logs.append(math.log(b[0] / a[0]))
        if v or o.all:
            print(",".join(key) + ",%.5g,%.5g,%.3f,%s" % (b[0], a[0], b[0] / a[0], words[v]))
    new = [k for k in after if k not in before]
    mean = math.exp(sum(logs) / len(logs)) if logs else float("nan")
    print("# %d slower or vanished, %d faster, %d within the noise, %d new; geometric mean of speedups %.3f"
          % (count[-1], count[1], count[0], len(new), mean))
    return 1 if count[-1] else 0


if __name__ == "__main__":
    sys.exit(main())
