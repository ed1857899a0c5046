#!/usr/bin/env python3
"""The representation score of one NAS-Bench-201 architecture, in PyTorch, from weights and a batch on disk.

    rmi.py CODE --init W.safetensors --batch B.safetensors --reference R.safetensors --steps N

Prints step,loss,cka1,cka2,cka3,cross_entropy for forward passes 0..N, as `hdnas score --score rmi-paper --trace` does.
CODE: six digits, 0 none 1 skip 2 conv1x1 3 conv3x3 4 avgpool. Written from the papers' formulae [Zheng2022],
independently of the engine.
"""
import argparse
import json
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

TYPES = {"F32": np.float32, "F64": np.float64, "I64": np.int64, "I32": np.int32, "U8": np.uint8}


def load(path):
    raw = open(path, "rb").read()
    (size,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8:8 + size])
    header.pop("__metadata__", None)
    out = {}
    for name, h in header.items():
        a, b = h["data_offsets"]
        array = np.frombuffer(raw[8 + size + a:8 + size + b], TYPES[h["dtype"]]).reshape(h["shape"])
        out[name] = torch.from_numpy(array.copy())
    return out


class Edge(nn.Module):
    """nor_conv: ReLU, convolution, batch norm; named op.1 and op.2 as in the benchmark."""

    def __init__(self, c_in, c_out, kernel, stride=1):
        super().__init__()
        self.op = nn.Sequential(nn.ReLU(), nn.Conv2d(c_in, c_out, kernel, stride, kernel // 2, bias=False),
                                nn.BatchNorm2d(c_out))

    def forward(self, x):
        return self.op(x)


class Cell(nn.Module):
    EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]

    def __init__(self, code, c):
        super().__init__()
        self.code = code
        self.layers = nn.ModuleList([Edge(c, c, {"2": 1, "3": 3}[d]) if d in "23" else nn.Identity() for d in code])

    def forward(self, x):
        nodes = [x, None, None, None]
        for j in (1, 2, 3):
            total = torch.zeros_like(x)
            for e, (a, b) in enumerate(self.EDGES):
                if b != j or self.code[e] == "0":
                    continue
                if self.code[e] == "4":
                    total = total + F.avg_pool2d(nodes[a], 3, 1, 1, count_include_pad=False)
                else:
                    total = total + self.layers[e](nodes[a])
            nodes[j] = total
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, c_in, c_out):
        super().__init__()
        self.conv_a = Edge(c_in, c_out, 3, 2)
        self.conv_b = Edge(c_out, c_out, 3)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c_in, c_out, 1, bias=False))

    def forward(self, x):
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class NB201(nn.Module):
    def __init__(self, code, c_in, classes, n=5):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(c_in, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        cells = [Cell(code, 16) for _ in range(n)] + [Reduction(16, 32)] + [Cell(code, 32) for _ in range(n)]
        cells += [Reduction(32, 64)] + [Cell(code, 64) for _ in range(n)]
        self.cells, self.taps = nn.ModuleList(cells), (n - 1, 2 * n)
        self.lastact = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU())
        self.classifier = nn.Linear(64, classes)

    def forward(self, x):
        x = self.stem(x)
        taps = []
        for i, cell in enumerate(self.cells):
            x = cell(x)
            if i in self.taps:
                taps.append(x)
        x = self.lastact(x)
        taps.append(x)
        return self.classifier(x.mean((2, 3))), taps


class Block(nn.Module):
    def __init__(self, c_in, c_out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, c_out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(c_out)
        self.conv2 = nn.Conv2d(c_out, c_out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(c_out)
        self.grow = c_out - c_in

    def forward(self, x):
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        if self.grow:
            x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.grow // 2, self.grow // 2))
        return F.relu(x + y)


class ResNet(nn.Module):
    """CIFAR ResNet with option-A shortcuts [He2016], tensor names of the public weights."""

    def __init__(self, n, c_in, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(c_in, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        make = lambda a, b, s: nn.Sequential(*[Block(a if i == 0 else b, b, s if i == 0 else 1) for i in range(n)])
        self.layer1, self.layer2, self.layer3 = make(16, 16, 1), make(16, 32, 2), make(32, 64, 2)
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        a = self.layer1(F.relu(self.bn1(self.conv1(x))))
        b = self.layer2(a)
        c = self.layer3(b)
        return self.linear(c.mean((2, 3))), [a, b, c]


def gram(x):
    x = x.flatten(1)
    k = x @ x.t()
    n = k.shape[0]
    h = torch.eye(n, dtype=k.dtype) - 1.0 / n
    return h @ k @ h


def main():
    p = argparse.ArgumentParser()
    p.add_argument("code")
    p.add_argument("--init", required=True)
    p.add_argument("--batch", required=True)
    p.add_argument("--reference", required=True)
    p.add_argument("--steps", type=int, default=10)
    p.add_argument("--cells", type=int, default=5, help="cells a stage")
    p.add_argument("--double", action="store_true", help="compute in float64")
    o = p.parse_args()
    kind = torch.float64 if o.double else torch.float32

    batch = load(o.batch)
    images, labels = batch["images"].to(kind), batch["labels"]
    weights = load(o.reference)
    blocks = len({n.split(".")[1] for n in weights if n.startswith("layer1.")})
    reference = ResNet(blocks, images.shape[1], weights["linear.weight"].shape[0]).to(kind)
    missing, extra = reference.load_state_dict(weights, strict=False)
    assert not extra and all("num_batches" in m for m in missing), (missing, extra)
    reference.train()
    with torch.no_grad():
        targets = [gram(t) for t in reference(images)[1]]

    init = load(o.init)
    net = NB201(o.code, images.shape[1], init["classifier.weight"].shape[0], o.cells).to(kind)
    missing, extra = net.load_state_dict(init, strict=False)
    assert not extra and all("num_batches" in m for m in missing), (missing, extra)
    net.train()
    sgd = torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9, weight_decay=5e-4)
    print("step,loss,cka1,cka2,cka3,cross_entropy")
    for step in range(o.steps + 1):
        logits, taps = net(images)
        cka = [(k * t).sum() / (k.norm() * t.norm()) for k, t in zip(map(gram, taps), targets)]
        ce = F.cross_entropy(logits, labels)
        loss = 0.8 * (3 - sum(cka)) + 0.2 * ce
        print(",".join([str(step)] + ["%.9g" % v.item() for v in [loss, *cka, ce]]))
        sys.stdout.flush()
        sgd.zero_grad()
        loss.backward()
        sgd.step()


if __name__ == "__main__":
    main()
