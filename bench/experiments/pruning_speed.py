"""What pruning costs and gains in time, for pruning_study.py: measured here, shown in docs/PRUNING.md. Python 3, nothing else.

All on one thread and, but for the baselines, in processor time: what else the machine does matters little.
"""
import json
import os
import resource
import subprocess

from lab import interval, mean, rows, write
from pruning_text import BASELINES, COST, SPARSE, SPEED, at_equal_accuracy, show, table

# Channels of a trained classifier of CIFAR-10, the same share of every layer, trained like it in between: many steps with
# little training each, and one step with more.
CUT = ["--structure", "channels", "--scope", "layer", "--schedule", "iterative", "--crop", "4", "--flip", "--min-width", "1",
       "--no-metrics", "--threads", "1", "--quiet"]
STEPS = [("steps", ["--levels", "0.25,0.375,0.5,0.625", "--finetune", "2"]), ("longer", ["--levels", "0.25", "--finetune", "5"])]
BATCHES = (1, 32)


def milliseconds(hdnas, archs):
    """{(arch, images): ms}: medians of three calls, each the least of 15 timings."""
    cases = [(arch, n) for arch in archs for n in BATCHES]
    words = [hdnas, "bench", "--threads", "1", "--repeats", "15", "--no-check", "--json"]
    words += ["net:%s:n%d:infer" % case for case in cases]
    found = {case: [] for case in cases}
    for _ in range(3):
        answer = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
        for case, row in zip(cases, answer["results"] if isinstance(answer, dict) else answer):
            found[case].append(row["ms_min"])
    return {case: sorted(ms)[1] for case, ms in found.items()}


def speed(args):
    """docs/pruning/speed.csv: accuracy and milliseconds of the classifier --classifier and of what is left of it."""
    lines, spec = [], dict(args.sets)["cifar10"]
    dense = [("dense", ["--structure", "weights", "--levels", "0", "--finetune", "0"])]  # counted the same way
    for name, options in dense + STEPS:
        folder = os.path.join(args.work, "speed-" + name)
        if not os.path.exists(os.path.join(folder, "weights.csv")):
            words = [args.hdnas, "prune", "--data", spec, "--model", "plain", "--init", args.classifier, "--out", folder]
            words += CUT + options
            if os.path.exists(os.path.join(folder, "config.json")):
                words = [args.hdnas, "prune", "--resume", folder, "--quiet"]
            subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
        for row in rows(os.path.join(folder, "prune.csv")):
            lines.append([row["level"], options[-1], row["accuracy"], row["params"], row["macs"], row["arch"]])
    ms = milliseconds(args.hdnas, sorted({line[-1] for line in lines}))
    write("docs/pruning/speed.csv", ["gone", "epochs", "accuracy", "params", "macs", "arch"] + ["ms%d" % n for n in BATCHES],
          [line + ["%.4f" % ms[line[-1], n] for n in BATCHES] for line in lines])


def sparse(args):
    """docs/pruning/sparse.csv, by make build/bench/bench_sparse."""
    with open("docs/pruning/sparse.csv", "w") as f:
        subprocess.run([args.sparse], check=True, stdout=f)


