#!/usr/bin/env python3
"""hdnas beside its peers: the same problems, taking turns, medians of paired ratios.

    bench/peers/run.py [--threads 1,2] [--rounds N] [--seconds X] [--only GROUP,...] [--cpu TIER]
                       [--out FILE] [--from FILE,...] [--markdown FILE] [--list]

Prints rows problem,direction,peer,threads,ms_ours,ms_peer,ratio,ratio_low,ratio_high,cpu,precision
(ratio = peer / ours, above 1 hdnas is faster; low and high are quartiles over rounds), and at the
end a table: for each group the geometric mean and the least of the ratios to the fastest peer of
each problem, beside the bar the project has set itself (met: by each problem, or by the mean only,
as the table says). --markdown writes the tables of docs/performance/, between its marks if the
file is there; --from takes rows of earlier runs (--out) as well as, with --only none, instead of
new ones. `make peers` runs it; what a peer needs and lacks is said in one line, and the peer is
skipped. Needs Python's standard library only. Environment: BUILD (folder of programs, default
build), HDNAS (default ./hdnas).
"""
import argparse
import glob
import os
import re
import signal
import statistics
import subprocess
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import report  # noqa: E402
from groups import ROOT, groups  # noqa: E402

# name, header that tells whether it is installed, what to install
CONV_PEERS = [("onednn", "dnnl.h", "libdnnl-dev"), ("libxsmm", "libxsmm.h", "libxsmm-dev"),
              ("xnnpack", "xnnpack.h", "libxnnpack-dev libpthreadpool-dev"), ("openblas", "cblas.h", "libopenblas-dev")]

# How the peers are limited to AVX2; XNNPACK and ONNX Runtime cannot be, so they are left out there.
AVX2 = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2",
        "LIBXSMM_TARGET": "hsw", "OPENBLAS_CORETYPE": "Haswell"}


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


def say(text):
    print("peers: " + text, file=sys.stderr, flush=True)


