"""What the experiments of this folder share: runs of hdnas that resume, means with intervals, tables and charts as SVG."""
import csv, json, math, os, shutil, subprocess, sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
HDNAS = os.environ.get("HDNAS", os.path.join(ROOT, "hdnas"))
# Everything with a processor or an accelerator at the edge; names as `hdnas cost --list` tells them.
DEVICES = ["fpga", "eyeriss", "raspi4", "pixel3", "pixel2", "samsung_a50", "essential_ph_1", "pi5_litert_cifar100",
           "pi5_onnx_cifar100", "pi5_torchmobile_cifar100", "pixel_litert_cifar100"]
# Data set -> column of accuracies that the yardsticks of the literature use.
TRUTH = {"cifar10": "c10_test200", "cifar100": "nats_c100_test200"}


def search(folder, args, keep_page=False):
    """One run of hdnas search: done already, gone on with, or begun. Returns summary.json."""
    summary = os.path.join(folder, "summary.json")
    if not os.path.exists(summary):
        if os.path.exists(os.path.join(folder, "evals.csv")):
            command = [HDNAS, "search", "--quiet", "--resume", folder]
        else:
            shutil.rmtree(folder, ignore_errors=True)
            command = [HDNAS, "search", "--quiet", "--out", folder] + [str(a) for a in args]
        done = subprocess.run(command, stdout=subprocess.DEVNULL)
        if done.returncode == 4 and os.path.exists(summary):
            pass  # a limit that nothing meets: told in the summary
        elif done.returncode != 0:
            sys.exit("failed: " + " ".join(command))
        for page in () if keep_page else ("report.html", "front.svg"):
            if os.path.exists(os.path.join(folder, page)):
                os.remove(os.path.join(folder, page))
    with open(summary) as f:
        return json.load(f)


def rows(path):
    with open(path, newline="") as f:
        return list(csv.DictReader(f))


def latencies(tables, device):
    """index -> the text of a device's latency, empty where it cannot run the network, from the first table that has it."""
    for name in sorted(os.listdir(tables)):
        if name.endswith(".csv"):
            with open(os.path.join(tables, name), newline="") as f:
                reader = csv.DictReader(f)
                column = next((c for c in reader.fieldnames for end in ("_latency_ms", "_lat_ms", "_ms") if c == device + end), None)
                if column and "index" in reader.fieldnames:
                    return {r["index"]: r[column] for r in reader}
    sys.exit(f"no latency of {device} in {tables}")


def write(path, names, table):
    """Table as CSV, whole or not at all, and on standard output."""
    with open(path + ".tmp", "w", newline="") as f:
        out = csv.writer(f, lineterminator="\n")
        out.writerow(names)
        out.writerows(table)
    os.replace(path + ".tmp", path)


# Student's t, two-sided 95 %, by degrees of freedom.
T95 = [math.inf, 12.71, 4.30, 3.18, 2.78, 2.57, 2.45, 2.36, 2.31, 2.26, 2.23, 2.20, 2.18, 2.16, 2.14, 2.13, 2.12, 2.11, 2.10, 2.09, 2.09]


def mean(values):
    return sum(values) / len(values) if values else math.nan


def interval(values):
    """Half the width of the 95 % interval of the mean; nan for fewer than two."""
    n = len(values)
    if n < 2:
        return math.nan
    m = mean(values)
    sd = math.sqrt(sum((v - m) ** 2 for v in values) / (n - 1))
    return (T95[n - 1] if n <= len(T95) else 1.96) * sd / math.sqrt(n)


def show(value, digits=3):
    return "" if value is None or isinstance(value, float) and math.isnan(value) else f"{value:.{digits}f}"


COLOURS = ["#0b62a4", "#d1690e", "#2c8a4b", "#a33a9e", "#6b6b6b", "#b01f24", "#0f8f95", "#7a5c00"]


