"""docs/PRUNING.md, its charts and tables, from the runs of pruning_study.py. Python 3, nothing else."""
import csv
import math
import os
import random
import shutil

import pruning_speed
import pruning_text
from lab import interval, mean, rows
from pruning_text import show, table

SETS = [("mnist", "MNIST"), ("fashion", "Fashion-MNIST"), ("cifar10", "CIFAR-10"), ("sprites", "sprites")]
MODELS = [("plain", "plain"), ("bottleneck", "bottleneck"), ("beta0", "0"), ("beta0.5", "0.5"), ("beta1", "1"),
          ("beta2", "2"), ("beta4", "4"), ("beta8", "8"), ("beta16", "16")]
COLOURS = {"plain": "#5c6670", "bottleneck": "#b8520f", "beta0": "#a6c8f0", "beta0.5": "#86b0e6", "beta1": "#6697dc",
           "beta2": "#4a7fd0", "beta4": "#2f66c0", "beta8": "#1c4da0", "beta16": "#0f3374"}
AXIS_END = -math.log10(1 - 0.995)


class Model:
    """One trained network and its curves: {curve: [(sparsity, accuracy)]}, metrics."""

    def __init__(self, folder, name, model, seed):
        self.set, self.model, self.seed = name, model, seed
        self.curves, self.metrics = {}, {}
        for curve in sorted(os.listdir(folder)):
            path = os.path.join(folder, curve)
            if not os.path.exists(os.path.join(path, "weights.csv")):
                continue
            lines = rows(os.path.join(path, "prune.csv"))
            self.curves[curve] = [(float(r["sparsity"]), float(r["accuracy"])) for r in lines]
        first = os.path.join(folder, "oneshot")
        self.metrics = {r["metric"]: float(r["value"]) for r in rows(os.path.join(first, "metrics.csv"))}
        self.dense = self.curves["oneshot"][0][1]
        for points in self.curves.values():
            if points[0][0] > 0:
                points.insert(0, (0.0, self.dense))

    def kept(self, curve):
        """Share of weights left where accuracy is first one point below the dense network's."""
        points, floor = self.curves[curve], self.dense - 0.01
        for (s0, a0), (s1, a1) in zip(points, points[1:]):
            if a1 < floor:
                x0, x1 = -math.log10(1 - s0), -math.log10(1 - s1)
                x = x0 + (x1 - x0) * (a0 - floor) / (a0 - a1) if a0 > a1 else x1
                return 10 ** -max(x, 0)
        return 1 - points[-1][0]

    def area(self, curve):
        """Mean over -log10(share left) of accuracy relative to the dense network's, as far as the curve goes."""
        points = [(-math.log10(1 - s), a / self.dense) for s, a in self.curves[curve]]
        total = sum((x1 - x0) * (y0 + y1) / 2 for (x0, y0), (x1, y1) in zip(points, points[1:]))
        return total / points[-1][0]


def read(work):
    models = []
    for name, _ in SETS:
        for model, _ in MODELS:
            base = os.path.join(work, name, model)
            for seed in sorted(os.listdir(base), key=int) if os.path.isdir(base) else []:
                folder = os.path.join(base, seed)
                if os.path.exists(os.path.join(folder, "oneshot", "weights.csv")):
                    models.append(Model(folder, name, model, int(seed)))
    return models


def ranks(values):
    order = sorted(range(len(values)), key=lambda i: values[i])
    out, i = [0.0] * len(values), 0
    while i < len(order):
        k = i
        while k + 1 < len(order) and values[order[k + 1]] == values[order[i]]:
            k += 1
        for j in range(i, k + 1):
            out[order[j]] = (i + k) / 2
        i = k + 1
    return out


def correlation(x, y):
    mx, my = mean(x), mean(y)
    sxy = sum((a - mx) * (b - my) for a, b in zip(x, y))
    sxx, syy = sum((a - mx) ** 2 for a in x), sum((b - my) ** 2 for b in y)
    return sxy / math.sqrt(sxx * syy) if sxx > 0 and syy > 0 else math.nan


def spearman(x, y):
    return correlation(ranks(x), ranks(y))


