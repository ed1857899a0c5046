#!/usr/bin/env python3
"""hdnas beside its peers: the same problems, taking turns, medians of paired ratios.

    bench/peers/run.py [--threads 1,2] [--rounds N] [--seconds X] [--only GROUP,...] [--cpu TIER]
                       [--out FILE] [--list]

Prints rows problem,direction,peer,threads,ms_ours,ms_peer,ratio,ratio_low,ratio_high (ratio = peer /
ours, above 1 hdnas is faster; low and high are quartiles over rounds), and at the end a table: for
each group the geometric mean and the least of the ratios to the fastest peer of each problem, beside
the bar the project has set itself (met: by each problem, or by the mean only, as the table says). `make peers` runs it; what a peer needs and lacks is said in one
line, and the peer is skipped. Needs Python's standard library only. Environment: BUILD (folder of
programs, default build), HDNAS (default ./hdnas).
"""
import argparse
import glob
import math
import os
import random
import re
import signal
import statistics
import subprocess
import sys

ROOT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..")
HEAD = "problem,direction,peer,threads,ms_ours,ms_peer,ratio,ratio_low,ratio_high"

# name, header that tells whether it is installed, what to install
CONV_PEERS = [("onednn", "dnnl.h", "libdnnl-dev"), ("libxsmm", "libxsmm.h", "libxsmm-dev"),
              ("xnnpack", "xnnpack.h", "libxnnpack-dev libpthreadpool-dev"), ("openblas", "cblas.h", "libopenblas-dev")]

NAMED = ["nb201:333123", "nb201:132323", "nb201:421211", "nb201:333333"]  # 13714, 3558, 0, all 3x3
EDGES = [(0, 1), (0, 2), (1, 2), (0, 3), (1, 3), (2, 3)]