class Run:
    def __init__(self, o):
        self.o = o
        self.build = os.environ.get("BUILD", "build")
        self.hdnas = os.environ.get("HDNAS", "./hdnas")
        self.rows = []
        self.about = []
        self.torch = self.ort = None
        self.conv_programs = {}
        self.out = open(o.out, "w") if o.out else None

    def emit(self, line):
        print(line, flush=True)
        if self.out:
            self.out.write(line + "\n")
            self.out.flush()

    def add(self, row):
        self.rows.append(row)
        self.emit(report.text(row))

    def learn(self, about):
        """What is measured, once each, for the head of the tables."""
        about = re.sub(r", \d+ threads?\b| NO_LAPACKE.*NO_AFFINITY| MAX_THREADS=\d+", "", about)
        if about not in self.about:
            self.about.append(about)
            self.emit("# about: " + about)

    def read(self, path):
        with open(path, encoding="utf-8") as f:
            for line in f:
                row = report.parse(line)
                if row:
                    self.rows.append(row)
                elif line.startswith("# about: "):
                    self.learn(line[9:].strip())

    def learn_machine(self):
        version = subprocess.run([self.hdnas, "--version"], stdout=subprocess.PIPE, text=True, cwd=ROOT).stdout.strip()
        with open("/proc/cpuinfo") as f:
            models = re.findall(r"model name\s*: (.*)", f.read())
        self.learn("%s, %d processors of %s" % (version, os.cpu_count(), models[0] if models else "an unknown kind"))

    def known(self, problem, direction, peer, threads, group):
        return any(r[:4] == (problem, direction, peer, threads) and (r.cpu, r.precision) == (group.cpu, group.precision)
                   for r in self.rows)

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

    def convs(self, group, threads):
        for direction in group.dirs or ["fwd", "bwd_data", "bwd_weights"]:
            for name, program in self.conv_programs.items():
                if group.against and not re.search(group.against, name):
                    continue
                if group.cpu == "avx2" and name == "xnnpack":
                    say("xnnpack skipped: it cannot be limited to AVX2")
                    continue
                done = {r.problem for r in self.rows if r.direction == direction and r.peer.startswith(name)
                        and r.threads == threads and r.cpu == group.cpu}
                todo = [p for p in group.problems if p not in done]
                if not todo:
                    continue
                args = [program, "--threads", str(threads), "--rounds", str(self.o.rounds), "--dir", direction]
                args += ["--cpu", group.cpu] if group.cpu != "auto" else []
                done = subprocess.run(args + todo, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                      env=self.environment(threads, group.cpu))
                for line in done.stdout.splitlines():
                    self.add(report.parse("%s,%s,%s" % (line, group.cpu, group.precision)))
                said = done.stderr.strip().splitlines() or ["died"]
                if done.returncode:
                    say("%s: %s" % (name, said[-1]))
                else:
                    self.learn(said[0])

    # Networks: processes that take turns.

    def environment(self, threads, cpu):
        env = dict(os.environ, OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
        if cpu == "avx2":
            env.update(AVX2)
        else:
            env.setdefault("ATEN_CPU_CAPABILITY", "avx512")
        return env

    def open_torch(self, threads, cpu):
        python = os.environ.get("PEERS_PYTHON", "/usr/bin/python3")
        there = subprocess.run([python, "-c", "import torch, numpy"], stderr=subprocess.DEVNULL).returncode == 0
        if not there:
            say("PyTorch skipped: %s has no torch (apt-get install python3-torch)" % python)
            return None
        script = os.path.join(ROOT, "bench", "peers", "torch_nets.py")
        server = Server([python, script], self.environment(threads, cpu))
        self.learn(server.about)
        return server

    def open_ort(self, threads, cpu):
        found = glob.glob(os.path.join(ROOT, self.build, "peers/node_modules/onnxruntime-node/bin/*/linux/x64",
                                       "libonnxruntime.so*"))
        program = "%s/bench/peers/ort_nets" % self.build
        if cpu == "avx2":
            say("ONNX Runtime skipped: it cannot be limited to AVX2")
            return None
        if not found:
            say("ONNX Runtime skipped: npm install --ignore-scripts --prefix %s/peers onnxruntime-node" % self.build)
            return None
        if not self.torch:
            say("ONNX Runtime skipped: PyTorch is needed to write the networks")
            return None
        if not self.make(program):
            return None
        server = Server([os.path.join(ROOT, program), found[0], str(threads)], self.environment(threads, cpu))
        self.learn(server.about)
        return server

    def ours(self, group, problem, threads, last_ms):
        """Milliseconds by hdnas bench; what takes longer than a timing should is run once. The
        first time (last_ms None) the result is held to the reference."""
        enough = 1e3 * self.o.seconds / 3
        single = problem.startswith("score:") or (last_ms or 0) > enough
        args = [self.hdnas, "bench", "--quiet", "--threads", str(threads), "--repeats", "1" if single else "3"]
        args += ["--min-ms", "%g" % (0 if single else enough)]
        args += [] if last_ms is None else ["--no-check"]
        args += ["--cpu", group.cpu] if group.cpu != "auto" else []
        args += ["--precision", group.precision] if group.precision != "fp32" else []
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
            direction = problem.rsplit(":", 1)[1] if problem.startswith("net:") else \
                "fwd" if problem.startswith("gram:") else ""
            variants = [v for v in self.variants(problem, group.against)
                        if not self.known(problem, direction, v[0], threads, group)]
            times = {name: [] for name, _ in variants}
            ours, skipped = [], set()
            for i in range(self.o.rounds if variants else 0):
                ms, why = self.ours(group, problem, threads, ours[-1] if ours else None)
                if ms is None:
                    say("%s: %s" % (problem, why))
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
                if ours and len(times[name]) == len(ours):
                    self.add(ratios(problem, direction, name, threads, ours, times[name], group))

    def measure(self, threads, cpu, chosen):
        nets = [g for g in chosen if not g.is_conv]
        self.torch = self.open_torch(threads, cpu) if nets else None
        self.ort = self.open_ort(threads, cpu) if any(":infer" in g.problems[0] for g in nets) else None
        for g in chosen:
            if g.is_conv:
                self.convs(g, threads)
            else:
                self.nets(g, threads)
        for server in (self.torch, self.ort):
            if server:
                server.close()


def ratios(problem, direction, peer, threads, ours, theirs, group):
    r = sorted(b / a for a, b in zip(ours, theirs))
    low, _, high = statistics.quantiles(r, n=4, method="inclusive") if len(r) > 1 else r * 3
    return report.Row(problem, direction, peer, threads, statistics.median(ours), statistics.median(theirs),
                      statistics.median(r), low, high, group.cpu, group.precision)


def main():
    p = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    p.add_argument("--threads", default="1", help="1, 2 or 1,2 (default 1); two only on a quiet machine")
    p.add_argument("--rounds", type=int, default=7)
    p.add_argument("--seconds", type=float, default=0.3, help="of each timing of a network")
    p.add_argument("--only", help="groups, separated by commas; a prefix chooses all that begin with it")
    p.add_argument("--peers", help="libraries of convolutions, separated by commas")
    p.add_argument("--cpu", help="avx2: hdnas and the peers limited to AVX2, in every group")
    p.add_argument("--out", help="write what is printed to this file too")
    p.add_argument("--from", dest="earlier", help="rows of earlier runs, files separated by commas; not measured again")
    p.add_argument("--markdown", help="write the tables as Markdown")
    p.add_argument("--list", action="store_true", help="print groups and problems only")
    o = p.parse_args()
    o.peers = o.peers.split(",") if o.peers else None
    every = groups()
    for g in every:
        g.cpu = o.cpu or g.cpu
    chosen = [g for g in every if not o.only or any(g.name.startswith(w) for w in o.only.split(","))]
    if o.list or (not chosen and not o.earlier):
        for g in every:
            print("%s: %s, %d problems, bar %s" % (g.name, g.what, len(g.problems), g.bar))
        return 0 if o.list else 2
    run = Run(o)
    run.emit(report.HEAD)
    for path in o.earlier.split(",") if o.earlier else []:
        run.read(path)
    if chosen:
        run.learn_machine()
    if any(g.is_conv for g in chosen):
        run.open_convs()
    asked = list(map(int, o.threads.split(",")))
    for threads in asked:
        for cpu in sorted({g.cpu for g in chosen}, key=lambda c: c != "auto"):
            run.measure(threads, cpu, [g for g in chosen if g.cpu == cpu])
    verdicts = [report.verdict(run.rows, g, threads)
                for threads in sorted({r.threads for r in run.rows} | set(asked)) for g in every]
    verdicts = [v for v in verdicts if v.n or (v.group in chosen and v.threads in asked)]
    for line in report.summary(verdicts):
        run.emit(line)
    if o.markdown:
        report.write(o.markdown, report.markdown(run.about, run.rows, verdicts))
    return 0


if __name__ == "__main__":
    sys.exit(main())