def bootstrap(x, y, draws=2000):
    """Spearman's rho with the 95 % percentile interval over models drawn with replacement."""
    rng, n, found = random.Random(1), len(x), []
    for _ in range(draws):
        pick = [rng.randrange(n) for _ in range(n)]
        rho = spearman([x[i] for i in pick], [y[i] for i in pick])
        if not math.isnan(rho):
            found.append(rho)
    found.sort()
    if len(found) < draws // 2:
        return math.nan, math.nan, math.nan
    return spearman(x, y), found[int(0.025 * len(found))], found[int(0.975 * len(found)) - 1]


def within(models, values):
    """Less the mean of all seeds of the same model: what is left when beta is taken out."""
    by = {}
    for m, v in zip(models, values):
        by.setdefault(m.model, []).append(v)
    return [v - mean(by[m.model]) for m, v in zip(models, values)]


class Chart:
    """Panels of lines with bands, side by side."""

    def __init__(self, title, n_panels, width=400, height=320):
        self.w, self.h, self.out = width, height + 12, []
        self.total = 24 + n_panels * width
        self.out.append('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %d %d" '
                        'font-family="system-ui,sans-serif" font-size="12" role="img"><title>%s</title>'
                        '<rect width="100%%" height="100%%" fill="#fff"/>' % (self.total, height + 92, self.total,
                                                                             height + 92, title))
        self.out.append('<text x="16" y="22" font-size="15" font-weight="600" fill="#1b1f24">%s</text>' % title)

    def text(self, x, y, words, anchor="middle", colour="#3d454e"):
        self.out.append('<text x="%.1f" y="%.1f" text-anchor="%s" fill="%s">%s</text>' % (x, y, anchor, colour, words))

    def panel(self, i, title, x_range, y_range, x_ticks, y_ticks, x_label, y_label):
        left, top = 24 + i * self.w + 44, 78
        right, foot = 24 + (i + 1) * self.w - 18, self.h + 6
        self.px = lambda x: left + (x - x_range[0]) / (x_range[1] - x_range[0]) * (right - left)
        self.py = lambda y: foot - (y - y_range[0]) / (y_range[1] - y_range[0]) * (foot - top)
        self.box = (left, right, top, foot)
        for value, label in y_ticks:
            self.out.append('<path d="M%.1f %.1fH%.1f" stroke="#e6e9ed"/>' % (left, self.py(value), right))
            self.text(left - 6, self.py(value) + 4, label, "end", "#5c6670")
        self.out.append('<path d="M%.1f %.1fH%.1f" stroke="#8b95a0"/>' % (left, foot, right))
        for value, label in x_ticks:
            self.out.append('<path d="M%.1f %.1fv4" stroke="#8b95a0"/>' % (self.px(value), foot))
            self.text(self.px(value), foot + 18, label, colour="#5c6670")
        self.text((left + right) / 2, foot + 36, x_label)
        self.text(left - 36, top - 12, y_label, "start")
        self.text((left + right) / 2, top - 30, title, colour="#1b1f24")

    def line(self, points, colour, band=None, dash=False):
        at = lambda x, y: "%.1f %.1f" % (self.px(x), self.py(y))
        if band:
            path = [at(x, lo) for x, lo, _ in band] + [at(x, hi) for x, _, hi in reversed(band)]
            self.out.append('<path d="M%sz" fill="%s" opacity="0.15"/>' % ("L".join(path), colour))
        self.out.append('<path d="M%s" fill="none" stroke="%s" stroke-width="1.8" stroke-linejoin="round"%s/>'
                        % ("L".join(at(x, y) for x, y in points), colour, ' stroke-dasharray="5 3"' if dash else ""))

    def dot(self, x, y, colour):
        self.out.append('<circle cx="%.1f" cy="%.1f" r="3.2" fill="%s" stroke="#fff" stroke-width="0.8"/>'
                        % (self.px(x), self.py(y), colour))

    def legend(self, entries):
        x, y = 20, self.h + 66
        for name, colour, dash in entries:
            self.out.append('<path d="M%.1f %.1fh18" stroke="%s" stroke-width="2.5"%s/>'
                            % (x, y - 4, colour, ' stroke-dasharray="5 3"' if dash else ""))
            self.text(x + 23, y, name, "start")
            x += 33 + 7 * len(name)

    def write(self, path):
        with open(path, "w") as f:
            f.write("\n".join(self.out) + "\n</svg>\n")


def label(model):
    return model if not model.startswith("beta") else "β = " + model[4:]


KEPT_TICKS = [(-math.log10(k / 100), "%g %%" % k) for k in (100, 50, 20, 10, 5, 2, 1, 0.5)]
CURVE_NAMES = [("oneshot", "one shot, no training after"), ("iterative", "iterative, an epoch after each step")]


