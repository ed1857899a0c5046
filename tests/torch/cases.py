"""Networks, hashed numbers and training steps in PyTorch, in double: what tests/test_nn_torch.c is held to.

A case is one safetensors file: metadata say what to run, tensors hold what came out. Weights and images are not stored
but made on both sides by the same hash, and long arrays are reduced to (norm, dot product with hashed signs, first
four elements), so that a file stays small. Behind each array stands its drift: how far it moves in PyTorch when all
runs in float32, or when weights are disturbed by a part in a million. That is what float32 can be asked for: deep
networks without skips amplify rounding a lot, and a unit whose ReLU flips moves its weights by a whole step.
"""
import json
import math
import struct

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F


def mix(x):
    """lowbias32 by Chris Wellons: every bit of the input changes every bit of the output."""
    with np.errstate(over="ignore"):
        x = np.asarray(x, dtype=np.uint32)
        x = x ^ (x >> np.uint32(16))
        x = x * np.uint32(0x7FEB352D)
        x = x ^ (x >> np.uint32(15))
        x = x * np.uint32(0x846CA68B)
        return x ^ (x >> np.uint32(16))


def hash_name(name, seed):
    """FNV-1a over the name, then the seed."""
    h = 2166136261
    for byte in name.encode():
        h = (h ^ byte) * 16777619 & 0xFFFFFFFF
    return (h ^ seed * 0x9E3779B1) & 0xFFFFFFFF


def hashed(name, seed, count):
    """count numbers in [-1, 1), exact in float32."""
    with np.errstate(over="ignore"):
        i = np.arange(count, dtype=np.uint32) + mix(hash_name(name, seed))
    return (mix(i) >> np.uint32(8)).astype(np.float64) * 2.0**-23 - 1.0


def float32(x):
    return np.asarray(x, dtype=np.float32).astype(np.float64)


class Flatten(nn.Module):
    def forward(self, x):
        return x.flatten(1)


