#!/usr/bin/env python3
"""A Beta-VAE with a classifier on its code trained for a few steps by PyTorch in float64, for tests/test_nn_vae.c.

    vae.py FOLDER

Writes FOLDER/weights.safetensors (the start) and FOLDER/case.safetensors: images, labels, losses and the weights after
three steps of SGD. The draws are those of op latent: xoshiro256** keyed by (seed, RNG_LATENT, step << 32 | image).
Images of 9 x 9: the decoder must reach an odd side. Mirrors vae:4s,6,M:16:5:6,4.
"""
import json
import math
import os
import struct
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

SIDE, BATCH, CLASSES, LATENT, SEED = 9, 6, 3, 5, 77
BETA, RECON_WEIGHT, CLASS_WEIGHT, LR, MOMENTUM, DECAY, STEPS = 2.0, 0.5, 7.0, 0.002, 0.9, 5e-4, 3
M64 = (1 << 64) - 1


def splitmix(state):
    state = (state + 0x9E3779B97F4A7C15) & M64
    z = state
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 & M64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB & M64
    return state, z ^ (z >> 31)


def rotl(x, k):
    return ((x << k) | (x >> (64 - k))) & M64


class Rng:
    def __init__(self, seed, purpose, index):
        state, z = splitmix(seed)
        state, z = splitmix(z ^ purpose)
        state = z ^ index
        self.s = []
        for _ in range(4):
            state, z = splitmix(state)
            self.s.append(z)

    def f64(self):
        s = self.s
        result = rotl(s[1] * 5 & M64, 7) * 9 & M64
        t = s[1] << 17 & M64
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotl(s[3], 45)
        return (result >> 11) * 2.0**-53

    def normal(self):
        u, v = 1.0 - self.f64(), self.f64()
        return math.sqrt(-2.0 * math.log(u)) * math.cos(6.283185307179586476925 * v)


class Vae(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.ModuleDict({
            "conv1": nn.Conv2d(1, 4, 3, 2, 1, bias=False), "bn1": nn.BatchNorm2d(4),
            "conv2": nn.Conv2d(4, 6, 3, 1, 1, bias=False), "bn2": nn.BatchNorm2d(6), "hidden": nn.Linear(24, 16)})
        self.mu, self.logvar, self.head = nn.Linear(16, LATENT), nn.Linear(16, LATENT), nn.Linear(LATENT, CLASSES)
        # 9 is reached from 5, 5 from 3.
        self.decoder = nn.ModuleDict({"input": nn.Linear(LATENT, 3 * 3 * 6),
                                      "up1": nn.ConvTranspose2d(6, 4, 3, 2, 1), "up2": nn.ConvTranspose2d(4, 1, 3, 2, 1)})

    def forward(self, x, eps):
        h = F.relu(self.encoder["bn1"](self.encoder["conv1"](x)))
        h = F.max_pool2d(F.relu(self.encoder["bn2"](self.encoder["conv2"](h))), 2)
        h = F.relu(self.encoder["hidden"](h.flatten(1)))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu + eps * torch.exp(logvar / 2)
        d = F.relu(self.decoder["input"](z)).view(-1, 6, 3, 3)
        return mu, logvar, self.decoder["up2"](F.relu(self.decoder["up1"](d))), self.head(z)


def write(path, meta, tensors):
    header, data = {"__metadata__": meta}, b""
    for name in sorted(tensors):
        value, kind = tensors[name]
        raw = np.ascontiguousarray(value, dtype={"F32": "<f4", "F64": "<f8", "I64": "<i8"}[kind]).tobytes()
        header[name] = {"dtype": kind, "shape": list(value.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as f:
        f.write(struct.pack("<Q", len(text)) + text + data)


def state(net):
    return {k: v.detach().numpy() for k, v in net.state_dict().items() if not k.endswith("num_batches_tracked")}


def main():
    torch.manual_seed(1)
    torch.set_default_dtype(torch.float64)
    net, folder = Vae(), sys.argv[1]
    with torch.no_grad():  # what float32 can hold
        for p in net.parameters():
            p.copy_(p.float().double())
    meta = {"arch": "vae:4s,6,M:16:5:6,4", "input": "9,9,1", "classes": "3"}
    write(os.path.join(folder, "weights.safetensors"), meta, {k: (v, "F32") for k, v in state(net).items()})
    x, labels = torch.rand(BATCH, 1, SIDE, SIDE).float().double(), torch.arange(BATCH) % CLASSES
    optim = torch.optim.SGD(net.parameters(), LR, MOMENTUM, weight_decay=DECAY)
    losses = []
    for step in range(STEPS):
        eps = []
        for image in range(BATCH):
            r = Rng(SEED, 8, step << 32 | image)
            eps.append([r.normal() for _ in range(LATENT)])
        mu, logvar, made, logits = net(x, torch.tensor(eps))
        recon = F.binary_cross_entropy_with_logits(made, x, reduction="sum") / BATCH
        kl = -0.5 * (1 + logvar - mu**2 - logvar.exp()).sum() / BATCH
        loss = RECON_WEIGHT * recon + BETA * kl + CLASS_WEIGHT * F.cross_entropy(logits, labels)
        optim.zero_grad()
        loss.backward()
        optim.step()
        losses.append([loss.item(), recon.item(), kl.item()])
    tensors = {"final." + k: (v, "F64") for k, v in state(net).items()}
    tensors.update(images=(x.numpy().reshape(BATCH, SIDE, SIDE, 1), "F64"), labels=(labels.numpy(), "I64"),
                   losses=(np.array(losses), "F64"))
    write(os.path.join(folder, "case.safetensors"), {}, tensors)


main()
