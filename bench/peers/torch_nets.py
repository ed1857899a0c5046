#!/usr/bin/python3
"""Networks, scores and Gram matrices in PyTorch and numpy: a process that times what it is told to.

A line `PROBLEM VARIANT SECONDS` on standard input (net:nb201:333333:n32:train channels_last 0.3) is
answered by one line: milliseconds of one run (the median over about SECONDS of runs, at least
one), or `skip WHY`. What was prepared for a problem is kept for the next time it is asked for.
`onnx PROBLEM FILE` writes the network of an infer problem for ONNX Runtime and answers `ok`.
One thread is timed by the processor time of the process, more by the clock.

Run by run.py with ATEN_CPU_CAPABILITY and OMP_NUM_THREADS set.
"""
import os
import statistics
import sys
import time
import warnings

import numpy as np
import torch
import torch.nn.functional as F

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "tests", "torch"))
import rmi  # noqa: E402  the networks, as the tests of the engine hold them to be the same

# Variants: default, channels_last, bf16 (autocast and channels_last); jit and jit_channels_last for infer; numpy and
# torch for gram.


def network(arch):
    """arch as hdnas writes it: resnet20, nb201:333133."""
    torch.manual_seed(1)
    if arch.startswith("resnet"):
        return rmi.ResNet((int(arch[6:]) - 2) // 6, 3, 10)
    return rmi.NB201(arch.split(":")[1], 3, 10)


class Logits(torch.nn.Module):
    def __init__(self, net):
        super().__init__()
        self.net = net

    def forward(self, x):
        return self.net(x)[0]


def images(n, variant):
    x = torch.randn(n, 3, 32, 32)
    return x.contiguous(memory_format=torch.channels_last) if variant != "default" else x


def optimised(net, x):
    """Frozen, batch norms folded, fused by oneDNN's graph where PyTorch has it."""
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        traced = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(net, x)))
        for _ in range(3):
            traced(x)
    return traced


def autocast(variant):
    return torch.autocast("cpu", dtype=torch.bfloat16, enabled=variant == "bf16")


def infer(arch, n, variant):
    net = Logits(network(arch)).eval()
    if variant.startswith("jit"):
        x = torch.randn(n, 3, 32, 32)
        if variant == "jit_channels_last":
            net, x = net.to(memory_format=torch.channels_last), x.contiguous(memory_format=torch.channels_last)
        net = optimised(net, x)
    else:
        x = images(n, variant)
        net = net if variant == "default" else net.to(memory_format=torch.channels_last)

    def run():
        with torch.inference_mode(), autocast(variant):
            net(x)
    return run


def train(arch, n, variant, update):
    net = network(arch).train()
    net = net if variant == "default" else net.to(memory_format=torch.channels_last)
    x, labels = images(n, variant), torch.arange(n) % 10
    sgd = torch.optim.SGD(net.parameters(), lr=1e-4, momentum=0.9, weight_decay=5e-4)

    def run():
        sgd.zero_grad(set_to_none=True)
        with autocast(variant):
            loss = F.cross_entropy(net(x)[0], labels)
        loss.backward()
        if update:
            sgd.step()
    return run


def score(arch, n, steps, variant):
    """The paper's protocol as tests/torch/rmi.py has it, from the building of the network on."""
    x, labels = images(n, variant), torch.arange(n) % 10
    reference = network("resnet20").train()
    with torch.no_grad():
        targets = [rmi.gram(t) for t in reference(x)[1]]

    def run():
        net = network(arch).train()
        net = net if variant == "default" else net.to(memory_format=torch.channels_last)
        sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
        for step in range(steps + 1):
            with autocast(variant), torch.set_grad_enabled(step < steps):
                logits, taps = net(x)
            grams = [rmi.gram(t.float()) for t in taps]
            cka = [(k * t).sum() / (k.norm() * t.norm()) for k, t in zip(grams, targets)]
            loss = 0.8 * (3 - sum(cka)) + 0.2 * F.cross_entropy(logits.float(), labels)
            if step < steps:
                sgd.zero_grad(set_to_none=True)
                loss.backward()
                sgd.step()
    return run


def gram(n, d, variant):
    x = np.random.default_rng(1).standard_normal((n, d), dtype=np.float32)
    t = torch.from_numpy(x)
    return (lambda: x @ x.T) if variant == "numpy" else (lambda: t @ t.t())


def numbers(text):
    """"n32s10" -> {"n": 32, "s": 10}"""
    out, at = {}, 0
    while at < len(text):
        end = at + 1
        while end < len(text) and text[end].isdigit():
            end += 1
        out[text[at]] = int(text[at + 1:end])
        at = end
    return out


def prepare(problem, variant):
    kind, rest = problem.split(":", 1)
    if kind == "gram":
        v = numbers(rest)
        return gram(v["n"], v["d"], variant)
    if kind == "score":
        _, rest = rest.split(":", 1)
        arch, sizes = rest.rsplit(":", 1)
        return score(arch, numbers(sizes)["n"], numbers(sizes)["s"], variant)
    arch, n, mode = rest.rsplit(":", 2)
    n = numbers(n)["n"]
    return infer(arch, n, variant) if mode == "infer" else train(arch, n, variant, mode == "train")


def export(problem, path):
    """The network of an infer problem as ONNX, batch norms folded by the exporter."""
    arch, n, _ = problem.split(":", 1)[1].rsplit(":", 2)
    net = Logits(network(arch)).eval()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(net, torch.randn(numbers(n)["n"], 3, 32, 32), path, input_names=["x"], output_names=["y"],
                          opset_version=14)


def measure(run, seconds, now):
    times, end = [], time.perf_counter() + seconds
    while not times or (time.perf_counter() < end and len(times) < 1000):
        start = now()
        run()
        times.append(now() - start)
    return 1e3 * statistics.median(times)


def main():
    threads = int(os.environ.get("OMP_NUM_THREADS", "1"))
    torch.set_num_threads(threads)
    now = time.process_time if threads == 1 else time.perf_counter
    runs = {}
    print("torch %s %s, %d threads; numpy %s" % (torch.__version__, os.environ.get("ATEN_CPU_CAPABILITY", ""),
                                                 torch.get_num_threads(), np.__version__), flush=True)
    for line in sys.stdin:
        word = line.split()
        try:
            if word[0] == "onnx":
                export(word[1], word[2])
                print("ok", flush=True)
                continue
            problem, variant, seconds = word
            if (problem, variant) not in runs:
                if problem not in [p for p, _ in runs]:
                    runs.clear()  # one problem at a time: memory
                runs[problem, variant] = prepare(problem, variant)
                runs[problem, variant]()
            run = runs[problem, variant]
            print("%.6g" % measure(run, float(seconds), now), flush=True)
        except Exception as e:  # an answer in any case: the other side waits
            print("skip %s: %s" % (type(e).__name__, str(e).splitlines()[0] if str(e) else ""), flush=True)


if __name__ == "__main__":
    main()