class ResNet(nn.Module):
    """The CIFAR ResNet of He et al. 2016 with option-A shortcuts."""

    class Block(nn.Module):
        def __init__(self, c, k, stride):
            super().__init__()
            self.conv1 = nn.Conv2d(c, k, 3, stride, 1, bias=False)
            self.bn1 = nn.BatchNorm2d(k)
            self.conv2 = nn.Conv2d(k, k, 3, 1, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(k)
            self.stride, self.pad = stride, (k - c) // 2

        def forward(self, x):
            y = F.relu(self.bn1(self.conv1(x)))
            y = self.bn2(self.conv2(y))
            if self.stride != 1:
                x = F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.pad, self.pad))
            return F.relu(y + x)

    def __init__(self, n_blocks, c, classes):
        super().__init__()
        self.conv1 = nn.Conv2d(c, 16, 3, 1, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(16)
        width = 16
        for stage in (1, 2, 3):
            blocks = []
            for i in range(n_blocks):
                k = 8 << stage
                blocks.append(self.Block(width, k, 2 if stage > 1 and i == 0 else 1))
                width = k
            setattr(self, "layer%d" % stage, nn.Sequential(*blocks))
        self.linear = nn.Linear(64, classes)

    def forward(self, x):
        taps = []
        x = F.relu(self.bn1(self.conv1(x)))
        for stage in (self.layer1, self.layer2, self.layer3):
            x = stage(x)
            taps.append(x)
        return self.linear(x.mean((2, 3))), taps


class ReluConvBn(nn.Module):
    def __init__(self, c, k, kernel, stride):
        super().__init__()
        self.op = nn.Sequential(nn.ReLU(), nn.Conv2d(c, k, kernel, stride, kernel // 2, bias=False),
                                nn.BatchNorm2d(k))

    def forward(self, x):
        return self.op(x)


class Zero(nn.Module):
    def forward(self, x):
        return x * 0.0


class Cell(nn.Module):
    """Node j is the sum of its edges; edges (0>1)(0>2)(1>2)(0>3)(1>3)(2>3)."""
    edges = ((0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3))

    def __init__(self, code, c):
        super().__init__()
        make = {"0": Zero, "1": nn.Identity, "2": lambda: ReluConvBn(c, c, 1, 1),
                "3": lambda: ReluConvBn(c, c, 3, 1),
                "4": lambda: nn.AvgPool2d(3, 1, 1, count_include_pad=False)}
        self.layers = nn.ModuleList(make[digit]() for digit in code)

    def forward(self, x):
        nodes = [x]
        for to in (1, 2, 3):
            nodes.append(sum(layer(nodes[edge[0]]) for edge, layer in zip(self.edges, self.layers) if edge[1] == to))
        return nodes[3]


class Reduction(nn.Module):
    def __init__(self, c, k):
        super().__init__()
        self.conv_a = ReluConvBn(c, k, 3, 2)
        self.conv_b = ReluConvBn(k, k, 3, 1)
        self.downsample = nn.Sequential(nn.AvgPool2d(2, 2), nn.Conv2d(c, k, 1, bias=False))

    def forward(self, x):
        return self.downsample(x) + self.conv_b(self.conv_a(x))


class NB201(nn.Module):
    """NAS-Bench-201's macro network, C = 16, N = 5."""

    def __init__(self, code, c, classes):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(c, 16, 3, 1, 1, bias=False), nn.BatchNorm2d(16))
        cells = [Cell(code, 16) for _ in range(5)] + [Reduction(16, 32)] + [Cell(code, 32) for _ in range(5)]
        cells += [Reduction(32, 64)] + [Cell(code, 64) for _ in range(5)]
        self.cells = nn.ModuleList(cells)
        self.lastact = nn.Sequential(nn.BatchNorm2d(64), nn.ReLU())
        self.classifier = nn.Linear(64, classes)

    def forward(self, x):
        taps = []
        x = self.stem(x)
        for i, cell in enumerate(self.cells):
            x = cell(x)
            if i in (4, 10):
                taps.append(x)
        x = self.lastact(x)
        taps.append(x)
        return self.classifier(x.mean((2, 3))), taps


class FBNet(nn.Module):
    """FBNet as HW-NAS-Bench has it; sides of 96 and more get ImageNet's strides and head."""
    stages = ((1, 16, 1, 1), (4, 24, 2, 1), (4, 32, 2, 2), (4, 64, 2, 2), (4, 112, 1, 1), (4, 184, 2, 2), (1, 352, 1, 1))
    choices = ((3, 1, 1), (3, 1, 2), (3, 3, 1), (3, 6, 1), (5, 1, 1), (5, 1, 2), (5, 3, 1), (5, 6, 1))

    class ConvBn(nn.Module):
        def __init__(self, c, k, kernel, stride):
            super().__init__()
            self.conv = nn.Conv2d(c, k, kernel, stride, kernel // 2, bias=False)
            self.bn = nn.BatchNorm2d(k)

        def forward(self, x):
            return F.relu(self.bn(self.conv(x)))

    class Block(nn.Module):
        def __init__(self, c, k, stride, kernel, expansion, groups):
            super().__init__()
            hidden = c * expansion
            self.conv1 = nn.Conv2d(c, hidden, 1, groups=groups, bias=False)
            self.conv2 = nn.Conv2d(hidden, hidden, kernel, stride, kernel // 2, groups=hidden, bias=False)
            self.conv3 = nn.Conv2d(hidden, k, 1, groups=groups, bias=False)
            self.bn1, self.bn2, self.bn3 = nn.BatchNorm2d(hidden), nn.BatchNorm2d(hidden), nn.BatchNorm2d(k)
            self.groups, self.same = groups, c == k and stride == 1

        def shuffle(self, x):
            n, c, h, w = x.shape
            return x.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)

        def forward(self, x):
            y = self.shuffle(F.relu(self.bn1(self.conv1(x))))
            y = self.bn3(self.conv3(F.relu(self.bn2(self.conv2(y)))))
            return y + x if self.same else y

    def __init__(self, code, c, side, classes):
        super().__init__()
        large = side >= 96
        self.stem = self.ConvBn(c, 16, 3, 2 if large else 1)
        cells, width, self.ends = [], 16, []
        for n, k, stride_large, stride_small in self.stages:
            for i in range(n):
                stride = (stride_large if large else stride_small) if i == 0 else 1
                choice = int(code[len(cells)])
                if choice < 8:
                    cells.append(self.Block(width, k, stride, *self.choices[choice]))
                else:
                    cells.append(nn.Identity() if stride == 1 and width == k else self.ConvBn(width, k, 1, stride))
                width = k
            self.ends.append(len(cells) - 1)
        self.cells = nn.ModuleList(cells)
        self.header = self.ConvBn(352, 1984 if large else 1504, 1, 1)
        self.fc = nn.Linear(1984 if large else 1504, classes)

    def forward(self, x):
        taps = []
        x = self.stem(x)
        for i, cell in enumerate(self.cells):
            x = cell(x)
            if i in (self.ends[1], self.ends[2], self.ends[6]):
                taps.append(x)
        return self.fc(self.header(x).mean((2, 3))), taps


class MLP(nn.Module):
    def __init__(self, widths, features, classes):
        super().__init__()
        layers = []
        for w in widths:
            layers += [nn.Linear(features, w), nn.ReLU()]
            features = w
        self.layers = nn.Sequential(*layers, nn.Linear(features, classes))

    def forward(self, x):
        taps = []
        x = x.flatten(1)
        for layer in self.layers:
            x = layer(x)
            if isinstance(layer, nn.ReLU):
                taps.append(x)
        return x, taps


def build(arch, shape, classes):
    h, w, c = shape
    if arch.startswith("resnet"):
        return ResNet((int(arch[6:]) - 2) // 6, c, classes)
    if arch.startswith("nb201:"):
        return NB201(arch[6:], c, classes)
    if arch.startswith("fbnet:"):
        return FBNet(arch[6:], c, min(h, w), classes)
    return MLP([int(w) for w in arch[4:].split(",")], h * w * c, classes)


def set_weights(model, seed):
    """Weights U(+-sqrt(3 / fan_in)) (variance 1 / fan_in), scales 1 +- .2, shifts and biases +- .2."""
    for name, p in model.named_parameters():
        u = hashed(name, seed, p.numel())
        if p.dim() > 1:
            fan_in = p.numel() // p.shape[0]
            v = float32(u.astype(np.float32) * np.float32(math.sqrt(3.0 / fan_in)))
        else:
            is_scale = name.endswith("weight")
            v = float32(u.astype(np.float32) * np.float32(0.2) + np.float32(1 if is_scale else 0))
        with torch.no_grad():
            p.copy_(torch.from_numpy(v).view_as(p))


def summary(name, seed, values):
    v = values.detach().double().contiguous().numpy().ravel()
    head = np.zeros(4)
    head[: min(4, v.size)] = v[:4]
    return np.concatenate(([math.sqrt((v * v).sum()), (v * hashed(name, seed + 1, v.size)).sum()], head))


def run_case(config, dtype, disturbance=0):
    """All tensors of a case; disturbance: 0, or the seed of relative changes of the weights by 1e-6."""
    torch.set_default_dtype(dtype)
    seed, n, classes, (h, w, c) = config["seed"], config["batch"], config["classes"], config["input"]
    model = build(config["arch"], config["input"], classes)
    set_weights(model, seed)
    if disturbance:
        generator = torch.Generator().manual_seed(disturbance)
        with torch.no_grad():
            for p in model.parameters():
                p.mul_(1 + 1e-6 * torch.randn(p.shape, generator=generator))
    x = torch.from_numpy(float32(hashed("images", seed, n * c * h * w) * 1.5)).view(n, c, h, w).to(dtype)
    labels = torch.from_numpy((mix(np.arange(n) + seed) % np.uint32(classes)).astype(np.int64))
    out = {}

    # Gradients of a loss that also reads the taps.
    model.train()
    logits, taps = model(x)
    loss = F.cross_entropy(logits, labels, label_smoothing=config["smoothing"])
    for i, tap in enumerate(taps):
        signs = torch.from_numpy(hashed("tap%d" % i, seed, tap.numel())).view_as(tap).to(dtype)
        loss = loss + 0.5 * (tap * signs).mean()
        out["tap.%d" % i] = summary("tap", seed, tap)
    loss.backward()
    out["first.logits"] = logits.detach().numpy().ravel()
    for name, p in model.named_parameters():
        grad = p.grad if p.grad is not None else torch.zeros_like(p)
        out["grad." + name] = summary(name, seed, grad)

    # Training steps on the cross-entropy alone.
    if config["optim"] == "adam":
        optim = torch.optim.Adam(model.parameters(), config["lr"], weight_decay=config["decay"])
    else:
        optim = torch.optim.SGD(model.parameters(), config["lr"], config["momentum"], weight_decay=config["decay"],
                                nesterov=config["nesterov"])
    losses = []
    for _ in range(config["steps"]):
        optim.zero_grad()
        loss = F.cross_entropy(model(x)[0], labels, label_smoothing=config["smoothing"])
        loss.backward()
        optim.step()
        losses.append(loss.item())
    out["losses"] = np.array(losses)
    for name, v in model.state_dict().items():
        if not name.endswith("num_batches_tracked"):
            out["final." + name] = summary(name, seed, v)
    model.eval()
    with torch.no_grad():
        out["eval.logits"] = model(x)[0].numpy().ravel()
    return out


def write_case(path, config):
    exact = run_case(config, torch.float64)
    others = [run_case(config, torch.float32)] + [run_case(config, torch.float64, i) for i in range(1, 6)]
    tensors, worst = {}, (0, "")
    for name, value in exact.items():
        drift = np.max([np.abs(value - other[name].astype(np.float64)) for other in others], axis=0)
        worst = max(worst, (drift.max() / max(np.abs(value).max(), 1e-2), name))
        tensors[name] = np.concatenate((value, drift if name == "losses" else [drift.max()]))
    print("%s: largest relative drift %.2g in %s" % (config["arch"], *worst))
    header, data = {"__metadata__": {k: str(v if not isinstance(v, tuple) else ",".join(map(str, v)))
                                     for k, v in config.items()}}, b""
    for name in sorted(tensors):
        raw = np.ascontiguousarray(tensors[name], dtype="<f8").tobytes()
        header[name] = {"dtype": "F64", "shape": list(tensors[name].shape),
                        "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def case(arch, shape, **more):
    config = dict(arch=arch, input=shape, classes=10, batch=8, seed=1, steps=10, smoothing=0.0, optim="sgd", lr=0.05,
                  momentum=0.9, nesterov=0, decay=5e-4)
    config.update(more)
    return config
