"""Write tests/fixtures/torch_*.safetensors with PyTorch. usage: python3 tests/torch/make_fixtures.py"""
import os
import sys

sys.path.insert(0, os.path.dirname(__file__))
from cases import case, write_case  # noqa: E402

CASES = {
    "resnet20": case("resnet20", (12, 12, 3), nesterov=1, lr=0.01),
    "resnet20_grey": case("resnet20", (14, 10, 1), classes=7, seed=2, optim="adam", lr=0.0005, smoothing=0.1),
    "nb201_all": case("nb201:432134", (16, 16, 3), batch=6, seed=3, lr=0.005),
    "nb201_convs": case("nb201:333123", (12, 12, 3), classes=5, seed=4, smoothing=0.1, lr=0.003),
    "nb201_dead": case("nb201:031200", (8, 8, 3), seed=5, nesterov=1, lr=0.0005),
    "nb201_zero": case("nb201:003032", (8, 8, 3), seed=6, lr=0.01),
    "nb201_none": case("nb201:000000", (8, 8, 3), seed=7),
    "fbnet": case("fbnet:1730826458143801268375", (16, 16, 3), batch=6, seed=10, steps=3, lr=0.0002),
    "mlp": case("mlp:32,16", (8, 6, 3), seed=8, optim="adam", lr=0.01, decay=0.0),
}

if __name__ == "__main__":
    folder = os.path.join(os.path.dirname(__file__), "..", "fixtures")
    os.makedirs(folder, exist_ok=True)
    for name, config in CASES.items():
        write_case(os.path.join(folder, "torch_%s.safetensors" % name), config)
