#!/usr/bin/env python3
"""A prototype beside hdnas, for looked-up scores only: what two means would give mo-hdnas and nsga2.

stratified: the first population spread over the costs: of 1,000 random cells ordered by cost the middle one of each of as
many equal parts as it has members. Epsilon-dominance [Laumanns2002], [Deb2005] in boxes of side epsilon over score and cost,
each scaled by its range over everything evaluated: "survival" lets a second network of a box survive only after each box
has one; "archive" takes one parent of two from an archive of one network a box, whose boxes do not dominate each
other; "rebuilt" makes that archive anew from everything evaluated, each generation.
Judged as by mo_hdnas.py: gap (%) of at most 20 networks chosen by smoothed scores.

  usage: evolution_variants.py OUT TABLES SCORES.csv:COLUMN [--seeds 10] [--first-seed 1] [--devices fpga,eyeriss,raspi4,pixel3]
                               [--budgets 20x20,20x100] [--methods mo-hdnas,nsga2] [--variants ...] [--check yes|no]
  SCORES.csv as whole_space.sh makes it. OUT gets variants.csv: mean and 95 % interval of the gap, and of what it has less
  than the first of the variants (as it is) by the same seeds; device "mean": of each seed's mean over the devices.

Needs numpy. 9 minutes of one core. The searches are written again from nas/evolution.c, nas/smooth.c and nas/shortlist.c,
with the draws of core/rng.c; --check runs hdnas itself for the first seed of each group and holds the prototype to it: the
same networks asked in the same order, the same gap to .001 %."""
import argparse, math, os, sys

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
import numpy as np

import lab
from perfect_search import gap, hypervolume, number, unit

VARIANTS = {  # name -> how the first population is drawn, how epsilon enters, epsilon
    "as it is": (None, None, 0),
    "stratified": (1000, None, 0),
    "survival .01": (None, "survival", .01),
    "survival .02": (None, "survival", .02),
    "survival .05": (None, "survival", .05),
    "archive .01": (None, "archive", .01),
    "archive .02": (None, "archive", .02),
    "archive .05": (None, "archive", .05),
    "archive .1": (None, "archive", .1),
    "rebuilt .05": (None, "rebuilt", .05),
}
N_GENES, N_CHOICES = 6, 5
TRIES = 50
MASK = (1 << 64) - 1


class Rng:
    """core/rng.c: xoshiro256** keyed by seed, purpose and index."""
    SEARCH, ARCH, SHORTLIST = 4, 5, 15

    def __init__(self, seed, purpose, index):
        state = self.mix(self.mix(seed)[1] ^ purpose)[1] ^ index
        self.s = []
        for _ in range(4):
            state, z = self.mix(state)
            self.s.append(z)

    @staticmethod
    def mix(state):
        state = (state + 0x9e3779b97f4a7c15) & MASK
        z = ((state ^ (state >> 30)) * 0xbf58476d1ce4e5b9) & MASK
        z = ((z ^ (z >> 27)) * 0x94d049bb133111eb) & MASK
        return state, z ^ (z >> 31)

    def u64(self):
        s = self.s
        x = (s[1] * 5) & MASK
        result = (((x << 7) | (x >> 57)) * 9) & MASK
        t = (s[1] << 17) & MASK
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = ((s[3] << 45) | (s[3] >> 19)) & MASK
        return result

    def f64(self):
        return (self.u64() >> 11) * 2.0 ** -53

    def normal(self):
        u, v = 1 - self.f64(), self.f64()
        return math.sqrt(-2 * math.log(u)) * math.cos(2 * math.pi * v)

    def below(self, n):
        limit = MASK - MASK % n
        while True:
            x = self.u64()
            if x < limit:
                return x % n


def random_arch(rng):
    return tuple(rng.below(N_CHOICES) for _ in range(N_GENES))


def connected(arch):
    one = arch[0]
    two = arch[1] or arch[2] and one
    return arch[3] or arch[4] and one or arch[5] and two


def fresh_random(asked, rng):
    while True:
        arch = random_arch(rng)
        if arch not in asked:
            asked.add(arch)
            return arch


