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
        outputs.append(output)

    for m in layers(net):
        hooks.append(m.register_forward_hook(hook))
    net.zero_grad()
    F.cross_entropy(net(x)[0], y).backward()
    for h in hooks:
        h.remove()
    total = 0
    for o in outputs:
        if o.grad is not None:
            s = (o * o.grad).flatten(2).sum(2) if o.dim() == 4 else o * o.grad
            total += 0.5 * s.pow(2).mean(0).sum().item()
    return total


def jacob_cov(net, x, y):
    x = x.clone().requires_grad_(True)
    net(x)[0].sum().backward()
    j = x.grad.flatten(1).double()
    j = j - j.mean(1, keepdim=True)
    j = j / j.norm(dim=1, keepdim=True)
    v = torch.linalg.eigvalsh(j @ j.t())
    return -(torch.log(v + 1e-5) + 1 / (v + 1e-5)).sum().item()


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
        kind = torch.float64 if name in ("grasp", "jacob_cov", "fisher", "zico") else torch.float32
        print(name, "%.9g" % globals()[name](net.to(kind), images.to(kind), labels))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
