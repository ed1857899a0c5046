"""What is compared: groups of problems, whom with, and the bar that the project has set itself."""
import os
import random
import re

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")

NAMED = ["nb201:333123", "nb201:132323", "nb201:421211", "nb201:333333"]  # 13714, 3558, 0, all 3x3
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]
FP32 = r"^torch-(?!bf16)|^numpy"


def conv(n, side, c, k, r, s=1, g=1):
    return "conv:n%dh%dw%dc%dk%dr%ds%dp%dg%d" % (n, side, side, c, k, r, s, r // 2, g)


def shapes(name, n=None):
    with open(os.path.join(ROOT, "bench", "shapes", name)) as f:
        lines = [line.split("#")[0].strip() for line in f]
    return [re.sub(r":n\d+h", ":n%dh" % n, p) if n else p for p in lines if p.startswith("conv:")]


def connected(code):
    reach = {0}
    for (a, b), op in zip(EDGES, code):
        if op != "0" and a in reach:
            reach.add(b)
    return 3 in reach


def cells(count):
    """Random cells whose output depends on the input; the same in every run."""
    rng, out = random.Random(1), []
    while len(out) < count:
        code = "".join(rng.choice("01234") for _ in range(6))
        if connected(code) and code not in out:
            out.append(code)
    return ["nb201:" + c for c in out]


class Group:
    """problems are what is measured, in directions `dirs`; `against` chooses among the peers' names.
    The bar is a geometric mean (or, where sums is set, a ratio of total times), and floor stands
    under every ratio; without a floor the bar does. cpu and precision: what hdnas is told; with
    cpu="avx2" the peers are limited too."""

    def __init__(self, name, what, bar, floor, problems, dirs=None, against=None, sums=False, cpu="auto",
                 precision="fp32"):
        self.name, self.what, self.bar, self.floor, self.problems = name, what, bar, floor, problems
        self.dirs, self.against, self.sums, self.cpu, self.precision = dirs, against, sums, cpu, precision

    @property
    def is_conv(self):
        return self.problems[0].startswith("conv:")


def conv_groups():
    s3 = [(32, 16), (16, 32), (8, 64)]
    three = [conv(n, h, c, c, 3) for n in (1, 32, 128) for h, c in s3]
    few, more = [p for p in three if "c16k" in p], [p for p in three if "c16k" not in p]
    fbnet = [p for f in ("fbnet224.txt", "fbnet.txt") for p in shapes(f)]
    return [
        Group("conv3x3-16", "3x3 s1 forward, 16 channels", 1.6, None, few, ["fwd"], "^onednn"),
        Group("conv3x3-16d", "3x3 s1 backward data, 16 channels", 1.6, None, few, ["bwd_data"], "^onednn"),
        Group("conv3x3-32", "3x3 s1 forward, 32 and 64 channels", 1.3, None, more, ["fwd"], "^onednn"),
        Group("conv3x3-32d", "3x3 s1 backward data, 32 and 64", 1.3, None, more, ["bwd_data"], "^onednn"),
        Group("conv3x3-w", "3x3 s1 backward weights", 1.0, .9, three, ["bwd_weights"]),
        Group("strided", "3x3 stride 2", 1.0, .9,
              [conv(n, h, c, 2 * c, 3, 2) for n in (1, 32, 128) for h, c in s3[:2]]),
        Group("1x1", "1x1", 1.0, .9, [conv(n, h, c, c, 1) for n in (1, 32, 128) for h, c in s3]),
        Group("stem", "stem 3 -> 16", 1.0, .9, [conv(n, 32, 3, 16, 3) for n in (1, 32, 128)], ["fwd", "bwd_weights"]),
        Group("depthwise", "depthwise, FBNet", 1.0, .9,
              [p for p in fbnet if re.search(r"r[35]s.*g([3-9]\d|\d{3})", p)]),
        Group("pointwise", "pointwise, FBNet", 1.0, .9, [p for p in fbnet if re.search(r"r1s1p0g1$", p)]),
    ]


def net_groups():
    fast, small = [a for a in NAMED if a != "nb201:421211"], ["nb201:421211"]
    infer, more = ["resnet20", NAMED[0], NAMED[3]], NAMED[1:3]
    out = []

    def train(n, archs):
        return ["net:%s:n%d:train" % (a, n) for a in archs]
    for n in (32, 128):
        out += [Group("train%d" % n, "training step, batch %d" % n, 1.8, None, train(n, fast), against=FP32),
                Group("train%d-small" % n, "training step of index 0, batch %d" % n, 2.5, None, train(n, small),
                      against=FP32),
                Group("train%d-resnet" % n, "training step of ResNet-20, batch %d" % n, None, None,
                      train(n, ["resnet20"]), against=FP32)]
    for n in (32, 128):
        out.append(Group("avx2-train%d" % n, "training step, batch %d, all limited to AVX2" % n, 1.2, None,
                         train(n, NAMED), against=FP32, cpu="avx2"))
    out += [Group("train-bf16", "training step, batch 128, hdnas fp32, PyTorch bf16", None, None, train(128, NAMED),
                  against="bf16"),
            Group("bf16-train", "training step, batch 128, both bf16", 2.0, None, train(128, NAMED), against="bf16",
                  precision="bf16")]
    for name, what, bar, n in (("latency", "latency, batch 1", 1.8, 1), ("infer128", "inference, batch 128", 2.0, 128)):
        out += [Group(name, what, bar, None, ["net:%s:n%d:infer" % (a, n) for a in infer], against="^onnx"),
                Group(name + "-more", what + ", 3558 and 0", None, None, ["net:%s:n%d:infer" % (a, n) for a in more],
                      against="^onnx")]
    return out


def groups():
    return conv_groups() + net_groups() + [
        Group("cells", "gradients of 40 random cells, batch 64", 3.0, None,
              ["net:%s:n64:grad" % a for a in cells(40)], against=FP32, sums=True),
        Group("gram", "Gram matrix 256 x 16384", 1.0, None, ["gram:n256d16384"], against="^numpy"),
        Group("rmi", "RMI, paper's protocol, 20 random cells, 10 updates", 4.0, None,
              ["score:rmi-paper:%s:n32s10" % a for a in cells(20)], against=FP32, sums=True),
        Group("rmi-bf16", "the same, hdnas bf16 against PyTorch fp32", 8.0, None,
              ["score:rmi-paper:%s:n32s10" % a for a in cells(20)], against=FP32, sums=True, precision="bf16")]
