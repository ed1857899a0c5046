"""Write cases that are not among the fixtures into a folder, with the PyTorch installed here.
usage: python3 tests/torch/live.py FOLDER"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cases import case, write_case  # noqa: E402

GENTLE = dict(steps=4, lr=0.002)  # few small steps: see the drifts in cases.py
CASES = {
    "resnet32": case("resnet32", (12, 12, 3), seed=101, **GENTLE),
    "nb201_mixed": case("nb201:143214", (12, 12, 3), seed=102, batch=10, nesterov=1, **GENTLE),
    "nb201_skips": case("nb201:113141", (12, 12, 1), seed=103, smoothing=0.1, **GENTLE),
    "nb201_cut": case("nb201:303000", (12, 12, 3), seed=104, **GENTLE),
    "fbnet_low": case("fbnet:0145813420158312645802", (16, 16, 3), seed=106, **GENTLE),
    "fbnet_high": case("fbnet:8276837185462738157683", (16, 16, 1), seed=107, smoothing=0.1, **GENTLE),
    "mlp": case("mlp:20", (7, 5, 2), seed=105, classes=3, batch=5, optim="adam", lr=0.005),
}

for name, config in CASES.items():
    write_case(os.path.join(sys.argv[1], "live_%s.safetensors" % name), config)