def group(models, name):
    """{model: [Model]} of a set, in the order of MODELS."""
    found = {}
    for model, _ in MODELS:
        these = [m for m in models if m.set == name and m.model == model]
        if these:
            found[model] = these
    return found


def chart_curves(models, name, title, path):
    groups = group(models, name)
    chart = Chart("%s: accuracy against weights left" % title, 2)
    for i, (curve, words) in enumerate(CURVE_NAMES):
        chart.panel(i, words, (0, AXIS_END), (0, 1), KEPT_TICKS, [(v / 5, "%d" % (20 * v)) for v in range(6)],
                    "weights left", "test accuracy, %")
        for model, these in groups.items():
            these = [m for m in these if curve in m.curves]
            points, band = [], []
            for k in range(min([len(m.curves[curve]) for m in these] or [0])):
                x = -math.log10(1 - these[0].curves[curve][k][0])
                values = [m.curves[curve][k][1] for m in these]
                half = interval(values)
                half = 0 if math.isnan(half) else half
                points.append((x, mean(values)))
                band.append((x, max(mean(values) - half, 0), min(mean(values) + half, 1)))
            if points:
                chart.line(points, COLOURS[model], band, model in ("plain", "bottleneck"))
    chart.legend([(label(m), COLOURS[m], m in ("plain", "bottleneck")) for m in groups])
    chart.write(path)


def chart_metrics(models, path):
    """Sprites: metrics against the weights a model needs."""
    these = [m for m in models if m.set == "sprites" and "mig" in m.metrics]
    chart = Chart("sprites: disentanglement against the weights left at one point of loss (one shot)", 3, 330)
    least = max(-math.log10(m.kept("oneshot")) for m in these)
    end = min(x for x, _ in KEPT_TICKS if x >= least)
    kept_ticks = [tick for tick in KEPT_TICKS if tick[0] <= end]
    for i, metric in enumerate(("mig", "dci_disentanglement", "total_correlation")):
        values = [m.metrics[metric] for m in these]
        lo, hi = min(values), max(values)
        lo, hi = lo - 0.05 * (hi - lo), hi + 0.05 * (hi - lo)
        ticks = [(lo + (hi - lo) * k / 4, "%.2g" % (lo + (hi - lo) * k / 4)) for k in range(5)]
        chart.panel(i, metric.replace("_", " "), (lo, hi), (end, 0), ticks, kept_ticks, metric.replace("_", " "),
                    "weights left")
        for m in these:
            chart.dot(m.metrics[metric], -math.log10(m.kept("oneshot")), COLOURS[m.model])
    chart.legend([(label(m), COLOURS[m], False) for m in group(models, "sprites")])
    chart.write(path)


def paired(these, base, value):
    """Differences to the model of the same seed in base."""
    by = {m.seed: m for m in base}
    return [value(m) - value(by[m.seed]) for m in these if m.seed in by]


def log_kept(curve):
    return lambda m: -math.log2(m.kept(curve))


def section_sets(models, folder):
    out = []
    for name, title in SETS:
        groups = group(models, name)
        if not groups:
            continue
        chart_curves(models, name, title, os.path.join(folder, "curves_%s.svg" % name))
        lines = []
        for model, these in groups.items():
            line = [label(model), str(len(these)), show(mean([m.dense for m in these]), interval([m.dense for m in these]), 2, 100)]
            for curve, _ in CURVE_NAMES:
                having = [m for m in these if curve in m.curves]
                kept, area = [m.kept(curve) for m in having], [m.area(curve) for m in having]
                line += [show(mean(kept), interval(kept), 1, 100) if kept else "-",
                         show(mean(area), interval(area), 3) if area else "-"]
                for base in ("beta0", "plain"):
                    diff = paired(having, [m for m in groups.get(base, []) if curve in m.curves], log_kept(curve))
                    line.append(show(mean(diff), interval(diff), 2) if diff and model != base else "-")
            lines.append(line)
        heads = ["model", "seeds", "dense, %", "one shot: left, %", "area", "vs β = 0", "vs plain", "iterative: left, %", "area", "vs β = 0",
                 "vs plain"]
        out.append("### %s\n\n![%s: accuracy against weights left](pruning/curves_%s.svg)\n\n%s" %
                   (title, title, name, table(heads, lines)))
    return "\n".join(out)


