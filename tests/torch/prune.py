#!/usr/bin/env python3
"""Masks of hdnas prune beside those of torch.nn.utils.prune on the same weights: equal, or a line that says where not.

    prune.py global|layer|channels RUN LEVEL

Reads RUN/dense.safetensors and RUN/pruned.safetensors of a run without training after the pruning.
"""
import json
import os
import struct
import sys

import numpy as np
import torch
import torch.nn.utils.prune as prune

LAYERS = ["encoder.conv1", "encoder.conv2", "encoder.hidden", "mu", "head"]


def load(path):
    with open(path, "rb") as f:
        size, = struct.unpack("<Q", f.read(8))
        header, data = json.loads(f.read(size)), f.read()
    kinds = {"F32": "<f4", "U8": "u1"}
    return {k: torch.from_numpy(np.frombuffer(data[v["data_offsets"][0]:v["data_offsets"][1]], kinds[v["dtype"]])
                                .reshape(v["shape"]).copy()) for k, v in header.items() if k != "__metadata__"}


def main():
    how, run, level = sys.argv[1], sys.argv[2], float(sys.argv[3])
    dense, ours = (load(os.path.join(run, name + ".safetensors")) for name in ("dense", "pruned"))
    modules = []
    for name in LAYERS:
        module = torch.nn.Module()
        module.weight = torch.nn.Parameter(dense[name + ".weight"])
        modules.append(module)
    if how == "global":
        prune.global_unstructured([(m, "weight") for m in modules], prune.L1Unstructured, amount=level)
    for module in modules:
        if how == "layer":
            prune.l1_unstructured(module, "weight", amount=level)
    wrong = 0
    before = None  # channels kept of the layer before
    for name, module in zip(LAYERS, modules):
        if how != "channels":
            theirs = module.weight_mask.to(torch.uint8)
            wrong += int((theirs != ours[name + ".weight_mask"]).sum())
            wrong += int((module.weight.detach() != ours[name + ".weight"]).sum())
            print(name, int(theirs.sum()), "of", theirs.numel())
            continue
        if name in LAYERS[:3]:
            prune.ln_structured(module, "weight", amount=level, n=1, dim=0)
            kept = module.weight_mask.flatten(1).any(1)
        else:
            kept = torch.ones(dense[name + ".weight"].shape[0], dtype=torch.bool)
        rest = dense[name + ".weight"][kept]
        if before is not None and rest.shape[1] != len(before):  # flattened pixels, channel by channel
            before = before.repeat_interleave(rest.shape[1] // len(before))
        rest = rest if before is None else rest[:, before]
        same = rest.shape == ours[name + ".weight"].shape and torch.equal(rest, ours[name + ".weight"])
        print(name, int(kept.sum()), "of", len(kept), tuple(rest.shape))
        wrong += not same
        before = kept
    print("differences:", wrong)
    sys.exit(wrong != 0)


main()
