#!/usr/bin/env python3
"""The study of the representation score: how well it orders architectures after every update, and what it costs.

Reads the courses that rmi_traces.sh gathered (any part of them: it says how many cells each setting has) and the accuracies;
writes study.csv (one line a setting, accuracy, measure and number of updates), seeds.csv, halving.csv and study.svg. About a
minute; needs numpy.
  usage: rmi_study.py TRACES_DIR NASBENCH201.csv OUT_DIR [SETTING:UPDATES]

Measures: loss (minus the mixed loss, the paper's), sum (of the three CKA values), cka1..3, ce (minus the cross-entropy); with
a mean over the last five updates (-5) or over the course so far (-all). A cell without a number (its output ignores the input,
or it diverged) comes last. Intervals: 2.5 and 97.5 percentiles of 2,000 resamples of the cells; `diff` is tau less that of the
paper's protocol (loss after 150 updates of 32 images, seed 1) on the same cells, paired: both are taken on the same resample,
or less that of SETTING:UPDATES (b32-s1:150 is the paper's; n1-b16-s1:40 what `hdnas score` goes by); seeds.csv has the mean
over seeds less the mean of the paper's protocol over as many, where both were run on the same cells.
"""
import csv
import glob
import os
import sys

import numpy as np

STEPS = [0, 1, 2, 3, 5, 7, 10, 15, 20, 25, 30, 40, 50, 75, 100, 150]
N_RESAMPLES = 2000


def read_setting(folder):
    """{arch: array [updates + 1, 6]} of loss, cka1..3, cross-entropy, seconds."""
    cells = {}
    for name in sorted(glob.glob(folder + "/*.csv")):
        for r in csv.DictReader(open(name)):
            row = [float(r[k] or "nan") for k in ("loss", "cka1", "cka2", "cka3", "cross_entropy", "seconds")]
            cells.setdefault(r["arch"], []).append(row)
    return {a: np.array(rows) for a, rows in cells.items()}


def stack(cells, archs):
    """[cells, updates + 1, 6]; NaN after the end of a course that broke off."""
    n = max(len(cells[a]) for a in archs)
    out = np.full((len(archs), n, 6), np.nan)
    for i, a in enumerate(archs):
        out[i, :len(cells[a])] = cells[a]
    return out


def measures(t):
    base = {"loss": -t[:, :, 0], "sum": t[:, :, 1:4].sum(2), "ce": -t[:, :, 4]}
    for k in (1, 2, 3):
        base["cka%d" % k] = t[:, :, k]
    out = dict(base)
    for name in ("loss", "sum", "cka2"):
        total = np.cumsum(base[name], 1)
        n = total.shape[1]
        count = np.arange(1, n + 1)
        out[name + "-all"] = total / count
        last = total.copy()
        last[:, 5:] -= total[:, :-5]
        out[name + "-5"] = last / np.minimum(count, 5)
    return out


class Agreement:
    """Tau-b of a score with the truth over resamples: pairs are products of signs, resamples are weights."""

    def __init__(self, truth, weights):
        self.truth, self.weights = truth, weights
        self.sign_truth = np.sign(truth[:, None] - truth[None])
        self.pairs_truth = self.count(self.sign_truth ** 2)

    def count(self, pairs):
        return ((self.weights @ pairs) * self.weights).sum(1)

    def taus(self, score):
        s = np.where(np.isfinite(score), score, -np.inf)
        with np.errstate(invalid="ignore"):
            sign = np.nan_to_num(np.sign(s[:, None] - s[None]))
        both, pairs = self.count(sign * self.sign_truth), self.count(sign ** 2)
        with np.errstate(invalid="ignore", divide="ignore"):
            return both / np.sqrt(pairs * self.pairs_truth)


def ranks(x):
    x = np.where(np.isfinite(x), x, -np.inf)
    _, inverse, n = np.unique(x, return_inverse=True, return_counts=True)
    return (np.cumsum(n) - (n - 1) / 2)[inverse]


def interval(x):
    return np.percentile(x[np.isfinite(x)], [2.5, 97.5])


def halving(t, values, truth, plan, agreement):
    """Successive halving on the course: plan = [(updates, share kept)]; those dropped rank by where they were dropped."""
    alive = np.arange(len(t))
    score = np.zeros(len(t))
    seconds = 0
    before = 0
    for i, (step, share) in enumerate(plan):
        v = np.where(np.isfinite(values[alive, step]), values[alive, step], -np.inf)
        seconds += np.nansum(t[alive, step, 5] - (t[alive, before, 5] if i else 0))
        order = alive[np.argsort(v, kind="stable")]
        score[order] = i * 1e6 + np.arange(len(order))
        alive = np.sort(order[len(order) - max(1, round(share * len(order))):])
        before = step
    best = truth[np.argmax(score)]
    return agreement.taus(score), seconds / len(t), best


def plot(path, lines, title):
    w, h, left, top = 720, 420, 60, 34
    x = lambda s: left + (w - left - 130) * np.log10(s + 1) / np.log10(151)
    y = lambda v: top + (h - top - 50) * (.85 - v) / .85
    colours = ["#1b6ca8", "#c0392b", "#2e8b57", "#8e44ad", "#d68910", "#566573"]
    out = ['<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">' % (w, h),
           '<rect width="100%%" height="100%%" fill="white"/><text x="%d" y="18" font-size="14">%s</text>' % (left, title)]
    for v in (0, .1, .2, .3, .4, .5, .6, .7, .8):
        out.append('<path d="M%g %gH%g" stroke="#ddd"/><text x="%g" y="%g" text-anchor="end">%.1f</text>'
                   % (left, y(v), w - 130, left - 6, y(v) + 4, v))
    for s in (0, 1, 2, 5, 10, 20, 50, 100, 150):
        out.append('<text x="%g" y="%g" text-anchor="middle">%d</text>' % (x(s), h - 32, s))
    out.append('<text x="%g" y="%g" text-anchor="middle">updates</text>' % ((left + w - 130) / 2, h - 12))
    for i, (name, points) in enumerate(lines):
        c = colours[i % len(colours)]
        out.append('<path fill="none" stroke="%s" stroke-width="2" d="M%s"/><text x="%g" y="%g" fill="%s">%s</text>'
                   % (c, "L".join("%.1f %.1f" % (x(s), y(v)) for s, v in points), w - 124, top + 20 + 18 * i, c, name))
    open(path, "w").write("\n".join(out) + "\n</svg>\n")