def section_criteria(models):
    lines = []
    names = [("oneshot", "L1, global, one shot"), ("layer", "L1, by layer, one shot"), ("gradient", "gradient, global, one shot"),
             ("random", "random, global, one shot"), ("tuned", "L1, one shot and an epoch"),
             ("iterative", "L1, iterative, an epoch a step")]
    for curve, words in names:
        line = [words]
        for name, _ in SETS:
            for model in ("plain", "beta4"):
                these = [m for m in models if m.set == name and m.model == model and curve in m.curves]
                at = [a for m in these for s, a in m.curves[curve] if abs(s - 0.9) < 0.001]
                line.append(show(mean(at), interval(at), 1, 100) if at else "-")
        lines.append(line)
    heads = ["accuracy at 10 % of the weights, %"] + ["%s %s" % (t, m) for _, t in SETS for m in ("plain", "β = 4")]
    return table(heads, lines)


def section_channels(models):
    lines = []
    for name, title in SETS:
        for model, these in group(models, name).items():
            these = [m for m in these if "channels" in m.curves]
            if not these:
                continue
            line = [title, label(model), str(len(these))]
            for k in range(5):
                at = [m.curves["channels"][k][1] for m in these if k < len(m.curves["channels"])]
                line.append(show(mean(at), interval(at), 1, 100) if at else "-")
            lines.append(line)
    return table(["set", "model", "seeds", "all channels", "75 %", "50 %", "25 %", "12.5 %"], lines)


def section_rewinding(models):
    """Accuracy after iterative pruning of the plain network: rewound, or trained on, for as many epochs."""
    lines = []
    for name, title in SETS:
        these = [m for m in group(models, name).get("plain", []) if all(c in m.curves for c in ("rewind0", "rewind1", "tuned5"))]
        for curve, words in (("rewind0", "the first weights"), ("rewind1", "those after epoch 1"), ("tuned5", "as they are")):
            line = [title, words, str(len(these))]
            for k in range(len(these[0].curves[curve]) if these else 0):
                at = [m.curves[curve][k][1] for m in these]
                line.append(show(mean(at), interval(at), 1, 100))
            lines += [line] if these else []
    heads = ["set", "weights after pruning", "seeds", "dense", "50 % left", "20 %", "10 %", "5 %", "2 %", "0.5 %"]
    return table(heads, lines) if lines else ""


METRICS = ["mig", "dci_disentanglement", "dci_completeness", "dci_informativeness", "sap", "sap_r2", "modularity", "factorvae",
           "betavae", "total_correlation", "active_units", "effective_dim", "kl", "kl_mutual", "kl_correlation"]


def section_metric_table(models):
    groups = group(models, "sprites")
    shown = [m for m in METRICS if any(m in t.metrics for these in groups.values() for t in these)]
    lines = []
    for metric in shown:
        line = [metric.replace("_", " ")]
        for these in groups.values():
            values = [t.metrics[metric] for t in these if metric in t.metrics]
            line.append(show(mean(values), interval(values), 3 if abs(mean(values)) < 2 else 1) if values else "-")
        lines.append(line)
    return table(["metric"] + [label(m) for m in groups], lines)


