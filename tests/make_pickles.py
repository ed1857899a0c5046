"""Pickles with the structure of HW-NAS-Bench's, in every protocol and way of holding numbers, and hostile ones.
usage: python3 tests/make_pickles.py FOLDER [EXAMPLES.csv]
good_*.pickle: to be read; NAME.json beside it: what is in it. bad_*.pickle: to be refused."""
import collections
import csv
import json
import os
import pickle
import struct
import sys

try:
    import numpy as np
except ImportError:
    np = None

METRICS = ["edgegpu_latency", "edgegpu_energy", "raspi4_latency", "edgetpu_latency", "pixel3_latency", "eyeriss_latency",
           "eyeriss_energy", "eyeriss_arithmetic_intensity", "fpga_latency", "fpga_energy"]
folder = sys.argv[1]


def values():
    """{data set: {metric: [numbers]}}: the published examples, or numbers made here."""
    if len(sys.argv) > 2:
        with open(sys.argv[2]) as f:
            rows = list(csv.DictReader(f))
        sets = {}
        for row in rows:
            for m in METRICS:
                sets.setdefault(row["dataset"], {}).setdefault(m, []).append(float(row[m]))
        return sets
    return {s: {m: [(-1.0 if "tpu" in m and i == 1 else 0.1 * (i + 1) / (k + 3)) for i in range(300)]
                for k, m in enumerate(METRICS)} for s in ("cifar10", "cifar100", "ImageNet16-120")}


def whole(make):
    sets = values()
    n = len(sets["cifar10"][METRICS[0]])
    nb201 = {s: dict({"config": [{"name": "infer.tiny", "C": 16, "N": 5, "arch_str": "|none~0|", "num_classes": 10,
                                  "big": 1 << 40, "minus": -5, "flag": True, "nothing": None}] * n},
                     **{m: make(v) for m, v in sets[s].items()}) for s in sets}
    blocks = ["ConvBlock_H32_W32_Cin16_Cout16_exp%d_kernel3_stride1_group1" % i for i in range(9)]
    fbnet = {m: {b: make([0.25 * i + len(m)])[0] for i, b in enumerate(blocks)} for m in METRICS if "tpu" not in m}
    return {"nasbench201": nb201, "fbnet": fbnet}


def write(name, data):
    with open(os.path.join(folder, name), "wb") as f:
        f.write(data)


ways = {"list": list, "tuple": tuple, "ordered": list}
if np is not None:
    ways.update({"array": lambda v: np.array(v), "scalars": lambda v: [np.float64(x) for x in v],
                 "big_endian": lambda v: np.array(v, dtype=">f8"), "square": lambda v: np.array(v).reshape(1, -1)
                 if len(v) > 1 else np.array(v)})
for name, make in ways.items():
    data = whole(make)
    if name == "ordered":
        data = collections.OrderedDict(sorted(data.items()))
    for protocol in (2, 3, 4):
        write("good_%s_%d.pickle" % (name, protocol), pickle.dumps(data, protocol))
write("good_one_way.pickle", pickle.dumps({"fbnet": whole(list)["fbnet"]}, 4))
plain = whole(list)
with open(os.path.join(folder, "expected.json"), "w") as f:
    json.dump({"nasbench201": {s: {m: v for m, v in d.items() if m != "config"}
                               for s, d in plain["nasbench201"].items()}, "fbnet": plain["fbnet"]}, f)


class System:
    def __reduce__(self):
        return (os.system, ("touch %s/executed" % folder,))


class Evaluate:
    def __reduce__(self):
        return (eval, ("open('%s/executed', 'w')" % folder,))


p2 = b"\x80\x02"
deep = []
for _ in range(200):
    deep = [deep]