def processor_seconds(words):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(words, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def cost(args, training, common, curves):
    """docs/pruning/cost.csv: processor seconds of the parts of a model, seed 1. What differs between two runs is a part:
    opening the data and measuring once; the training; metrics and pictures; the rounds."""
    import tempfile
    lines, nothing = [], ["--levels", "0", "--finetune", "0"]
    for name, spec in args.sets:
        for model, options in (("plain", ["--model", "plain"]), ("bottleneck", ["--model", "bottleneck", "--beta", "1"]),
                               ("beta1", ["--beta", "1"])):
            with tempfile.TemporaryDirectory() as tmp:
                def run(folder, more, init=True):
                    words = [args.hdnas, "prune", "--data", spec, "--out", os.path.join(tmp, folder)] + common + options
                    given = ["--init", os.path.join(tmp, "train", "dense.safetensors")] if init else []
                    return processor_seconds(words + training[name] + given + more)
                train = run("train", nothing + ["--no-metrics"], False)
                opening = run("open", nothing + ["--no-metrics"])
                lines.append([name, model, opening, train - opening, run("metrics", nothing) - opening] +
                             [run(c, curves[c] + ["--no-metrics"]) - opening for c in ("oneshot", "iterative")])
    write("docs/pruning/cost.csv", ["set", "model", "data", "training", "metrics", "oneshot", "iterative"],
          [line[:2] + ["%.2f" % max(s, 0) for s in line[2:]] for line in lines])  # plain networks have hardly any metrics


def measured(docs, name):
    path = os.path.join(docs, "pruning", name + ".csv")
    return rows(path) if os.path.exists(path) else []


def section_baselines(docs, titles):
    found = measured(docs, "baselines")
    if not found:
        return ""
    lines = []
    for name, title in titles:
        these = [r for r in found if r["set"] == name]
        if these:
            last, best = [float(r["accuracy"]) for r in these], [float(r["best"]) for r in these]
            lines.append([title, "`%s`" % these[0]["arch"], these[0]["epochs"], str(len(these)),
                          show(mean(last), interval(last), 2, 100), show(mean(best), interval(best), 2, 100)])
    return BASELINES + table(["set", "network", "epochs", "seeds", "last epoch, %", "best epoch, %"], lines) + "\n"


def section_speed(docs):
    found = measured(docs, "speed")
    if not found:
        return ""
    dense, lines = found[0], []
    for r in found:
        line = ["%g %%" % (100 - 100 * float(r["gone"])), r["epochs"], "%.2f" % (100 * float(r["accuracy"])), r["params"],
                "%.2f" % (int(r["macs"]) / 1e6)]
        for n in BATCHES:
            ms = "ms%d" % n
            line += ["%.3f" % float(r[ms]), "%.2f" % (float(dense[ms]) / float(r[ms]))]
        lines.append(line)
    near = [r for r in found if float(r["accuracy"]) >= float(dense["accuracy"]) - 0.01]
    near.sort(key=lambda r: -int(r["macs"]))
    heads = ["channels left", "epochs a step", "accuracy, %", "parameters", "multiply-adds, M"]
    for n in BATCHES:
        heads += ["ms for %d" % n, "times faster"]
    return SPEED + table(heads, lines) + "\n" + at_equal_accuracy(dense, near[-1])


def section_sparse(docs):
    found = measured(docs, "sparse")
    if not found:
        return ""
    lines = [["%s x %s" % (r["inputs"], r["outputs"]), "%g %%" % (100 * float(r["sparsity"])), r["dense_us"], r["sparse_us"],
              r["speedup"], "%.0f" % (int(r["dense_bytes"]) / 1024), "%.0f" % (int(r["sparse_bytes"]) / 1024)] for r in found]
    return "\n" + SPARSE + table(["layer", "gone", "dense, us", "sparse, us", "times faster", "dense, KiB", "sparse, KiB"], lines)


def section_cost(docs, titles):
    found = measured(docs, "cost")
    if not found:
        return ""
    lines = []
    for name, title in titles:
        by = {r["model"]: r for r in found if r["set"] == name}
        for model, words in (("plain", "plain"), ("bottleneck", "bottleneck"), ("beta1", "β = 1")):
            if model in by:
                r = by[model]
                decoder = "-"
                if model == "beta1" and "bottleneck" in by:
                    decoder = "%.0f %%" % (100 * (1 - float(by["bottleneck"]["training"]) / float(r["training"])))
                total = sum(float(r[k]) for k in ("data", "training", "metrics", "oneshot", "iterative"))
                lines.append([title, words] + [show(float(r[k])) for k in ("data", "training")] + [decoder] +
                             [show(float(r[k])) for k in ("metrics", "oneshot", "iterative")] + ["%.1f" % total])
    return COST + table(["set", "model", "data", "dense training", "of it draw, decoder", "metrics, pictures", "one shot, 9 levels",
                         "iterative, 6 levels", "together"], lines)