def ticks(low, high):
    span = high - low or 1
    step = 10 ** math.floor(math.log10(span / 4))
    step *= next(k for k in (1, 2, 5, 10) if span / (step * k) <= 6)
    first = math.ceil(low / step - 1e-9) * step
    return [first + i * step for i in range(int((high - first) / step + 1e-9) + 1)]


def chart(path, title, x_label, y_label, series, width=720, height=440):
    """series: (name, kind, points) with kind line, stairs or dots; points (x, y) or (x, y, half interval)."""
    left, right, top, bottom = 64, 190, 34, 48
    points = [p for _, _, s in series for p in s]
    x0, x1 = min(p[0] for p in points), max(p[0] for p in points)
    y0 = min(p[1] - (p[2] if len(p) > 2 and p[2] == p[2] else 0) for p in points)
    y1 = max(p[1] + (p[2] if len(p) > 2 and p[2] == p[2] else 0) for p in points)
    x1, y1 = x1 if x1 > x0 else x0 + 1, y1 if y1 > y0 else y0 + 1
    y0, y1 = y0 - .04 * (y1 - y0), y1 + .04 * (y1 - y0)
    px = lambda x: left + (x - x0) / (x1 - x0) * (width - left - right)
    py = lambda y: height - bottom - (y - y0) / (y1 - y0) * (height - top - bottom)
    text = lambda x, y, s, more="": f'<text x="{x:.1f}" y="{y:.1f}"{more}>{s.replace("&", "&amp;").replace("<", "&lt;")}</text>'
    out = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" font-family="sans-serif" font-size="12">',
           f"<title>{title}</title>",
           "<style>svg{background:#fff}text{fill:#222}.g{stroke:#ddd}@media(prefers-color-scheme:dark)"
           "{svg{background:#161616}text{fill:#ddd}.g{stroke:#333}}</style>",
           text(left, 20, title, ' font-size="14" font-weight="bold"'),
           text((left + width - right) / 2, height - 10, x_label, ' text-anchor="middle"'),
           text(14, (top + height - bottom) / 2, y_label, f' text-anchor="middle" transform="rotate(-90 14 {(top + height - bottom) / 2:.1f})"')]
    for t in ticks(x0, x1):
        out += [f'<path class="g" d="M{px(t):.1f} {top}V{height - bottom}"/>', text(px(t), height - bottom + 16, f"{t:g}", ' text-anchor="middle"')]
    for t in ticks(y0, y1):
        out += [f'<path class="g" d="M{left} {py(t):.1f}H{width - right}"/>', text(left - 6, py(t) + 4, f"{t:g}", ' text-anchor="end"')]
    for i, (name, kind, s) in enumerate(series):
        colour, s = COLOURS[i % len(COLOURS)], sorted(s) if kind != "line" else s
        if kind == "dots":
            out += [f'<circle cx="{px(p[0]):.1f}" cy="{py(p[1]):.1f}" r="3" fill="{colour}"/>' for p in s]
        else:
            band = [p for p in s if len(p) > 2 and p[2] == p[2]]
            if band:
                edge = [(p[0], p[1] + p[2]) for p in band] + [(p[0], p[1] - p[2]) for p in reversed(band)]
                out.append(f'<path fill="{colour}" opacity=".15" d="M' + "L".join(f"{px(x):.1f} {py(y):.1f}" for x, y in edge) + 'Z"/>')
            path_d = f"M{px(s[0][0]):.1f} {py(s[0][1]):.1f}"
            for p in s[1:]:
                path_d += (f"H{px(p[0]):.1f}V{py(p[1]):.1f}" if kind == "stairs" else f"L{px(p[0]):.1f} {py(p[1]):.1f}")
            out.append(f'<path fill="none" stroke="{colour}" stroke-width="2" d="{path_d}"/>')
        out += [f'<rect x="{width - right + 12}" y="{top + 18 * i}" width="12" height="12" fill="{colour}"/>',
                text(width - right + 30, top + 18 * i + 10, name)]
    with open(path, "w") as f:
        f.write("\n".join(out) + "\n</svg>\n")