bad = {
    "system_2": pickle.dumps({"nasbench201": System()}, 2), "system_3": pickle.dumps([System()], 3),
    "system_4": pickle.dumps(System(), 4), "eval": pickle.dumps(Evaluate(), 4),
    "protocol_0": pickle.dumps(plain, 0), "protocol_1": pickle.dumps(plain, 1), "protocol_5": pickle.dumps(plain, 5),
    "deep": pickle.dumps(deep, 4), "marks": p2 + b"(" * 1000 + b".", "empty": b"", "proto_only": p2, "stop": p2 + b".",
    "text_bomb": p2 + b"X\xff\xff\xff\x7fab.", "text_bomb_8": p2 + b"\x8d" + b"\xff" * 8 + b"ab.",
    "long_bomb": p2 + b"\x8b\xff\xff\xff\x7f1.", "long_64": p2 + b"\x8a\x09" + b"\x01" * 9 + b".",
    "memo_gap": p2 + b"Nr\xff\xff\xff\xff.", "memo_unset": p2 + b"h\x05.", "no_mark": p2 + b"t.", "pop": p2 + b"0.",
    "append_to_none": p2 + b"NNa.", "append_to_nothing": p2 + b"Na.", "odd_items": p2 + b"}(NNNu.",
    "setitem_list": p2 + b"]NNs.", "call_a_number": p2 + b"K\x01)R.", "build_a_number": p2 + b"K\x01)b.",
    "two_values": p2 + b"NN.", "left_mark": p2 + b"(N.", "more": p2 + b"N.N", "pers": p2 + b"Pid\n.", "inst": p2 + b"(ios\nsystem\n.",
    "newobj": p2 + b"cnumpy\ndtype\n)\x81.", "ext": p2 + b"\x82\x01.", "global_cut": p2 + b"cos",
    "encode_utf8": p2 + b"c_codecs\nencode\nX\x01\x00\x00\x00aX\x04\x00\x00\x00utf8\x86R.",
    "no_tables": pickle.dumps({"other": 1}, 4), "list_inside": pickle.dumps([1, 2], 4),
    "no_dict": pickle.dumps({"nasbench201": [1]}, 4), "uneven": pickle.dumps({"nasbench201": {"cifar10": {"a": [1], "b": [1, 2]}}}, 4),
    "words": pickle.dumps({"nasbench201": {"cifar10": {"a": ["x"]}}}, 4),
    "escape": pickle.dumps({"nasbench201": {"../cifar10": {"a": [1.0]}}}, 4),
    "comma": pickle.dumps({"nasbench201": {"cifar10": {"a,b": [1.0]}}}, 4),
    "zero_in_name": pickle.dumps({"nasbench201": {"cifar10": {"a\0b": [1.0]}}}, 4),
    "missing_block": pickle.dumps({"fbnet": {"a": {"x": 1.0, "y": 2.0}, "b": {"x": 1.0}}}, 4),
}
cycle = []
cycle.append(cycle)
bad["cycle"] = pickle.dumps({"nasbench201": {"cifar10": {"a": cycle}}}, 4)
tiny = {"nasbench201": {"cifar10": {"a": [1, 2.5], "config": [{"C": 16, "s": "x" * 300}]}}, "fbnet": {"a": {"b": 1.0}}}
for protocol in (2, 3, 4):
    write("tiny_%d.pickle" % protocol, pickle.dumps(tiny, protocol))
    if np is not None:
        tiny["more"] = np.arange(6.0).reshape(2, 3), np.float32(1.5), np.array([1, -2], dtype=">i4"), np.bool_(True)
if np is not None:
    a = pickle.dumps({"nasbench201": {"cifar10": {"a": np.arange(5.0)}}}, 4)
    bad["array_short"] = a.replace(struct.pack("<5d", *range(5)), struct.pack("<4d", *range(4))).replace(b"C\x28", b"C\x20")
    bad["array_huge"] = a.replace(b"K\x05\x85", b"J\xff\xff\xff\x7f\x85")
    bad["array_negative"] = a.replace(b"K\x05\x85", b"J\xff\xff\xff\xff\x85")
    bad["objects"] = pickle.dumps({"nasbench201": {"cifar10": {"a": np.array([None, 1], dtype=object)}}}, 4)
    bad["words_array"] = pickle.dumps({"nasbench201": {"cifar10": {"a": np.array(["x"])}}}, 4)
    for name in ("array_short", "array_huge", "array_negative"):
        assert bad[name] != a, name
for name, data in bad.items():
    write("bad_%s.pickle" % name, data)
write("short.pickle", pickle.dumps({"nasbench201": {"cifar10": {"fpga_latency": [1.5, 2.5], "config": [{"C": 16}] * 2}},
                                    "fbnet": {"fpga_latency": {"a": 1.0}}}, 4) if np is None else
      pickle.dumps({"nasbench201": {"cifar10": {"fpga_latency": np.array([1.5, 2.5]), "config": [{"C": 16}] * 2}},
                    "fbnet": {"fpga_latency": {"a": np.float64(1.0)}}}, 2))
