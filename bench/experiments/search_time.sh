#!/bin/sh
# A whole search by the clock: population 20, 100 generations, the FPGA table, CIFAR-10; its evaluations and peak memory,
# and how long hdnas info takes to start. Stopped, the same command goes on (the time is then that of the last part).
#   usage: search_time.sh CIFAR10_DIR TABLES_DIR REFERENCE.safetensors OUT_DIR [options of hdnas search]
#   POPULATION=20 GENERATIONS=100 HDNAS=./hdnas
set -eu
[ $# -ge 4 ] || { sed -n '4,5s/# *//p' "$0"; exit 2; }
cd "$(dirname "$0")/../.."
exec python3 - "$@" <<'P'
import json, os, statistics, sys, time
hdnas = os.environ.get("HDNAS", "./hdnas")
data, tables, reference, out = sys.argv[1:5]
def run(args, quiet):
    """Seconds by the clock, and the peak of resident memory in MB."""
    start = time.perf_counter()
    pid = os.fork()
    if pid == 0:
        if quiet:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        os.execvp(args[0], args)
    _, status, usage = os.wait4(pid, 0)
    if status:
        sys.exit(os.waitstatus_to_exitcode(status))
    return time.perf_counter() - start, usage.ru_maxrss / 1024
info = [run([hdnas, "info"], True)[0] for _ in range(21)]
if os.path.exists(out + "/config.json"):
    args = [hdnas, "search", "--resume", out]
else:
    args = [hdnas, "search", "--population", os.environ.get("POPULATION", "20"), "--generations",
            os.environ.get("GENERATIONS", "100"), "--device", "fpga", "--tables", tables, "--data", data if ":" in data or
            data == "builtin" else "cifar10:" + data, "--out", out]
    args += ["--reference", reference] if reference != "-" else []
seconds, peak = run(args + sys.argv[5:] + ["--json"], True)
with open(out + "/summary.json") as f:
    summary = json.load(f)
print("what,value,bar")
print("search_seconds,%.1f,600" % seconds)
print("evaluations,%d," % summary["evals"])
print("networks_scored,%d," % summary["unique"])
print("peak_memory_mb,%.1f,300" % peak)
print("info_ms_median,%.2f,20" % (1e3 * statistics.median(info)))
P
