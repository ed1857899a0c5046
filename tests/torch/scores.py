#!/usr/bin/env python3
"""Training-free scores of one NAS-Bench-201 architecture, in PyTorch, from weights and a batch on disk.

    scores.py CODE --init W.safetensors --batch B.safetensors NAME...

Prints NAME VALUE a line. Written from the papers' formulae (docs/SCORES.md), independently of the engine, in float64
where the engine's float32 should not matter.
"""
import argparse
import math
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from rmi import NB201, load  # noqa: E402


def layers(net):
    return [m for m in net.modules() if isinstance(m, (nn.Conv2d, nn.Linear))]


def gradients(net, x, y):
    net.zero_grad()
    F.cross_entropy(net(x)[0], y).backward()
    return [m.weight.grad.clone() for m in layers(net)]


def naswot(net, x, y):
    n = x.shape[0]
    kernel = torch.zeros(n, n, dtype=torch.float64)

    def hook(module, inputs, output):
        code = (output > 0).flatten(1).double()
        kernel.add_(code @ code.t() + (1 - code) @ (1 - code).t())

    hooks = [m.register_forward_hook(hook) for m in net.modules() if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        net(x)
    for h in hooks:
        h.remove()
    return torch.linalg.slogdet(kernel)[1].item()


def swap(net, x, y):
    codes = []
    hooks = [m.register_forward_hook(lambda m, i, o: codes.append((o > 0).flatten(1))) for m in net.modules()
             if isinstance(m, nn.ReLU)]
    with torch.no_grad():
        net(x)
    for h in hooks:
        h.remove()
    return float(torch.unique(torch.cat(codes, 1).t(), dim=0).shape[0])


def positive(net, x):
    """Gradients of the sum of the outputs of the network of absolute weights without batch norm on an image of ones."""
    import copy
    net = copy.deepcopy(net).double()
    for module in net.modules():
        for name, child in module.named_children():
            if isinstance(child, nn.BatchNorm2d):
                setattr(module, name, nn.Identity())
    with torch.no_grad():
        for p in net.parameters():
            p.abs_()
    net(torch.ones(1, *x.shape[1:], dtype=torch.float64))[0].sum().backward()
    return [(m.weight.detach(), m.weight.grad) for m in layers(net) if m.weight.grad is not None]


def synflow(net, x, y):
    return math.log(sum((w * g).abs().sum().item() for w, g in positive(net, x)))


def logsynflow(net, x, y):
    return sum((w * torch.log1p(g)).sum().item() for w, g in positive(net, x))


def snip(net, x, y):
    return sum((m.weight * g).abs().sum().item() for m, g in zip(layers(net), gradients(net, x, y)))


def plain(net, x, y):
    return sum((m.weight * g).sum().item() for m, g in zip(layers(net), gradients(net, x, y)))


def grad_norm(net, x, y):
    return sum(g.norm().item() for g in gradients(net, x, y))


def l2_norm(net, x, y):
    return sum(m.weight.norm().item() for m in layers(net))


def grasp(net, x, y):
    weights = [m.weight for m in layers(net)]
    first = torch.autograd.grad(F.cross_entropy(net(x)[0], y), weights, create_graph=True, allow_unused=True)
    pairs = [(w, g) for w, g in zip(weights, first) if g is not None]
    product = sum((g.detach() * g).sum() for w, g in pairs)
    second = torch.autograd.grad(product, [w for w, g in pairs], allow_unused=True)
    return -sum((w * h).sum().item() for (w, g), h in zip(pairs, second) if h is not None)


def fisher(net, x, y):
    outputs, hooks = [], []

    def hook(module, inputs, output):
        output.retain_grad()
        outputs.append((module, output))

    for m in layers(net):
        hooks.append(m.register_forward_hook(hook))
    net.zero_grad()
    F.cross_entropy(net(x)[0], y).backward()
    for h in hooks:
        h.remove()
    total = 0
    for m, o in outputs:
        if o.grad is not None:
            s = (o * o.grad).flatten(2).sum(2) if o.dim() == 4 else o * o.grad
            total += 0.5 * m.weight[0].numel() * s.pow(2).mean(0).sum().item()
    return total


def jacob_cov(net, x, y):
    x = x.clone().requires_grad_(True)
    net(x)[0].sum().backward()
    j = x.grad.flatten(1).double()
    j = j - j.mean(1, keepdim=True)
    j = j / j.norm(dim=1, keepdim=True)
    v = torch.linalg.eigvalsh(j @ j.t())
    return -(torch.log(v + 1e-5) + 1 / (v + 1e-5)).sum().item()


def epe_nas(net, x, y):
    x = x.clone().requires_grad_(True)
    net(x)[0].sum().backward()
    j = x.grad.flatten(1).double().numpy()
    return sum(abs(np.log(np.abs(np.corrcoef(j[y.numpy() == c])) + 1e-5).sum()) for c in np.unique(y.numpy()))


def ntk(net, x, y):
    x = x[:16]
    rows = []
    for i in range(x.shape[0]):
        net.zero_grad()
        net(x)[0][i].sum().backward()
        rows.append(torch.cat([m.weight.grad.flatten() for m in layers(net)]).double())
    v = torch.linalg.eigvalsh(torch.stack(rows) @ torch.stack(rows).t())
    return math.log(v[0] / v[-1])


def vkdnw(net, x, y):
    theta = list(net.parameters())
    f = torch.zeros(len(theta), len(theta), dtype=torch.float64)
    images = noise(64, x.shape[1:], 0).to(theta[0].dtype)
    for image in images:
        logits = net(image[None])[0][0]
        j = torch.stack([torch.stack([g.flatten()[0] for g in torch.autograd.grad(logit, theta, retain_graph=True)])
                         for logit in logits]).double()
        p = torch.softmax(logits.detach().double(), 0)
        f += j.t() @ (torch.diag(p) - p[:, None] * p[None]) @ j / len(images)
    deciles = torch.quantile(torch.linalg.eigvalsh(f), torch.arange(1, 10, dtype=torch.float64) / 10).clamp(min=0)
    p = deciles / deciles.sum()
    return len(theta) - torch.special.xlogy(p, p).sum().item()


def zico(net, x, y):
    half = x.shape[0] // 2
    a = gradients(net, x[:half], y[:half])
    b = gradients(net, x[half:2 * half], y[half:2 * half])
    total = 0
    for g, h in zip(a, b):
        both = torch.stack([g, h]).double()
        std, mean = both.std(0, unbiased=False), both.abs().mean(0)
        s = (mean[std > 0] / std[std > 0]).sum().item()
        total += math.log(s) if s > 0 else 0
    return total


class Rng:
    """core/rng.h: xoshiro256** keyed (seed, purpose, index)."""
    MASK = (1 << 64) - 1

    def __init__(self, seed, purpose, index):
        self.state = seed
        self.state = self.split() ^ purpose
        self.state = self.split() ^ index
        self.s = [self.split() for _ in range(4)]

    def split(self):
        self.state = (self.state + 0x9e3779b97f4a7c15) & self.MASK
        z = self.state
        z = ((z ^ z >> 30) * 0xbf58476d1ce4e5b9) & self.MASK
        z = ((z ^ z >> 27) * 0x94d049bb133111eb) & self.MASK
        return z ^ z >> 31

    @classmethod
    def rotl(cls, x, k):
        return (x << k | x >> 64 - k) & cls.MASK

    def u64(self):
        s = self.s
        result = self.rotl(s[1] * 5 & self.MASK, 7) * 9 & self.MASK
        t = s[1] << 17 & self.MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = self.rotl(s[3], 45)
        return result

    def normals(self, n):
        u = torch.tensor([(self.u64() >> 11) * 2.0 ** -53 for _ in range(2 * n)], dtype=torch.float64)
        return box_muller(u[0::2], u[1::2])

    def signs(self, n):
        bits = [self.u64() for _ in range((n + 63) // 64)]
        raw = np.frombuffer(b"".join(b.to_bytes(8, "little") for b in bits), dtype=np.uint8)
        return torch.from_numpy(np.unpackbits(raw, bitorder="little")[:n].astype(np.float32) * 2 - 1)


def box_muller(a, b):
    return torch.sqrt(-2 * torch.log(1 - a)) * torch.cos(2 * math.pi * b)


def noise(n, shape, index):
    """Images [n, c, h, w] from draws in the order [n, h, w, c]."""
    c, h, w = shape
    return Rng(1, 10, index).normals(n * h * w * c).float().view(n, h, w, c).permute(0, 3, 1, 2).contiguous()


def cells(net, x):
    """Features after the stem and after every cell."""
    features = [net.stem(x)]
    for cell in net.cells:
        features.append(cell(features[-1]))
    return features


def entropies(net, shape):
    result = []
    with torch.no_grad():
        for f in cells(net, noise(64, shape, 0)):
            m = f.permute(0, 2, 3, 1).reshape(-1, f.shape[1]).double()
            m = m - m.mean(0)
            p = torch.linalg.eigvalsh(m.t() @ m / m.shape[0])
            p = (p / p.sum()).clamp(min=0)
            result.append(-(p * torch.log(p + 1e-8)).sum().item())
    return result


def az_expressivity(net, x, y):
    return sum(entropies(net, x.shape[1:]))


def az_progressivity(net, x, y):
    e = entropies(net, x.shape[1:])
    return min(b - a for a, b in zip(e, e[1:]))


def az_trainability(net, x, y):
    features = cells(net, noise(64, x.shape[1:], 0))
    total = 0
    for i in range(1, len(features)):
        out, before = features[i], features[i - 1]
        n, c, h, w = out.shape
        seed = Rng(1, 10, i).signs(out.numel()).view(n, h, w, c).permute(0, 3, 1, 2)
        back = torch.autograd.grad(out, before, seed, retain_graph=True)[0]
        if back.shape[2] != h:
            back = F.pixel_unshuffle(back, back.shape[2] // h)
        a = back.permute(0, 2, 3, 1).reshape(-1, back.shape[1]).double()
        b = seed.permute(0, 2, 3, 1).reshape(-1, c).double()
        s = torch.linalg.svdvals(a.t() @ b / a.shape[0]).max().item()
        total += 2 - s - 1 / (s + 1e-6)
    return total / (len(features) - 1)


def zen(net, x, y):
    norms = [m for m in net.modules() if isinstance(m, nn.BatchNorm2d)]
    with torch.no_grad():
        for m in layers(net):
            m.weight *= math.sqrt(m.weight[0].numel() / 2)
        for m in norms:
            m.running_var.zero_()
        a = noise(16, x.shape[1:], 0)
        f = net(a)[1][-1].double()
        scale = sum(math.log(m.running_var.mean().item() / m.momentum) / 2 for m in norms
                    if m.running_var.mean() > 0)
        g = net(a + 0.01 * noise(16, x.shape[1:], 1))[1][-1].double()
    return math.log((f - g).abs().sum(1).mean().item()) + scale


def meco(net, x, y):
    total = []

    def hook(module, inputs, output):
        f = output[0].flatten(1).double()
        if f.shape[1] > 1:
            f = f - f.mean(1, keepdim=True)
            d = f.norm(dim=1)
            r = torch.nan_to_num(f @ f.t() / (d[:, None] * d[None]), 0, 0, 0)
            total.append(torch.linalg.eigvalsh(r)[0].item())

    for m in net.modules():
        if isinstance(m, nn.Conv2d):
            m.register_forward_hook(hook)
    with torch.no_grad():
        net(noise(8, x.shape[1:], 0))
    return sum(total)


def main():
    p = argparse.ArgumentParser()
    p.add_argument("code")
    p.add_argument("names", nargs="+")
    p.add_argument("--init", required=True)
    p.add_argument("--batch", required=True)
    o = p.parse_args()
    batch, init = load(o.batch), load(o.init)
    images, labels = batch["images"], batch["labels"]
    for name in o.names:
        net = NB201(o.code, images.shape[1], init["classifier.weight"].shape[0])
        net.load_state_dict(init, strict=False)
        net.train()
        kind = torch.float64 if name in ("grasp", "jacob_cov", "epe-nas", "ntk", "vkdnw", "fisher", "zico") else torch.float32
        print(name, "%.9g" % globals()[name.replace("-", "_")](net.to(kind), images.to(kind), labels))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
