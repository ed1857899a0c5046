#!/usr/bin/env python3
"""Disentanglement metrics of a CSV of codes and one of factors, with numpy.

    metrics.py CODES.csv FACTORS.csv --seed N --draws N

Prints NAME VALUE a line. Written from the definitions (docs/METRICS.md), independently of the engine: exhaustive trees
on sorted values, Newton's method for the regression, loops over densities. Only the random draws are the engine's
(core/rng.c), so that both look at the same rows.
"""
import argparse

import numpy as np

M64 = (1 << 64) - 1
PURPOSE = 13
SPLIT, FACTORVAE, BETAVAE, KL = range(4)


class Rng:
    """xoshiro256**, seeded by splitmix64 from (seed, purpose, index)."""

    def __init__(self, seed, index):
        self.state = seed
        self.state = self.mix() ^ PURPOSE
        self.state = self.mix() ^ index
        self.s = [self.mix() for _ in range(4)]

    def mix(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & M64
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & M64
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & M64
        return z ^ (z >> 31)

    def u64(self):
        s = self.s
        x = (s[1] * 5) & M64
        result = ((((x << 7) | (x >> 57)) & M64) * 9) & M64
        t = (s[1] << 17) & M64
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = ((s[3] << 45) | (s[3] >> 19)) & M64
        return result

    def below(self, n):
        limit = M64 - M64 % n
        while True:
            x = self.u64()
            if x < limit:
                return x % n

    def f64(self):
        return (self.u64() >> 11) * 2.0**-53

    def normal(self):
        u = 1.0 - self.f64()
        return np.sqrt(-2 * np.log(u)) * np.cos(2 * np.pi * self.f64())

    def permutation(self, n):
        order = list(range(n))
        for i in range(n, 1, -1):
            j = self.below(i)
            order[i - 1], order[j] = order[j], order[i - 1]
        return np.array(order)


def split(n, seed):
    order = Rng(seed, SPLIT << 32).permutation(n)
    n_train = n - n // 3
    return order[:n_train], order[n_train:]


def mutual(codes, factors):
    """[d, f] mutual information of 20 bins of equal width, in nats; entropies of the factors."""
    out = np.zeros((codes.shape[1], factors.shape[1]))
    entropy = np.zeros(factors.shape[1])
    for j in range(codes.shape[1]):
        edges = np.histogram(codes[:, j], 20)[1]
        bins = np.digitize(codes[:, j], edges[:-1])
        for f in range(factors.shape[1]):
            values, y = np.unique(factors[:, f], return_inverse=True)
            joint = np.zeros((21, len(values)))
            np.add.at(joint, (bins, y), 1 / len(y))
            a, b = joint.sum(1, keepdims=True), joint.sum(0, keepdims=True)
            ok = joint > 0
            out[j, f] = (joint[ok] * np.log((joint / np.where(ok, a * b, 1))[ok])).sum()
            entropy[f] = -(b[b > 0] * np.log(b[b > 0])).sum()
    return out, entropy


def mig(codes, factors):
    m, entropy = mutual(codes, factors)
    m = np.sort(m, 0)
    return np.mean((m[-1] - m[-2]) / entropy)


def modularity(codes, factors):
    m = mutual(codes, factors)[0] ** 2
    best = m.max(1)
    return np.mean(1 - (m.sum(1) - best) / (best * (m.shape[1] - 1)))


def gap(table):
    table = np.sort(table, 0)
    return np.mean(table[-1] - table[-2])


def line(x, t, c):
    """Linear machine of one feature: argmin |(w, b)|^2 / 2 + sum c max(0, 1 - t (w x + b))^2."""
    a = np.stack([x, np.ones_like(x)], 1)
    v = np.zeros(2)

    def loss(v):
        return v @ v / 2 + (c * np.maximum(0, 1 - t * (a @ v)) ** 2).sum()

    for _ in range(200):
        slack = np.maximum(0, 1 - t * (a @ v))
        on = slack > 0
        g = v - 2 * (a * (c * t * slack)[:, None]).sum(0)
        h = np.eye(2) + 2 * (a[on] * c[on, None]).T @ a[on]
        step = np.linalg.solve(h, g)
        size = 1.0
        while loss(v - size * step) > loss(v) and size > 1e-12:
            size /= 2
        v = v - size * step
        if np.abs(g).max() < 1e-10:
            break
    return v


def sap(codes, factors, seed):
    train, test = split(len(codes), seed)
    table = np.zeros((codes.shape[1], factors.shape[1]))
    for j in range(codes.shape[1]):
        for f in range(factors.shape[1]):
            y, x = factors[train, f], codes[train, j]
            classes = np.unique(y)
            weight = {k: len(y) / (len(classes) * (y == k).sum()) for k in classes}
            if len(classes) == 2:
                c = 0.01 * np.where(y == classes[1], weight[classes[1]], weight[classes[0]])
                w, b = line(x, np.where(y == classes[1], 1.0, -1.0), c)
                guess = np.where(w * codes[test, j] + b > 0, classes[1], classes[0])
            else:
                scores = []
                for k in classes:
                    c = 0.01 * np.where(y == k, weight[k], 1.0)
                    w, b = line(x, np.where(y == k, 1.0, -1.0), c)
                    scores.append(w * codes[test, j] + b)
                guess = classes[np.argmax(scores, 0)]
            table[j, f] = np.mean(guess == factors[test, f])
    return gap(table)


def sap_r2(codes, factors):
    d = codes.shape[1]
    return gap(np.corrcoef(codes.T, factors.T)[:d, d:] ** 2)


class Tree:
    """Least squares, depth 3, every threshold between two values tried."""

    def __init__(self, x, r, rows, depth, importance):
        self.rows, self.feature = rows, None
        n, best = len(rows), 1e-12
        for j in range(x.shape[1]) if depth else []:
            order = rows[np.argsort(x[rows, j], kind='stable')]
            left = np.cumsum(r[order])[:-1]
            k = np.arange(1, n)
            gain = left**2 / k + (r[rows].sum() - left) ** 2 / (n - k) - r[rows].sum() ** 2 / n
            gain[x[order[1:], j] <= x[order[:-1], j]] = -1
            if n > 1 and gain.max() > best * (1 + 1e-9):  # of equal ones the first
                at = int(np.argmax(gain >= gain.max() * (1 - 1e-9)))
                best = gain[at]
                self.feature, self.cut = j, (x[order[at], j] + x[order[at + 1], j]) / 2
        if self.feature is not None:
            importance[self.feature] += best
            left = x[rows, self.feature] <= self.cut
            self.sides = [Tree(x, r, rows[left], depth - 1, importance), Tree(x, r, rows[~left], depth - 1, importance)]

    def leaves(self):
        return [self] if self.feature is None else self.sides[0].leaves() + self.sides[1].leaves()

    def predict(self, x):
        if self.feature is None:
            return np.full(len(x), self.value)
        return np.where(x[:, self.feature] <= self.cut, self.sides[0].predict(x), self.sides[1].predict(x))


def boost(x, y, x_test, y_test):
    classes = np.unique(y)
    n_classes = len(classes)
    score = np.log([np.mean(y == k) for k in classes])
    score, score_test = np.tile(score, (len(x), 1)), np.tile(score, (len(x_test), 1))
    importance = np.zeros(x.shape[1])
    for _ in range(100):
        p = np.exp(score - score.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        for k in range(n_classes):
            r = (y == classes[k]) - p[:, k]
            tree = Tree(x, r, np.arange(len(x)), 3, importance)
            for leaf in tree.leaves():
                q = np.abs(r[leaf.rows])
                below = (q * (1 - q)).sum()
                leaf.value = 0.1 * (n_classes - 1) / n_classes * r[leaf.rows].sum() / below if below > 1e-150 else 0
            score[:, k] += tree.predict(x)
            score_test[:, k] += tree.predict(x_test)
    return importance / importance.sum(), np.mean(classes[score_test.argmax(1)] == y_test)



def dci(codes, factors, seed):
    train, test = split(len(codes), seed)
    fits = [boost(codes[train], y[train], codes[test], y[test]) for y in factors.T]
    r = np.stack([f[0] for f in fits], 1)
    d, n_factors = r.shape

    def side(rows, base):
        total = 0
        for row in rows:
            p = row[row > 0] / row.sum()
            total += row.sum() / r.sum() * (1 + (p * np.log(p)).sum() / np.log(base)) if row.sum() > 0 else 0
        return total

    return side(r, n_factors), side(r.T, d), np.mean([f[1] for f in fits])


def draw(rng, factors, n):
    f = rng.below(factors.shape[1])
    same = np.flatnonzero(factors[:, f] == factors[rng.below(len(factors)), f])
    return f, [same[rng.below(len(same))] for _ in range(n)]


def factorvae(codes, factors, seed, draws):
    votes = []
    for i in range(draws + draws // 2):
        f, rows = draw(Rng(seed, FACTORVAE << 32 | i), factors, 64)
        votes.append((int(np.argmin(codes[rows].var(0, ddof=1) / codes.var(0, ddof=1))), f))
    table = np.zeros((codes.shape[1], factors.shape[1]))
    for j, f in votes[:draws]:
        table[j, f] += 1
    answer = table.argmax(1)
    return np.mean([answer[j] == f for j, f in votes[draws:]])


def betavae(codes, factors, seed, draws):
    x, y = [], []
    for i in range(draws + draws // 2):
        f, rows = draw(Rng(seed, BETAVAE << 32 | i), factors, 128)
        x.append(np.abs(codes[rows[0::2]] - codes[rows[1::2]]).mean(0))
        y.append(f)
    x, y = np.array(x), np.array(y)
    a = np.concatenate([x, np.ones((len(x), 1))], 1)
    d, k = a.shape[1], factors.shape[1]
    w = np.zeros((k, d))
    penalty = np.tile(np.append(np.ones(d - 1), 1e-9), k)  # the biases' common shift is free
    for _ in range(50):
        logits = a[:draws] @ w.T
        p = np.exp(logits - logits.max(1, keepdims=True))
        p /= p.sum(1, keepdims=True)
        g = ((p - np.eye(k)[y[:draws]]).T @ a[:draws]).ravel() + penalty * w.ravel()
        h = np.diag(penalty)
        for i in range(k):
            for j in range(k):
                weight = p[:, i] * ((i == j) - p[:, j])
                h[i * d:(i + 1) * d, j * d:(j + 1) * d] += (a[:draws] * weight[:, None]).T @ a[:draws]
        w -= np.linalg.solve(h, g).reshape(k, d)
    return np.mean((a[draws:] @ w.T).argmax(1) == y[draws:])


def spread(codes):
    cov = np.cov(codes.T)
    eigenvalues = np.linalg.eigvalsh(cov)
    corr = np.corrcoef(codes.T)
    return ((np.diag(cov) > 0.01).sum(), eigenvalues.sum() ** 2 / (eigenvalues**2).sum(), -np.linalg.slogdet(corr)[1] / 2)


def kl(mu, logvar, seed):
    n, d = mu.shape
    exact = ((mu**2 + np.exp(logvar) - 1 - logvar) / 2).sum(1).mean()
    rng = Rng(seed, KL << 32)
    order = rng.permutation(n)
    mu, logvar = mu[order], logvar[order]
    z = mu + np.exp(logvar / 2) * np.array([[rng.normal() for _ in range(d)] for _ in range(n)])
    # log q(z_i | x_k) by dimension: [i, k, d]
    log_q = -0.5 * (np.log(2 * np.pi) + logvar[None] + (z[:, None] - mu[None]) ** 2 / np.exp(logvar[None]))
    given = np.einsum('iid->i', log_q)
    joint = np.log(np.exp(log_q.sum(2)).mean(1))
    product = np.log(np.exp(log_q).mean(1)).sum(1)
    prior = -0.5 * (np.log(2 * np.pi) + z**2).sum(1)
    return exact, (given - joint).mean(), (joint - product).mean(), (product - prior).mean()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('codes')
    parser.add_argument('factors')
    parser.add_argument('--seed', type=int, default=1)
    parser.add_argument('--draws', type=int, default=200)
    args = parser.parse_args()
    names = open(args.codes).readline().strip().split(',')
    table = np.loadtxt(args.codes, delimiter=',', skiprows=1, dtype=np.float32).astype(np.float64)
    is_logvar = np.array([name.startswith('logvar') for name in names])
    codes, logvar = table[:, ~is_logvar], table[:, is_logvar]
    factors = np.loadtxt(args.factors, delimiter=',', skiprows=1).astype(int)
    out = {'mig': mig(codes, factors), 'modularity': modularity(codes, factors)}
    out['sap'], out['sap_r2'] = sap(codes, factors, args.seed), sap_r2(codes, factors)
    names = 'dci_disentanglement', 'dci_completeness', 'dci_informativeness'
    out.update(zip(names, dci(codes, factors, args.seed)))
    out['factorvae'] = factorvae(codes, factors, args.seed, args.draws)
    out['betavae'] = betavae(codes, factors, args.seed, args.draws)
    out.update(zip(('active_units', 'effective_dim', 'total_correlation'), spread(codes)))
    out.update(zip(('kl', 'kl_mutual', 'kl_correlation', 'kl_dimensions'), kl(codes, logvar, args.seed)))
    for name, value in out.items():
        print(name, repr(float(value)))


main()