def conv(n, side, c, k, r, s=1, g=1):
    return "conv:n%dh%dw%dc%dk%dr%ds%dp%dg%d" % (n, side, side, c, k, r, s, r // 2, g)


def shapes(name, n=None):
    with open(os.path.join(ROOT, "bench", "shapes", name)) as f:
        lines = [line.split("#")[0].strip() for line in f]
    return [re.sub(r":n\d+h", ":n%dh" % n, p) if n else p for p in lines if p]


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
    """problems are what is measured; `against` chooses among the rows; the bar is a geometric mean
    (or, where sums is set, a ratio of total times) and a floor under every ratio."""

    def __init__(self, name, what, bar, floor, problems, dirs=None, against=None, sums=False):
        self.name, self.what, self.bar, self.floor, self.problems = name, what, bar, floor, problems
        self.dirs, self.against, self.sums = dirs, against, sums


def groups():
    fp32 = r"^torch-(?!bf16)|^numpy"
    s3 = [(32, 16), (16, 32), (8, 64)]
    three = [conv(n, h, c, c, 3) for n in (1, 32, 128) for h, c in s3]
    out = [
        Group("conv3x3-16", "3x3 s1 forward, 16 channels", 1.6, None, [p for p in three if "c16k" in p],
              ["fwd"], "^onednn"),
        Group("conv3x3-16d", "3x3 s1 backward data, 16 channels", 1.6, None, [p for p in three if "c16k" in p],
              ["bwd_data"], "^onednn"),
        Group("conv3x3-32", "3x3 s1 forward, 32 and 64 channels", 1.3, None, [p for p in three if "c16k" not in p],
              ["fwd"], "^onednn"),
        Group("conv3x3-32d", "3x3 s1 backward data, 32 and 64", 1.3, None, [p for p in three if "c16k" not in p],
              ["bwd_data"], "^onednn"),
        Group("conv3x3-w", "3x3 s1 backward weights", 1.0, .9, three, ["bwd_weights"]),
        Group("strided", "3x3 stride 2", 1.0, .9, [conv(n, h, c, 2 * c, 3, 2) for n in (1, 32, 128)
                                                   for h, c in s3[:2]]),
        Group("1x1", "1x1", 1.0, .9, [conv(n, h, c, c, 1) for n in (1, 32, 128) for h, c in s3]),
        Group("stem", "stem 3 -> 16", 1.0, .9, [conv(n, 32, 3, 16, 3) for n in (1, 32, 128)], ["fwd", "bwd_weights"]),
        Group("depthwise", "depthwise, FBNet", 1.0, .9,
              [p for f in ("fbnet224.txt", "fbnet.txt") for p in shapes(f)
               if re.search(r"r[35]s.*g([3-9]\d|\d{3})", p)]),
        Group("pointwise", "pointwise, FBNet", 1.0, .9,
              [p for f in ("fbnet224.txt", "fbnet.txt") for p in shapes(f) if re.search(r"r1s1p0g1$", p)]),
    ]
    fast, small = [a for a in NAMED if a != "nb201:421211"], ["nb201:421211"]
    for n in (32, 128):
        out += [Group("train%d" % n, "training step, batch %d" % n, 1.8, None,
                      ["net:%s:n%d:train" % (a, n) for a in fast], against=fp32),
                Group("train%d-small" % n, "training step of index 0, batch %d" % n, 2.5, None,
                      ["net:%s:n%d:train" % (a, n) for a in small], against=fp32),
                Group("train%d-resnet" % n, "training step of ResNet-20, batch %d" % n, None, None,
                      ["net:resnet20:n%d:train" % n], against=fp32)]
    out += [Group("train-bf16", "training step, batch 128, PyTorch in bf16", 2.0, None,
                  ["net:%s:n128:train" % a for a in NAMED], against="bf16")]
    infer, more = ["resnet20", NAMED[0], NAMED[3]], NAMED[1:3]
    for name, what, bar, n in (("latency", "latency, batch 1", 1.8, 1), ("infer128", "inference, batch 128", 2.0, 128)):
        out += [Group(name, what, bar, None, ["net:%s:n%d:infer" % (a, n) for a in infer], against="^onnx"),
                Group(name + "-more", what + ", 3558 and 0", None, None, ["net:%s:n%d:infer" % (a, n) for a in more],
                      against="^onnx")]
    out += [Group("cells", "gradients of 40 random cells, batch 64", 3.0, None,
                  ["net:%s:n64:grad" % a for a in cells(40)], against=fp32, sums=True),
            Group("gram", "Gram matrix 256 x 16384", 1.0, None, ["gram:n256d16384"], against="^numpy"),
            Group("rmi", "RMI, paper's protocol, 20 random cells, 10 updates", 4.0, None,
                  ["score:rmi-paper:%s:n32s10" % a for a in cells(20)], against=fp32, sums=True)]
    return out


class Server:
    """A peer's process that answers a line with a line. Stopped while others are measured, so that
    no waiting thread of it takes a processor."""

    def __init__(self, args, env):
        self.process = subprocess.Popen(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env)
        self.about = self.process.stdout.readline().strip()
        if not self.about:
            self.process.wait()
            raise OSError("did not start")
        self.pause()

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def ask(self, line):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        self.pause()
        if not answer:
            raise SystemExit("peers: a peer died on: " + line)
        return answer

    def close(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.stdin.close()
        self.process.wait()


def say(text):
    print("peers: " + text, file=sys.stderr, flush=True)


class Run:
    def __init__(self, o):
        self.o = o
        self.build = os.environ.get("BUILD", "build")
        self.hdnas = os.environ.get("HDNAS", "./hdnas")
        self.rows = []
        self.torch = self.ort = None
        self.conv_programs = {}
        self.out = open(o.out, "w") if o.out else None

    def emit(self, line):
        print(line, flush=True)
        if self.out:
            self.out.write(line + "\n")
            self.out.flush()

    def add(self, problem, direction, peer, threads, ours, theirs):
        ratios = sorted(b / a for a, b in zip(ours, theirs))
        low, _, high = statistics.quantiles(ratios, n=4, method="inclusive") if len(ratios) > 1 else ratios * 3
        row = (problem, direction, peer, threads, statistics.median(ours), statistics.median(theirs),
               statistics.median(ratios))
        self.rows.append(row)
        self.emit("%s,%s,%s,%d,%.5g,%.5g,%.3f,%.3f,%.3f" % (row + (low, high)))

    # Convolutions: one program a peer, which holds hdnas too and takes turns call by call.

    def make(self, program):
        make = os.environ.get("MAKE", "make")
        env = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
        done = subprocess.run([make, "--no-print-directory", "BUILD=" + self.build, program], cwd=ROOT, env=env,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        if done.returncode:
            say("%s cannot be built: %s" % (program, done.stdout.strip().splitlines()[-1]))
        return done.returncode == 0

    def open_convs(self):
        for name, header, package in CONV_PEERS:
            if self.o.peers and name not in self.o.peers:
                continue
            program = "%s/bench/peers/conv_%s" % (self.build, name)
            there = subprocess.run([os.environ.get("CC", "gcc"), "-fsyntax-only", "-xc", "-"],
                                   stderr=subprocess.DEVNULL, input="#include <%s>\n" % header,
                                   text=True).returncode == 0
            if not there:
                say("%s skipped: %s is not installed (apt-get install %s)" % (name, header, package))
            elif self.make(program):
                self.conv_programs[name] = os.path.join(ROOT, program)

    def convs(self, problems, dirs, threads, peers):
        for direction in dirs or ["fwd", "bwd_data", "bwd_weights"]:
            for name, program in self.conv_programs.items():
                if peers and not re.search(peers, name):
                    continue
                known = {r[0] for r in self.rows if r[1] == direction and r[2].startswith(name) and r[3] == threads}
                todo = [p for p in problems if p not in known]
                if not todo:
                    continue
                args = [program, "--threads", str(threads), "--rounds", str(self.o.rounds), "--dir", direction]
                args += ["--cpu", self.o.cpu] if self.o.cpu else []
                done = subprocess.run(args + todo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      env=self.environment(threads))
                for line in done.stdout.splitlines():
                    f = line.split(",")
                    self.rows.append((f[0], f[1], f[2], int(f[3]), float(f[4]), float(f[5]), float(f[6])))
                    self.emit(line)
                if done.returncode:
                    say("%s: %s" % (name, (done.stderr.strip().splitlines() or ["died"])[-1]))

    # Networks: processes that take turns.

    def environment(self, threads):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        env.setdefault("ATEN_CPU_CAPABILITY", "avx2" if self.o.cpu == "avx2" else "avx512")
        if self.o.cpu == "avx2":
            env.setdefault("ONEDNN_MAX_CPU_ISA", "AVX2")
            env.setdefault("DNNL_MAX_CPU_ISA", "AVX2")
        return env

    def open_torch(self, threads):
        python = os.environ.get("PEERS_PYTHON", "/usr/bin/python3")
        there = subprocess.run([python, "-c", "import torch, numpy"], stderr=subprocess.DEVNULL).returncode == 0
        if not there:
            say("PyTorch skipped: %s has no torch (apt-get install python3-torch)" % python)
            return None
        script = os.path.join(ROOT, "bench", "peers", "torch_nets.py")
        server = Server([python, script], self.environment(threads))
        say(server.about)
        return server

    def open_ort(self, threads):
        found = glob.glob(os.path.join(ROOT, self.build, "peers/node_modules/onnxruntime-node/bin/*/linux/x64",
                                       "libonnxruntime.so*"))
        program = "%s/bench/peers/ort_nets" % self.build
        if not found:
            say("ONNX Runtime skipped: npm install --ignore-scripts --prefix %s/peers onnxruntime-node" % self.build)
            return None
        if not self.torch:
            say("ONNX Runtime skipped: PyTorch is needed to write the networks")
            return None
        if not self.make(program):
            return None
        server = Server([os.path.join(ROOT, program), found[0], str(threads)], self.environment(threads))
        say(server.about)
        return server

    def ours(self, problem, threads, last_ms):
        """Milliseconds by hdnas bench; what takes longer than a timing should is run once. The
        first time (last_ms None) the result is held to the reference."""
        enough = 1e3 * self.o.seconds / 3
        single = problem.startswith("score:") or (last_ms or 0) > enough
        args = [self.hdnas, "bench", "--quiet", "--threads", str(threads), "--repeats", "1" if single else "3"]
        args += ["--min-ms", "%g" % (0 if single else enough)]
        args += [] if last_ms is None else ["--no-check"]
        args += ["--cpu", self.o.cpu] if self.o.cpu else []
        done = subprocess.run(args + [problem], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
        if done.returncode:
            return None, (done.stderr.strip().splitlines() or ["died"])[0]
        row = done.stdout.strip().splitlines()[-1].split(",")
        return float(row[6]), row[1]

    def variants(self, problem, against):
        """(name, function that measures) of everything that is to be compared with."""
        kind = problem.split(":")[0]
        mode = problem.rsplit(":", 1)[1] if kind == "net" else kind
        eager = ["torch-default", "torch-channels_last", "torch-bf16"]
        names = {"infer": eager + ["torch-jit", "torch-jit_channels_last"],
                 "gram": ["numpy", "torch-default"]}.get(mode, eager)
        out = []
        seconds = 0 if kind == "score" else self.o.seconds
        for name in names:
            if self.torch and re.search(against, name):
                variant = {"numpy": "numpy", "gram": "torch"}.get(name if name == "numpy" else mode, name[6:])
                out.append((name, lambda v=variant: self.torch.ask("%s %s %g" % (problem, v, seconds))))
        if self.ort and mode == "infer" and re.search(against, "onnxruntime"):
            path = os.path.join(ROOT, self.build, "peers", re.sub(r"[:/]", "-", problem) + ".onnx")
            os.makedirs(os.path.dirname(path), exist_ok=True)
            if os.path.exists(path) or self.torch.ask("onnx %s %s" % (problem, path)) == "ok":
                n = re.search(r":n(\d+):", problem).group(1)
                out.append(("onnxruntime", lambda: self.ort.ask("%s %s %g" % (path, n, seconds))))
        return out

    def nets(self, group, threads):
        for problem in group.problems:
            known = {r[2] for r in self.rows if r[0] == problem and r[3] == threads}
            variants = [v for v in self.variants(problem, group.against) if v[0] not in known]
            times = {name: [] for name, _ in variants}
            ours, skipped, direction = [], set(), ""
            for i in range(self.o.rounds if variants else 0):
                ms, direction = self.ours(problem, threads, ours[-1] if ours else None)
                if ms is None:
                    say("%s: %s" % (problem, direction))
                    break
                ours.append(ms)
                for name, ask in variants:
                    answer = "skip" if name in skipped else ask()
                    if answer.startswith("skip"):
                        skipped.add(name)
                        if answer != "skip":
                            say("%s on %s: %s" % (name, problem, answer))
                    else:
                        times[name].append(float(answer))
            for name, _ in variants:
                if ours and name not in skipped:
                    self.add(problem, direction, name, threads, ours, times[name])

    def measure(self, threads, chosen):
        self.torch = self.open_torch(threads) if any(not g.problems[0].startswith("conv") for g in chosen) else None
        self.ort = self.open_ort(threads) if any(":infer" in g.problems[0] for g in chosen) else None
        for g in chosen:
            if g.problems[0].startswith("conv"):
                self.convs(g.problems, g.dirs, threads, g.against)
            else:
                self.nets(g, threads)
        for server in (self.torch, self.ort):
            if server:
                server.close()

    def summary(self, threads, chosen):
        line = "%-52s %8s %8s %8s %6s %-24s %s"
        self.emit("# " + line % ("%d thread%s" % (threads, "s" if threads > 1 else ""), "problems", "geomean", "least",
                                 "bar", "least at", "verdict"))
        for g in chosen:
            best = {}
            for r in self.rows:
                if (r[3] == threads and r[0] in g.problems and re.search(g.against or "", r[2])
                        and (not g.dirs or r[1] in g.dirs)):
                    key = r[0], r[1]
                    best[key] = min(best.get(key, r), r, key=lambda row: row[6])
            if not best:
                self.emit("# " + line % (g.what, 0, "-", "-", g.bar or "-", "", "not measured"))
                continue
            ratios = [r[6] for r in best.values()]
            mean = math.exp(sum(map(math.log, ratios)) / len(ratios))
            if g.sums:
                mean = sum(r[5] for r in best.values()) / sum(r[4] for r in best.values())
            least = min(best.values(), key=lambda r: r[6])
            met = "NOT met"
            if g.bar is None:
                met = ""
            elif mean >= g.bar and least[6] >= (g.floor or g.bar):
                met = "met"
            elif mean >= g.bar and not g.floor:
                met = "met by the mean"
            where = least[0].split(":", 1)[1] + (" " + least[1] if least[1] else "")
            self.emit("# " + line % (g.what, len(best), "%.2f" % mean, "%.2f" % least[6], g.bar or "-", where, met))


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--threads", default="1", help="1, 2 or 1,2 (default 1); two only on a quiet machine")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.3, help="of each timing of a network")
    p.add_argument("--only", help="groups, separated by commas; a prefix chooses all that begin with it")
    p.add_argument("--peers", help="libraries of convolutions, separated by commas")
    p.add_argument("--cpu", help="avx2: hdnas and the peers limited to AVX2")
    p.add_argument("--out", help="write what is printed to this file too")
    p.add_argument("--list", action="store_true", help="print groups and problems only")
    o = p.parse_args()
    o.peers = o.peers.split(",") if o.peers else None
    chosen = [g for g in groups() if not o.only or any(g.name.startswith(w) for w in o.only.split(","))]
    if o.list or not chosen:
        for g in groups():
            print("%s: %s, %d problems, bar %s" % (g.name, g.what, len(g.problems), g.bar))
        return 0 if o.list else 2
    run = Run(o)
    if any(g.problems[0].startswith("conv") for g in chosen):
        run.open_convs()
    run.emit(HEAD)
    for threads in map(int, o.threads.split(",")):
        run.measure(threads, chosen)
        run.summary(threads, chosen)
    return 0


if __name__ == "__main__":
    sys.exit(main())