class Published:
    """Label-free runs of sprites_metrics.py, paired by seed: is beta-VAE above VAE?"""

    def __init__(self, docs):
        self.docs, path = docs, os.path.join(docs, "pruning", "sprites.csv")
        found = rows(path) if os.path.exists(path) else []
        self.by = {(r["beta"], r["seed"]): r for r in found}
        self.betas = sorted({r["beta"] for r in found}, key=float)
        self.seeds = sorted({seed for beta, seed in self.by if beta == "1"}, key=int)

    def values(self, metric, beta):
        return [float(self.by[beta, s][metric]) for s in self.seeds if (beta, s) in self.by]

    def lead(self, metric, beta):
        """Of beta over beta 1, the same seeds."""
        return [float(self.by[beta, s][metric]) - float(self.by["1", s][metric]) for s in self.seeds if (beta, s) in self.by]

    def above(self):
        return [b for b in self.betas if float(b) > 1]

    def sentence(self):
        text = ""
        for beta in self.above()[:1]:
            pair = lambda metric: "%.2f against %.2f" % (mean(self.values(metric, beta)), mean(self.values(metric, "1")))
            wins = sum(d > 0 for d in self.lead("mig", beta))
            text = pruning_text.PUBLISHED_ANSWER % (beta, pair("mig"), wins, len(self.lead("mig", beta)), pair("dci_disentanglement"))
        return text

    def section(self):
        lines, text, pictures = [], "", ""
        for metric in METRICS + ["reconstruction"]:
            values = [self.values(metric, b) for b in self.betas]
            lines.append([metric.replace("_", " ")] + [show(mean(v), interval(v), 3 if abs(mean(v)) < 2 else 1) for v in values])
        for metric, words in (("mig", "MIG"), ("dci_disentanglement", "DCI disentanglement"), ("sap_r2", "SAP by squared correlation"),
                              ("factorvae", "FactorVAE score")):
            for beta in self.above():
                lead = self.lead(metric, beta)
                text += "- %s, β = %s less β = 1: %s; above in %d of %d seeds.\n" % (
                    words, beta, "%+.3f" % mean(lead) + ("" if len(lead) < 2 else " ± %.3f" % interval(lead)),
                    sum(d > 0 for d in lead), len(lead))
        for beta in self.betas:
            if os.path.exists(os.path.join(self.docs, "pruning", "sprites_beta%s.png" % beta)):
                pictures += "\n![β = %s: traversals](pruning/sprites_beta%s.png)\n" % (beta, beta)
        heads = ["metric"] + ["β = %s (%d)" % (b, len(self.values("mig", b))) for b in self.betas]
        return "\n## Beta-VAE against VAE\n\n" + pruning_text.PUBLISHED + table(heads, lines) + "\n" + text + pictures if lines and self.seeds else ""


def rho_text(rho):
    return "-" if math.isnan(rho[0]) else "%+.2f (%+.2f .. %+.2f)" % rho


def correlations(models):
    """Across the VAEs of each set, the plain classifier has no code of this kind: the table, and what is left within
    beta as (set, metric, curve, rho, lo, hi)."""
    lines, found = [], []
    for name, title in SETS:
        these = [m for m in models if m.set == name and m.model.startswith("beta") and "iterative" in m.curves]
        if len(these) < 8:
            continue
        for metric in METRICS:
            having = [m for m in these if metric in m.metrics]
            if len(having) < 8 or len({m.metrics[metric] for m in having}) < 2:
                continue
            x, line = [m.metrics[metric] for m in having], [title, metric.replace("_", " "), str(len(having))]
            for curve in ("oneshot", "iterative"):
                y = [log_kept(curve)(m) for m in having]
                inner = bootstrap(within(having, x), within(having, y))
                line += [rho_text(bootstrap(x, y)), rho_text(inner)]
                found += [(title, metric, curve) + inner] if not math.isnan(inner[0]) else []
            lines.append(line)
    return table(["set", "metric", "models", "one shot", "one shot, within β", "iterative", "iterative, within β"], lines), found


def student(share, freedom):
    """The value that Student's t stays below with this probability, above 1/2: its density summed and bisected."""
    scale = math.exp(math.lgamma((freedom + 1) / 2) - math.lgamma(freedom / 2)) / math.sqrt(freedom * math.pi)
    density = lambda t: scale * (1 + t * t / freedom) ** (-(freedom + 1) / 2)
    low, high = 0.0, 1000.0
    for _ in range(50):
        middle, n = (low + high) / 2, 400
        # in u = t / (1 + t), where the tail is short
        end = middle / (1 + middle)
        f = lambda u: density(u / (1 - u)) / (1 - u) ** 2
        below = sum(f(end * (k + 0.5) / n) for k in range(n)) * end / n
        low, high = (middle, high) if below < share - 0.5 else (low, middle)
    return (low + high) / 2


def verdicts(models):
    """By how many halvings of the weights the best beta differs from beta 0: the table, and its rows as numbers. The
    interval is as wide as the choice of the best of so many asks for (Bonferroni)."""
    out, found = [], []
    for name, title in SETS:
        groups = group(models, name)
        for curve, words in CURVE_NAMES:
            best, n_betas = None, 0
            for model, these in groups.items():
                if not model.startswith("beta") or model == "beta0":
                    continue
                diff = paired([m for m in these if curve in m.curves],
                              [m for m in groups.get("beta0", []) if curve in m.curves], log_kept(curve))
                n_betas += len(diff) >= 3
                if len(diff) >= 3 and (best is None or mean(diff) > best[1]):
                    best = (model, mean(diff), interval(diff), len(diff))
            if best:
                wider = student(1 - 0.025 / n_betas, best[3] - 1) / student(0.975, best[3] - 1)
                best = best[:2] + (best[2] * wider, best[3])
                sure = "surely more" if best[1] - best[2] > 0 else "surely fewer" if best[1] + best[2] < 0 else "not surely different"
                found.append((title, words, label(best[0])) + best[1:])
                out.append([title, words, "%s, best of %d" % (label(best[0]), n_betas), "%+.2f ± %.2f" % best[1:3], str(best[3]), sure])
    return table(["set", "schedule", "best of the β > 0", "halvings more than β = 0", "seeds", "95 %"], out), found


