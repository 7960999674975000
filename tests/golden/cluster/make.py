#!/usr/bin/env python3
"""Writes expected.json: clusterings of drawn vectors by the hdbscan package and scikit-learn.

    make.py            needs hdbscan, scikit-learn, numpy (the versions used are in expected.json)

The vectors are not stored: test_cluster.c draws the same ones from the same formula (splitmix64).
SPDX-License-Identifier: Apache-2.0
"""
import json
import math
import os
import warnings

import hdbscan
import numpy
import sklearn
from sklearn.cluster import DBSCAN, AgglomerativeClustering

MASK = (1 << 64) - 1
# name, seed, faces, dimensions, groups (0: none), spread, strangers, copies, has ties
SETS = [
    ("clear", 1, 120, 64, 8, 0.6, 0, 0, False),
    ("clear_wide", 2, 150, 512, 10, 0.8, 10, 0, False),
    ("noisy", 3, 150, 128, 10, 1.1, 40, 0, False),
    ("very_noisy", 4, 160, 64, 8, 1.6, 60, 0, False),
    ("all_noise", 5, 100, 128, 0, 0, 100, 0, False),
    ("all_noise_flat", 6, 90, 3, 0, 0, 90, 0, False),
    ("one_group", 7, 80, 64, 1, 0.7, 0, 0, False),
    ("one_group_and_strangers", 8, 90, 64, 1, 0.7, 20, 0, False),
    ("two_groups", 9, 70, 32, 2, 0.8, 5, 0, False),
    ("many_small", 10, 160, 128, 40, 0.7, 10, 0, False),
    ("uneven", 11, 180, 64, -6, 0.8, 15, 0, False),
    ("uneven_loose", 12, 180, 96, -9, 1.2, 15, 0, False),
    ("plane", 13, 120, 2, 5, 0.05, 10, 0, False),
    ("sphere", 14, 150, 3, 6, 0.15, 20, 0, False),
    ("odd_dimension", 15, 110, 37, 6, 0.8, 10, 0, False),
    ("deep", 16, 60, 600, 5, 0.9, 6, 0, False),
    ("tiny", 17, 6, 16, 2, 0.4, 0, 0, False),
    ("five", 18, 5, 16, 1, 0.4, 0, 0, False),
    ("three", 19, 3, 8, 1, 0.5, 0, 0, False),
    ("two", 20, 2, 8, 1, 0.5, 0, 0, False),
    ("more_than_a_list", 21, 220, 64, 2, 0.9, 0, 0, False),
    ("copies", 22, 120, 64, 6, 0.7, 10, 40, True),
    ("copies_of_few", 23, 150, 32, 3, 0.5, 0, 140, True),
    ("all_the_same", 24, 90, 64, 1, 0.5, 0, 89, True),
    ("two_points", 25, 100, 16, 2, 0.5, 0, 98, True),
    ("grid", 26, 100, 2, 0, 0, 0, 0, True),
]
# min_cluster_size, min_samples, epsilon, leaf, allow_single_cluster
RUNS = [(3, 3, 0.0, False, False), (5, 2, 0.0, False, False), (5, 5, 0.0, True, False), (4, 1, 0.0, False, True),
        (3, 3, 0.35, False, False), (3, 2, 0.3, True, True), (3, 1, 0.0, False, False), (5, 1, 0.0, True, False),
        (3, 1, 0.4, False, False), (8, 1, 0.0, False, False)]
WITH_SCORES = (0, 6)


class Stream:
    def __init__(self, seed):
        self.state = seed

    def uniform(self):
        self.state = (self.state + 0x9E3779B97F4A7C15) & MASK
        z = self.state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
        return ((z ^ (z >> 31)) >> 11) * 2.0**-53

    def normals(self, n):
        return [self.uniform() + self.uniform() + self.uniform() + self.uniform() - 2.0 for _ in range(n)]


def group_of(i, groups):
    """Groups of equal size, or (negative) each half as large as the one before."""
    if groups > 0:
        return i % groups
    g = 0
    while i % 2 and g < -groups - 1:
        i //= 2
        g += 1
    return g


def unit(v):
    s = 0.0
    for x in v:
        s += x * x
    s = math.sqrt(s)
    return [numpy.float32(x / s) for x in v]