def stratified(seed, n_draws, population, price):
    """Cells whose costs lie in the middle of equal parts of a random sample's."""
    rng, drawn = Rng(seed, Rng.ARCH, 1 << 32), set()
    sample = sorted((price[a], a) for a in (fresh_random(drawn, rng) for _ in range(n_draws)) if connected(a))
    return [sample[(2 * i + 1) * len(sample) // (2 * population)][1] for i in range(population)]


def fronts(obj, feasible):
    """Rank of each row, 0 = dominated by none; what is infeasible comes last, all in one front."""
    less = (obj[:, None, :] <= obj[None, :, :]).all(2) & (obj[:, None, :] < obj[None, :, :]).any(2)
    beats = np.where(feasible[:, None] & feasible[None, :], less, feasible[:, None] & ~feasible[None, :])
    rank, front = np.full(len(obj), -1), 0
    left = np.ones(len(obj), bool)
    while left.any():
        best = left & ~(beats & left[:, None]).any(0)
        rank[best] = front
        left &= ~best
        front += 1
    return rank


def crowding(obj):
    """Of one front [Deb2002], as nas/front.c has it."""
    n, total = len(obj), [0.0] * len(obj)
    for column in obj.T:
        value = column.tolist()
        order = sorted(range(n), key=lambda i: (value[i], i))
        low, high = value[order[0]], value[order[-1]]
        if low == high:
            continue
        total[order[0]] = total[order[-1]] = math.inf
        for k in range(1, n - 1):
            total[order[k]] += (value[order[k + 1]] - value[order[k - 1]]) / (high - low)
    return total


class Evolution:
    """nas/evolution.c with the preset "default"."""

    def __init__(self, seed, population, diversity, score, price, variant):
        self.seed, self.population, self.diversity, self.score, self.price = seed, population, diversity, score, price
        self.draws, self.how, self.epsilon = variant
        self.members, self.asked, self.order, self.archive = [], set(), [], []

    def rate(self):
        """Ranks and crowding of all members, as a population of their own."""
        ok = [self.score[a] is not None for a in self.members]
        cost = [self.price[a] for a, f in zip(self.members, ok) if f]
        mean = 0.0
        for c in cost:
            mean += c / len(cost)
        square = 0.0
        for c in cost:
            square += (c - mean) * (c - mean)
        obj = np.zeros((len(self.members), 3 if self.diversity else 2))
        for i, a in enumerate(self.members):
            if ok[i]:
                obj[i, :2] = -self.score[a], self.price[a]
                if self.diversity:
                    obj[i, 2] = -(len(cost) * (self.price[a] - mean) * (self.price[a] - mean) + square)
        self.rank, self.crowding = fronts(obj, np.array(ok)), [0.0] * len(obj)
        for front in range(self.rank.max() + 1):
            idx = np.where(self.rank == front)[0]
            for i, c in zip(idx, crowding(obj[idx])):
                self.crowding[i] = c

    def box(self, arch):
        """The box of a network in units of the ranges of everything evaluated, and how far it lies from its best corner."""
        at = [(x - low) / ((high - low) or 1) / self.epsilon for x, (low, high) in
              zip((-self.score[arch], self.price[arch]), self.ranges)]
        box = tuple(int(math.floor(x)) for x in at)
        return box, sum((x - b) ** 2 for x, b in zip(at, box))

    def second(self):
        """Members whose box has a better one: by rank, then by the distance to the corner."""
        best, out = {}, [False] * len(self.members)
        for i, a in enumerate(self.members):
            if self.score[a] is not None:
                box, far = self.box(a)
                best.setdefault(box, []).append((self.rank[i], far, i))
        for inside in best.values():
            for _, _, i in sorted(inside)[1:]:
                out[i] = True
        return out

    def update_archive(self, children):
        """One network a box, the one nearest to its best corner; no box that another one dominates."""
        best = {}
        for a in self.archive + children if self.how == "archive" else self.order:
            if self.score[a] is None:
                continue
            box, far = self.box(a)
            if box not in best or far < best[box][0]:
                best[box] = (far, a)
        self.archive, lowest = [], math.inf
        for box in sorted(best):
            if box[1] < lowest:
                lowest = box[1]
                self.archive.append(best[box][1])

    def tell(self, children):
        self.order += children
        self.members += children
        known = [a for a in self.order if self.score[a] is not None]
        self.ranges = [(min(v), max(v)) for v in ([-self.score[a] for a in known], [self.price[a] for a in known])]
        self.rate()
        second = self.second() if self.how == "survival" else [False] * len(self.members)
        keep = sorted(range(len(self.members)), key=lambda i: (second[i], self.rank[i], -self.crowding[i], i))[:self.population]
        self.members = [self.members[i] for i in keep]
        self.rate()
        if self.how in ("archive", "rebuilt"):
            self.update_archive(children)

    def tournament(self, rng):
        n = len(self.members)
        i, j = rng.below(n), rng.below(n)
        coin = rng.u64() >> 63
        a, b = (self.rank[i], -self.crowding[i]), (self.rank[j], -self.crowding[j])
        return i if a < b or a == b and coin else j

    def first(self):
        if self.draws:
            out = stratified(self.seed, self.draws, self.population, self.price)
            self.asked.update(out)
            return out
        return [fresh_random(self.asked, Rng(self.seed, Rng.ARCH, i)) for i in range(self.population)]

    def breed(self, generation):
        rng, out = Rng(self.seed, Rng.SEARCH, generation), []
        while len(out) < self.population:
            for _ in range(TRIES):
                a, b = self.tournament(rng), self.tournament(rng)
                child, other = list(self.members[a]), self.members[b]
                if self.archive:
                    other = self.archive[rng.below(len(self.archive))]
                if rng.f64() < .9:
                    for g in range(N_GENES):
                        if rng.u64() >> 63:
                            child[g] = other[g]
                for g in range(N_GENES):
                    if rng.f64() < 1. / N_GENES:
                        choice = rng.below(N_CHOICES - 1)
                        child[g] = choice + (choice >= child[g])
                child = tuple(child)
                if child not in self.asked:
                    self.asked.add(child)
                    break
            else:
                child = fresh_random(self.asked, rng)
            out.append(child)
        return out

    def run(self, generations):
        for generation in range(generations):
            self.tell(self.breed(generation) if generation else self.first())
        return self.order


def solve(times, right, noise):
    """(kernel + noise) x = right by conjugate gradients, as nas/smooth.c does it; times: kernel times a vector."""
    x, left, direction, every = np.zeros(len(right)), right, right, right @ right
    now = every
    for _ in range(100):
        if now <= 1e-8 * every:
            break
        image = times(direction) + noise * direction
        step, before = now / (direction @ image), now
        x = x + step * direction
        left = left - step * image
        now = left @ left
        direction = left + now / before * direction
    return x


def smooth(archs, score):
    """nas/smooth.c: ranks, evened out by a Gaussian process, with the noise that chooses the best of so many."""
    _, inverse, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - count + (count - 1) / 2)[inverse]
    genes = np.array(archs)
    apart = sum((genes[:, None, g] != genes[None, :, g]).astype(np.int8) for g in range(N_GENES))
    kernel = np.exp(-np.arange(N_GENES + 1) / (.6 * N_GENES))[apart]
    mean = rank.mean()
    return kernel @ solve(lambda x: kernel @ x, rank - mean, .01 * math.sqrt(len(archs))) + mean


def unit_costs(cost):
    cost = np.asarray(cost, float)
    return (cost - cost.min()) / (cost.max() - cost.min())


def fronts_of(error, cost):
    """Front after front, each by cost."""
    left = np.lexsort((error, cost))
    while len(left):
        best = np.minimum.accumulate(error[left])
        new = np.append(True, error[left][1:] < best[:-1])
        yield left[new]
        left = left[~new]


def shortlist(score, cost, most=20):
    """nas/shortlist.c, shortlist_choose: fronts peeled off; of the one that no longer fits those that add most volume."""
    cost = unit_costs(cost)
    error, out = 1 - np.searchsorted(np.sort(score), score) / len(score), []
    for front in fronts_of(error, cost):
        if len(front) <= most - len(out):
            out += list(front)
            continue
        own = []  # places in the front, ascending cost
        while len(out) + len(own) < most:
            at = np.searchsorted(own, np.arange(len(front)))
            before, after = np.append(1, error[front[own]]), np.append(cost[front[own]], 1)
            gain = (after[at] - cost[front]) * (before[at] - error[front])
            gain[own] = -1
            ties = np.flatnonzero(gain == gain.max())
            own = sorted(own + [int(ties[np.argmin(front[ties])])])
        return out + list(front[own])
    return out


def shortlist_expected(score, cost, most=20, mistake=.05, n_draws=64):
    """nas/shortlist.c, for smoothed scores: one after the other those that add most to the expected hypervolume."""
    cost = unit_costs(cost)
    error, near = (max(score) - score) / (max(score) - min(score)), []
    for front in fronts_of(error, cost):
        near += list(front)
        if len(near) >= min(6 * most, len(score)):
            break
    near.sort(key=lambda i: cost[i])
    draws = np.empty((len(near), n_draws))
    for row, i in zip(draws, near):
        rng = Rng(0, Rng.SHORTLIST, int(i))
        row[:] = [rng.normal() for _ in row]
    draws = error[near, None] + mistake * error.std() * draws
    steps, step = np.unique(cost[near], return_inverse=True)
    width = np.diff(np.append(steps, 1))
    least, out = np.ones((n_draws, len(steps))), []
    while len(out) < min(most, len(near)):
        gain = [(np.maximum(0, least[:, at:] - draws[i, :, None]) @ width[at:]).mean() for i, at in enumerate(step)]
        gain = [g if i not in out else -1 for i, g in enumerate(gain)]
        best = int(np.argmax(gain))
        least[:, step[best]:] = np.minimum(least[:, step[best]:], draws[best, :, None])
        out.append(best)
    return [near[i] for i in out]


def column_of(spec):
    path, column = spec.rsplit(":", 1)
    return {r["index"]: number(r[column]) for r in lab.rows(path)}


def check(args, method, budget, device, order, gaps, index):
    """The same search by hdnas: the networks asked, in their order, and the gap."""
    population, generations = budget.split("x")
    for data_set, ours in gaps.items():
        folder = os.path.join(args.out, "check", data_set, device, f"{method}-{budget}-{args.first_seed}")
        truth = f"{args.tables}/nasbench201.csv:{lab.TRUTH[data_set]}"
        v = lab.search(folder, ["--algorithm", method, "--population", population, "--generations", generations, "--seed",
                                args.first_seed, "--device",
                                device, "--tables", args.tables, "--truth", truth, "--threads", 1, "--score", "table:" + args.scores,
                                "--smooth", "yes"])
        theirs = 100 * (1 - v["shortlist_true_hypervolume"] / v["true_front_hypervolume"])
        asked = [r["index"] for r in lab.rows(os.path.join(folder, "evals.csv"))]
        if asked != [index[a] for a in order]:
            sys.exit(f"{device} {method} {budget}: other networks than hdnas asks about")
        if abs(theirs - ours) > .001:
            sys.exit(f"{data_set} {device} {method} {budget}: gap {ours:.4f}, hdnas {theirs:.4f}")
    print(f"{device} {method} {budget} seed {args.first_seed}: as hdnas", flush=True)


def line(data_set, device, budget, method, variant, gaps, before):
    """A row of variants.csv, told as it comes."""
    less = [g - b for g, b in zip(gaps, before)]
    row = [data_set, device, budget, method, variant] + [lab.show(f(v)) for v in (gaps, less) for f in (lab.mean, lab.interval)]
    print("{:9} {:24} {:7} {:9} {:13} gap {} +- {}  less as it is {} +- {}".format(*row), flush=True)
    return row


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("out")
    p.add_argument("tables")
    p.add_argument("scores")
    p.add_argument("--seeds", type=int, default=10)
    p.add_argument("--first-seed", type=int, default=1)
    p.add_argument("--devices", default="fpga,eyeriss,raspi4,pixel3")
    p.add_argument("--budgets", default="20x20,20x100")
    p.add_argument("--methods", default="mo-hdnas,nsga2")
    p.add_argument("--variants", default=",".join(VARIANTS))
    p.add_argument("--check", default="yes")
    args = p.parse_args()
    os.makedirs(args.out, exist_ok=True)
    cells = lab.rows(os.path.join(args.tables, "nasbench201.csv"))
    archs = [tuple(int(c) for c in r["edges"]) for r in cells]
    index = {a: r["index"] for a, r in zip(archs, cells)}
    known = column_of(args.scores)
    score = {a: known[index[a]] if connected(a) and math.isfinite(known[index[a]]) else None for a in archs}
    error = {d: unit([100 - float(r[c]) for r in cells]) for d, c in lab.TRUTH.items()}
    number_of = {a: i for i, a in enumerate(archs)}
    table, found = [], {}
    for device in args.devices.split(","):
        latency = lab.latencies(args.tables, device)
        price = {a: number(latency[index[a]]) for a in archs}
        cost = unit([price[a] for a in archs])
        whole = {d: hypervolume(zip(cost, error[d])) for d in error}
        for budget in args.budgets.split(","):
            population, generations = map(int, budget.split("x"))
            for method in args.methods.split(","):
                for name in args.variants.split(","):
                    gaps = {d: [] for d in error}
                    for seed in range(args.first_seed, args.first_seed + args.seeds):
                        order = Evolution(seed, population, method == "mo-hdnas", score, price, VARIANTS[name]).run(generations)
                        ok = [a for a in order if score[a] is not None]
                        chosen = shortlist_expected(smooth(ok, np.array([score[a] for a in ok])), [price[a] for a in ok])
                        for d in error:
                            gaps[d].append(gap([number_of[ok[i]] for i in chosen], cost, error[d], whole[d]))
                        if seed == args.first_seed and name == "as it is" and args.check == "yes":
                            check(args, method, budget, device, order, {d: gaps[d][0] for d in error}, index)
                    for d in error:
                        group = found.setdefault((d, budget, method), {})
                        group.setdefault(name, []).append(gaps[d])
                        before = next(iter(group.values()))[-1]
                        table.append(line(d, device, budget, method, name, gaps[d], before))
    for (d, budget, method), group in found.items():
        of_seed = {name: [lab.mean(g) for g in zip(*devices)] for name, devices in group.items()}
        for name, means in of_seed.items():
            table.append(line(d, "mean", budget, method, name, means, next(iter(of_seed.values()))))
    lab.write(os.path.join(args.out, "variants.csv"),
              "data_set device budget method variant gap20 gap20_ci95 difference difference_ci95".split(), table)


if __name__ == "__main__":
    main()