def write_models(models, path):
    metrics = sorted({k for m in models for k in m.metrics})
    with open(path, "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        curves = ("oneshot", "iterative")
        out.writerow(["set", "model", "seed", "dense"] + [c + s for c in curves for s in ("_left", "_area")] + metrics)
        for m in models:
            line = [m.set, m.model, m.seed, "%.4f" % m.dense]
            for c in curves:
                line += ["%.5f" % m.kept(c), "%.4f" % m.area(c)] if c in m.curves else ["", ""]
            out.writerow(line + ["%.5g" % m.metrics[k] if k in m.metrics else "" for k in metrics])


CHANCE = {"mnist": 0.1, "fashion": 0.1, "cifar10": 0.1, "sprites": 1 / 3}


def write(work, docs):
    trained, folder = read(work), os.path.join(docs, "pruning")
    os.makedirs(folder, exist_ok=True)
    write_models(trained, os.path.join(folder, "models.csv"))
    models = [m for m in trained if m.dense > 1.5 * CHANCE[m.set]]
    titles, words = dict(SETS), pruning_text.WORDS
    dull = ["%s %s seed %d" % (titles[m.set], label(m.model), m.seed) for m in trained if m not in models]
    if sum("mig" in m.metrics for m in models) > 1:
        chart_metrics(models, os.path.join(folder, "metrics_sprites.svg"))
    verdict_table, verdict_rows = verdicts(models)
    rho_table, rho_rows = correlations(models)
    n_seeds = min([len({m.seed for m in models if m.set == name and m.model == "beta0"}) for name, _ in SETS])
    counts = [(label(model), min(len(group(models, name).get(model, [])) for name, _ in SETS)) for model, _ in MODELS]
    published = Published(docs)
    with open(os.path.join(docs, "PRUNING.md"), "w") as f:
        f.write(pruning_text.HEAD + pruning_text.answer(len(trained), n_seeds, counts, verdict_rows, rho_rows, dull))
        f.write(published.sentence())
        f.write(pruning_text.METHOD + pruning_speed.section_baselines(docs, SETS))
        f.write("## How many weights can go\n\n" + section_sets(models, folder))
        f.write("\n## Does any beta help?\n\n" + words["verdicts"] + "\n" + verdict_table)
        f.write("\n## Criteria and schedules\n\n" + words["criteria"] + "\n" + section_criteria(models))
        rewinding = section_rewinding(models)
        f.write("\n### Rewinding\n\n" + words["rewinding"] + "\n" + rewinding if rewinding else "")
        f.write("\n## Channels\n\n" + words["channels"] + "\n" + section_channels(models))
        f.write("\n" + pruning_speed.section_speed(docs) + pruning_speed.section_sparse(docs))
        f.write(published.section())
        f.write("\n## Disentanglement of the sprites, classified\n\n" + words["metrics"] + "\n" + section_metric_table(models))
        f.write("\n![Metrics against weights left](pruning/metrics_sprites.svg)\n")
        for model in ("beta1", "beta4"):
            for kind in ("reconstructions", "traversals"):
                found = os.path.join(work, "sprites", model, "1", "oneshot", kind + ".png")
                if os.path.exists(found):
                    shutil.copyfile(found, os.path.join(folder, "%s_%s.png" % (kind, model)))
                    f.write("\n![sprites, %s: %s](pruning/%s_%s.png)\n" % (label(model), kind, kind, model))
        f.write("\n## Disentanglement and prunability\n\n" + words["correlations"] + "\n" + rho_table)
        f.write("\n## Cost\n\n" + pruning_speed.section_cost(docs, SETS))
    print("%d models: %s" % (len(trained), os.path.join(docs, "PRUNING.md")))