def draw(seed, n, dim, groups, spread, strangers, copies, name):
    stream = Stream(seed)
    if name == "grid":
        return numpy.array([unit([math.cos(i % 10 * 0.1) + i // 10, math.sin(i % 10 * 0.1) + i // 10])
                            for i in range(n)], numpy.float32)
    centres = [unit(stream.normals(dim)) for _ in range(abs(groups))]
    rows = []
    for i in range(n - copies):
        noise = unit(stream.normals(dim))
        if i < strangers:
            rows.append(noise)
        else:
            c = centres[group_of(i, groups)]
            rows.append(unit([float(a) + spread * float(b) for a, b in zip(c, noise)]))
    for i in range(copies):
        rows.append(rows[i % (n - copies)])
    return numpy.array(rows, numpy.float32)


def distances(x):
    x = x.astype(numpy.float64)
    x /= numpy.linalg.norm(x, axis=1, keepdims=True)
    d = numpy.maximum(1.0 - x @ x.T, 0.0)
    d = numpy.maximum(d, d.T)
    numpy.fill_diagonal(d, 0.0)
    return d


def rounded(values, digits):
    return [round(float(v), digits) for v in values]


def run_hdbscan(d, size, m, eps, leaf, single):
    h = hdbscan.HDBSCAN(metric="precomputed", min_cluster_size=size, min_samples=m, cluster_selection_epsilon=eps,
                        cluster_selection_method="leaf" if leaf else "eom", allow_single_cluster=single)
    return h.fit(d)


def partition(labels):
    first = {}
    return [-1 if v < 0 else first.setdefault(v, i) for i, v in enumerate(labels)]


def depends_on_order(d, h, args):
    """Faces share core distances, so with min_samples > 1 edges of a mutual reachability graph tie even when no two
    distances do. Where that matters, the package gives something else for another order of the same faces, and there is
    nothing to compare with. Tells it of labels, and of scores."""
    random = numpy.random.default_rng(7)
    labels, scores = False, False
    for _ in range(12 if args[1] > 1 else 2):
        order = random.permutation(len(d))
        other = run_hdbscan(d[order][:, order], *args)
        back = numpy.empty(len(d), int)
        back[order] = other.labels_
        labels |= partition(back) != partition(h.labels_)
        scores |= not numpy.allclose(other.probabilities_, h.probabilities_[order], atol=1e-5)
        scores |= not numpy.allclose(other.outlier_scores_, h.outlier_scores_[order], atol=1e-5)
    return labels, scores


def main():
    warnings.filterwarnings("ignore")
    out = {"versions": {"hdbscan": "0.8.44", "scikit-learn": sklearn.__version__, "numpy": numpy.__version__}, "sets": []}
    for name, seed, n, dim, groups, spread, strangers, copies, ties in SETS:
        x = draw(seed, n, dim, groups, spread, strangers, copies, name)
        d = distances(x)
        item = dict(name=name, seed=seed, n=n, dim=dim, groups=groups, spread=spread, strangers=strangers, copies=copies,
                    has_ties=ties, trees=[], hdbscan=[], dbscan=[], average=[])
        for m in (1, 3, 5):
            if m < n:
                h = hdbscan.HDBSCAN(metric="precomputed", min_cluster_size=2, min_samples=m)
                h.fit(d)
                item["trees"].append({"min_samples": m, "weights": rounded(
                    h.single_linkage_tree_.to_numpy()[:, 2], 6)})
        for k, (size, m, eps, leaf, single) in enumerate(RUNS if not ties and n > 2 else []):
            h = run_hdbscan(d, size, m, eps, leaf, single)
            run = {"min_cluster_size": size, "min_samples": m, "epsilon": eps, "leaf": leaf, "single": single,
                   "labels": [int(v) for v in h.labels_]}
            labels_vary, scores_vary = depends_on_order(d, h, (size, m, eps, leaf, single))
            if labels_vary:
                run["depends_on_order"] = True
                del run["labels"]
            elif k in WITH_SCORES and not scores_vary:
                run["probabilities"] = rounded(h.probabilities_, 4)
                run["outliers"] = rounded(h.outlier_scores_, 4)
            item["hdbscan"].append(run)
        for eps, m in ((0.5, 3), (0.3, 4), (0.65, 1)):
            c = DBSCAN(eps=eps, min_samples=m, metric="precomputed").fit(d)
            item["dbscan"].append({"eps": eps, "min_samples": m, "labels": [int(v) for v in c.labels_]})
        for threshold in (0.3, 0.6, 0.9) if not ties else ():
            c = AgglomerativeClustering(n_clusters=None, metric="precomputed", linkage="average",
                                        distance_threshold=threshold).fit(d)
            item["average"].append({"threshold": threshold, "labels": [int(v) for v in c.labels_]})
        out["sets"].append(item)
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "expected.json")
    with open(path, "w", encoding="ascii") as f:
        f.write('{"versions": %s,\n"sets": [\n' % json.dumps(out["versions"]))
        f.write(",\n".join(json.dumps(s, separators=(",", ":")) for s in out["sets"]))
        f.write("\n]}\n")


main()
