#!/usr/bin/env python3
"""What came of the comparison: rows, a verdict for each group, and Markdown, a page for each machine.

  usage: report.py FILE PAGE...
  writes into FILE, between its marks, the groups of several machines' pages side by side:
  report.py docs/PERFORMANCE.md docs/performance/zen5.md docs/performance/zen4.md"""
import collections
import math
import os
import re
import sys

HEAD = "problem,direction,peer,threads,ms_ours,ms_peer,ratio,ratio_low,ratio_high,cpu,precision"
BEGIN, END = "<!-- peers: begin, made by bench/peers/run.py --markdown -->", "<!-- peers: end -->"

Row = collections.namedtuple("Row", HEAD.split(","))
Verdict = collections.namedtuple("Verdict", "group threads n mean least met")


def parse(line):
    """A row as it is printed; None for heads and comments."""
    f = line.strip().split(",")
    if line.startswith("#") or f[0] == "problem" or len(f) != len(Row._fields):
        return None
    return Row(f[0], f[1], f[2], int(f[3]), *map(float, f[4:9]), f[9], f[10])


def text(row):
    return "%s,%s,%s,%d,%.5g,%.5g,%.3f,%.3f,%.3f,%s,%s" % row


def best_of(rows, g, threads):
    """The fastest peer of each problem and direction of a group: where the ratio is least."""
    best = {}
    for r in rows:
        if (r.threads == threads and r.problem in g.problems and (r.cpu, r.precision) == (g.cpu, g.precision)
                and re.search(g.against or "", r.peer) and (not g.dirs or r.direction in g.dirs)):
            key = r.problem, r.direction
            best[key] = min(best.get(key, r), r, key=lambda row: row.ratio)
    return list(best.values())


def verdict(rows, g, threads):
    best = best_of(rows, g, threads)
    if not best:
        return Verdict(g, threads, 0, None, None, "not measured")
    mean = math.exp(sum(math.log(r.ratio) for r in best) / len(best))
    if g.sums:
        mean = sum(r.ms_peer for r in best) / sum(r.ms_ours for r in best)
    least = min(best, key=lambda r: r.ratio)
    met = "NOT met"
    if g.bar is None:
        met = "-"
    elif mean >= g.bar and least.ratio >= (g.floor or g.bar):
        met = "met"
    elif mean >= g.bar and not g.floor:
        met = "met by the mean"
    return Verdict(g, threads, len(best), mean, least, met)


def place(row):
    return row.problem.split(":", 1)[1] + (" " + row.direction if row.problem.startswith("conv:") else "")


def summary(verdicts):
    line = "# %-52s %7s %8s %8s %8s %6s %-28s %s"
    out = [line % ("", "threads", "problems", "mean", "least", "bar", "least at", "verdict")]
    for v in verdicts:
        measured = ("%.2f" % v.mean, "%.2f" % v.least.ratio) if v.n else ("-", "-")
        out.append(line % ((v.group.what, v.threads, v.n) + measured
                           + (v.group.bar or "-", place(v.least) if v.n else "", v.met)))
    return out


def table(heads, rows):
    return ["| " + " | ".join(map(str, r)) + " |" for r in [heads, ["---"] * len(heads)] + rows]


def rows_table(rows, groups, threads):
    out = []
    for g in groups:
        for r in best_of(rows, g, threads):
            ours = " ".join(w for w in (g.cpu if g.cpu != "auto" else "", g.precision if g.precision != "fp32" else "")
                            if w)
            out.append([(place(r) + (" (%s)" % ours if ours else "")), "%.4g" % r.ms_ours, r.peer, "%.4g" % r.ms_peer,
                        "%.2f (%.2f to %.2f)" % (r.ratio, r.ratio_low, r.ratio_high)])
    return out


def markdown(about, rows, verdicts):
    """Tables for people: a line a group, then a line a problem."""
    out = ["%s." % "; ".join(about), "",
           "Ratio above 1: hdnas is faster than the best of the peer's ways; mean: geometric over the problems of a",
           "group (of sums of times for random cells and RMI), and the least.", ""]
    out += table(["group", "threads", "problems", "mean", "least", "at", "bar", ""],
                 [[v.group.what, v.threads, v.n, "%.2f" % v.mean, "%.2f" % v.least.ratio, place(v.least),
                   v.group.bar or "-", v.met] for v in verdicts if v.n])
    heads = ["problem", "ms ours", "best peer", "ms", "ratio (quartiles)"]
    for threads in sorted({v.threads for v in verdicts if v.n}):
        groups = [v.group for v in verdicts if v.n and v.threads == threads]
        for what, chosen in (("Networks, scores, Gram matrices", [g for g in groups if not g.is_conv]),
                             ("Convolutions", [g for g in groups if g.is_conv])):
            if chosen:
                out += ["", "<details><summary>%s, %d thread%s</summary>" % (what, threads, "s" if threads > 1 else ""),
                        ""] + table(heads, rows_table(rows, chosen, threads)) + ["", "</details>"]
    return out


def write(path, lines):
    """Between BEGIN and END where the file has them, else as the whole file (a page of its own)."""
    try:
        with open(path, encoding="utf-8") as f:
            before = f.read()
    except FileNotFoundError:
        before = ""
    body = "\n".join([BEGIN, ""] + lines + ["", END])
    if BEGIN in before and END in before[before.index(BEGIN):]:
        start = before.index(BEGIN)
        body = before[:start] + body + before[before.index(END, start) + len(END):]
    elif before:
        raise SystemExit("peers: %s has no place for the tables: expected the lines\n%s\n%s" % (path, BEGIN, END))
    else:
        body += "\n"
    with open(path, "w", encoding="utf-8") as f:
        f.write(body)


def groups_of(path):
    """Lines of the first table of a page that run.py wrote: {(group, threads): cells}."""
    out = {}
    with open(path, encoding="utf-8") as f:
        for line in f:
            cells = [c.strip() for c in line.strip().strip("|").split("|")]
            if line.startswith("| problem |"):
                break
            if line.startswith("| ") and len(cells) == 8 and cells[1].isdigit():
                out[cells[0], cells[1]] = cells
    if not out:
        raise SystemExit("peers: %s has no table of groups: expected what run.py --markdown writes" % path)
    return out


def side_by_side(pages):
    """Means and leasts of several machines; a bar that is missed in bold."""
    found = [groups_of(p) for p in pages]
    keys = list(dict.fromkeys(k for f in found for k in f))
    names = [os.path.splitext(os.path.basename(p))[0] for p in pages]
    rows = []
    for key in keys:
        row = list(key) + [next(f[key][6] for f in found if key in f)]
        for f in found:
            c = f.get(key)
            row.append("not measured" if not c else ("**%s** (%s)" if c[7] == "NOT met" else "%s (%s)") % (c[3], c[4]))
        rows.append(row)
    links = ["[%s](%s)" % (n, os.path.join("performance", n + ".md")) for n in names]
    return table(["group", "threads", "bar"] + links, rows)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    write(sys.argv[1], side_by_side(sys.argv[2:]))