def main():
    if len(sys.argv) not in (4, 5):
        sys.exit(__doc__.split("usage: ")[1].split("\n")[0].join(["usage: ", ""]))
    traces, table, out = sys.argv[1:4]
    base, at = (sys.argv[4] if len(sys.argv) == 5 else "b32-s1:150").rsplit(":", 1)
    at = int(at)
    os.makedirs(out, exist_ok=True)
    table = {r["arch"]: r for r in csv.DictReader(open(table))}
    rows, rounds, by_seed = [], [], {}
    papers = {data: {a: t[at, 0] if len(t) > at else np.nan for a, t in read_setting("%s/%s-%s" % (traces, data, base)).items()}
              for data in ("c10", "c100")}
    for folder in sorted(glob.glob(traces + "/c10*-b*-s*")):
        setting = os.path.basename(folder)
        cells = read_setting(folder)
        if len(cells) < 20:
            continue
        archs = sorted(cells)
        t = stack(cells, archs)
        rng = np.random.default_rng(1)
        weights = np.vstack([np.ones(len(archs)), rng.multinomial(len(archs), [1 / len(archs)] * len(archs), N_RESAMPLES)])
        m = measures(t)
        steps = [s for s in STEPS if s < t.shape[1]]
        protocol = papers.get(setting.split("-")[0], {})
        protocol = np.array([-protocol[a] for a in archs]) if all(a in protocol for a in archs) else None
        columns = ["c100_test200"] if setting.startswith("c100") else ["c10_test200", "nats_c100_test200"]
        for column in columns:
            truth = np.array([float(table[a][column]) for a in archs])
            agreement = Agreement(truth, weights)
            paper = None if protocol is None else agreement.taus(protocol)
            for name, values in m.items():
                for s in steps:
                    tau = agreement.taus(values[:, s])
                    low, high = interval(tau[1:])
                    rho = np.corrcoef(ranks(values[:, s]), ranks(truth))[0, 1]
                    row = [setting, column, name, s, len(archs), "%.4f" % tau[0], "%.4f" % low, "%.4f" % high, "%.4f" % rho]
                    if paper is None:
                        row += ["", "", "", ""]
                    else:
                        diff = tau - paper
                        low, high = interval(diff[1:])
                        row += ["%.4f" % diff[0], "%.4f" % low, "%.4f" % high, "%.4f" % np.mean(diff[1:] >= 0)]
                    rows.append(row + ["%.4f" % np.nanmean(t[:, s, 5])])
                    if name == "loss":
                        by_seed.setdefault((setting.rsplit("-s", 1)[0], column, s, tuple(archs)), []).append(tau)
            if 100 in steps and column == columns[0]:
                for measure in ("cka2", "sum", "loss"):
                    for plan in ([(20, 1)], [(5, .5), (10, .5), (20, .5), (40, 1)], [(10, .5), (20, .5), (50, 1)],
                                 [(20, .5), (50, .5), (100, 1)]):
                        tau, seconds, best = halving(t, m[measure], truth, plan, agreement)
                        low, high = interval(tau[1:])
                        text = " ".join("%d:%g" % p for p in plan)
                        rounds.append([setting, measure, text, len(archs), "%.4f" % tau[0], "%.4f" % low, "%.4f" % high,
                                       "%.4f" % seconds, "%.2f" % best, "%.2f" % truth.max()])
    means = []
    for (group, column, s, archs), taus in by_seed.items():
        papers_taus = by_seed.get((group.split("-")[0] + "-b32", column, 150, archs), [])
        if len(taus) > 1 and len(taus) == len(papers_taus):
            mean, paper = np.mean(taus, 0), np.mean(papers_taus, 0)
            low, high = interval((mean - paper)[1:])
            means.append([group, column, s, len(archs), len(taus), "%.4f" % mean[0], "%.4f" % paper[0],
                          "%.4f" % (mean - paper)[0], "%.4f" % low, "%.4f" % high])
    head = "setting truth measure updates n tau tau_low tau_high rho diff diff_low diff_high share_not_below seconds".split()
    for name, columns, data in (("study", head, rows),
                                ("halving", "setting measure updates:kept n tau tau_low tau_high seconds best_true best_of_all"
                                 .split(), rounds),
                                ("seeds", "setting truth updates n seeds tau paper diff diff_low diff_high".split(), means)):
        with open("%s/%s.csv" % (out, name), "w") as f:
            writer = csv.writer(f, lineterminator="\n")
            writer.writerow(columns)
            writer.writerows(data)
    first = "c10-b32-s1"
    lines = [(k, [(r[3], float(r[5])) for r in rows if r[0] == first and r[1] == "c10_test200" and r[2] == k])
             for k in ("loss", "sum", "cka1", "cka2", "cka3", "ce")]
    if lines[0][1]:
        n = next(r[4] for r in rows if r[0] == first)
        plot(out + "/study.svg", lines, "Kendall tau with c10_test200 after each update, %d cells, CIFAR-10, batch 32" % n)


if __name__ == "__main__":
    main()
