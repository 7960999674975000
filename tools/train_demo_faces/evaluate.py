"""Measure the demo face models on drawn scenes: average precision of boxes, verification of faces.

The steps are SCRFD's and ArcFace's: letterbox to 640, decode, suppress, align by five points, compare by cosine.
    evaluate.py models/demo/face SCENES        (a folder that `demo_world generate` filled, JPEG or WebP)

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import random
import sys

import numpy as np
from PIL import Image

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import data  # noqa: E402

SIDE = 640
SUPPRESS = 0.4
FOUND = 0.5


def letterbox(image, side=SIDE):
    w, h = image.size
    r = h / w
    nh, nw = (side, int(side / r)) if r > 1 else (int(side * r), side)
    scale = nh / h
    small = image.transform((nw, nh), Image.AFFINE, (w / nw, 0, 0, 0, h / nh, 0), Image.BILINEAR)
    x = np.zeros((side, side, 3), np.float32)
    x[:nh, :nw] = np.asarray(small)
    return ((x - 127.5) / 128).transpose(2, 0, 1)[None], scale


def decode(outputs, side, scale, least):
    """[(score, x0, y0, x1, y1, five points)] after suppression, the best first; from the nine outputs."""
    rows = []
    for k, s in enumerate((8, 16, 32)):
        score, box, points = outputs[k].ravel(), outputs[3 + k] * s, outputs[6 + k] * s
        keep = np.flatnonzero(score >= least)
        place = keep // 2
        c = np.stack([place % (side // s) * s, place // (side // s) * s], 1).astype(np.float32)
        b = np.concatenate([c - box[keep, :2], c + box[keep, 2:]], 1)
        rows.append(np.concatenate([score[keep, None], b / scale, (points[keep] + np.tile(c, 5)) / scale], 1))
    rows = np.concatenate(rows)
    rows = rows[np.argsort(-rows[:, 0], kind="stable")]
    kept = []
    for row in rows:
        if all(overlap(row[1:5], k[1:5], 1.0) <= SUPPRESS for k in kept):
            kept.append(row)
    return kept


def overlap(a, b, one=0.0):
    """IoU; `one` is the +1 pixel of SCRFD's suppression."""
    w = min(a[2], b[2]) - max(a[0], b[0]) + one
    h = min(a[3], b[3]) - max(a[1], b[1]) + one
    if w <= 0 or h <= 0:
        return 0.0
    area = [(q[2] - q[0] + one) * (q[3] - q[1] + one) for q in (a, b)]
    return w * h / (area[0] + area[1] - w * h)


def match(found, people):
    """Pair boxes with people, the best score first: [person index or -1] for each box, at IoU 0.5."""
    free, out = set(range(len(people))), []
    for row in found:
        best, who = 0.5, -1
        for i in free:
            x, y, w, h = people[i]["box"]
            v = overlap(row[1:5], (x, y, x + w, y + h))
            if v >= best:
                best, who = v, i
        free.discard(who)
        out.append(who)
    return out


def average_precision(ranked, total):
    """Area under the precision envelope of (score, is right) pairs, all points."""
    ranked = sorted(ranked, key=lambda q: -q[0])
    right = np.cumsum([r for _, r in ranked])
    if not len(right) or not total:
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    recall = np.concatenate([[0], right / total])
    return float(((recall[1:] - recall[:-1]) * envelope).sum())


def verification(vectors, names, rng, shuffled=False):
    """Accuracy of same-against-different at the best threshold, balanced, and that threshold.

    All same-person pairs against as many different pairs; the threshold of each tenth comes from the other nine.
    """
    names = list(names)
    if shuffled:
        rng.shuffle(names)
    n = len(names)
    same = [(i, j) for i in range(n) for j in range(i) if names[i] == names[j]]
    other = [(i, j) for i in range(n) for j in range(i) if names[i] != names[j]]
    other = rng.sample(other, len(same))
    rng.shuffle(same)
    gram = vectors @ vectors.T
    s, d = np.array([gram[p] for p in same]), np.array([gram[p] for p in other])
    right, cuts = 0, []
    for fold in range(10):
        test = np.arange(len(s)) % 10 == fold
        grid = np.unique(np.concatenate([s[~test], d[~test]]))
        # accept at >= cut: same pairs at or above it, different pairs below it
        up = len(s[~test]) - np.searchsorted(np.sort(s[~test]), grid)
        down = np.searchsorted(np.sort(d[~test]), grid)
        cut = grid[np.argmax(up + down)]
        right += (s[test] >= cut).sum() + (d[test] < cut).sum()
        cuts.append(cut)
    return right / (2 * len(s)), float(np.mean(cuts)), len(s)


CUTS = np.arange(0, 0.9, 0.005)


def share_below(cosines, weights):
    """Of the pairs, by weight: how many lie below each cut."""
    order = np.argsort(cosines)
    sums = np.concatenate([[0], np.cumsum(weights[order])])
    return sums[np.searchsorted(cosines[order], CUTS)] / sums[-1]


def balanced(vectors, names, draws=400):
    """Accuracy over all pairs, same and different weighing half each, at the threshold that is best for them; and its
    2.5 and 97.5 % when the people are drawn anew with replacement (bootstrap by identity)."""
    people, who = np.unique(names, return_inverse=True)
    i, j = np.tril_indices(len(who), -1)
    cosines, same = (vectors @ vectors.T)[i, j], who[i] == who[j]

    def accuracy(n):
        s = share_below(cosines[same], n[who[i[same]]])
        d = share_below(cosines[~same], n[who[i[~same]]] * n[who[j[~same]]])
        return ((1 - s + d) / 2).max()

    rng = np.random.default_rng(1)
    drawn = [accuracy(np.bincount(rng.integers(len(people), size=len(people)), minlength=len(people))) for _ in range(draws)]
    return accuracy(np.ones(len(people))), *np.percentile(drawn, (2.5, 97.5))


def scenes_of(directory, most=None):
    with open(os.path.join(directory, "truth.json"), encoding="utf-8") as f:
        scenes = [s for s in json.load(f)["scenes"] if not s.get("corrupt")]
    return scenes[:most]


def run_detector(detect, directory, scenes):
    """[(image, found, matched people)] of every scene; boxes down to a low score for the precision curve."""
    for s in scenes:
        image = Image.open(os.path.join(directory, s["file"])).convert("RGB")
        x, scale = letterbox(image)
        found = decode(detect(x), SIDE, scale, 0.02)
        yield s, image, found, match(found, s["people"])


def measure(detect, embed, directory, most=None):
    ranked, total, crops, names, sizes, missed = [], 0, [], [], [], []
    at_cut = [0, 0]
    for s, image, found, who in run_detector(detect, directory, scenes_of(directory, most)):
        total += len(s["people"])
        ranked += [(row[0], w >= 0) for row, w in zip(found, who)]
        seen = {w for row, w in zip(found, who) if row[0] >= FOUND}
        at_cut[0] += sum(1 for row, w in zip(found, who) if row[0] >= FOUND and w >= 0)
        at_cut[1] += sum(1 for row, w in zip(found, who) if row[0] >= FOUND and w < 0)
        missed += [(s["file"], p["box"]) for i, p in enumerate(s["people"]) if i not in seen]
        for row, w in zip(found, who):
            if w >= 0 and row[0] >= FOUND and embed:
                crops.append(np.asarray(data.align(image, row[5:].reshape(5, 2))))
                names.append(s["people"][w]["identity"])
                sizes.append(np.prod(s["people"][w]["box"][2:]) ** 0.5)
    out = {"ap": average_precision(ranked, total), "faces": total, "found": at_cut[0], "false": at_cut[1],
           "missed": missed}
    if embed:
        out |= measure_crops(embed, np.stack(crops), names)
        out["sizes"] = sizes
    return out


def true_crops(directory):
    """Crops by the true points, a little off as a detector's would be, and whose they are."""
    rng, crops, names = random.Random(1), [], []
    for s in scenes_of(directory):
        image = Image.open(os.path.join(directory, s["file"])).convert("RGB")
        for p in s["people"]:
            crops.append(np.asarray(data.align(image, data.jittered(rng, p["points"], p["box"]))))
            names.append(p["identity"])
    return np.stack(crops), names


def measure_crops(embed, crops, names):
    x = (crops.astype(np.float32).transpose(0, 3, 1, 2) - 127.5) / 127.5
    v = np.concatenate([embed(x[i:i + 32]) for i in range(0, len(x), 32)])
    v /= np.linalg.norm(v, axis=1, keepdims=True)
    accuracy, cut, pairs = verification(v, names, random.Random(1))
    control, _, _ = verification(v, names, random.Random(1), shuffled=True)
    return {"accuracy": accuracy, "threshold": cut, "pairs": pairs, "shuffled": control, "vectors": v, "names": names}


def torch_detector(net):
    import torch
    bases = ((16, 32), (64, 128), (256, 512))

    def detect(x):
        net.eval()
        with torch.no_grad():
            z = net(torch.from_numpy(x))
        out = [[], [], []]
        for level, s, base in zip(z, (8, 16, 32), bases):
            b = torch.tensor(base, dtype=torch.float32)[None, :, None] / s
            out[0].append(level[0, :, :, :1].sigmoid().reshape(-1, 1).numpy())
            out[1].append((level[0, :, :, 1:5] * b).reshape(-1, 4).numpy())
            out[2].append((level[0, :, :, 5:] * b).reshape(-1, 10).numpy())
        return out[0] + out[1] + out[2]
    return detect


def torch_embedder(net):
    import torch

    def embed(x):
        net.eval()
        with torch.no_grad():
            return net(torch.from_numpy(x)).float().numpy()
    return embed


def detector_line(net, directory, most=120):
    m = measure(torch_detector(net), None, directory, most)
    return f"ap {m['ap']:.4f} found {m['found']}/{m['faces']} false {m['false']}"


def onnx_model(path):
    import onnxruntime as ort
    o = ort.SessionOptions()
    o.intra_op_num_threads = 1
    s = ort.InferenceSession(path, o, providers=["CPUExecutionProvider"])
    name = s.get_inputs()[0].name
    return lambda x: s.run(None, {name: x})


def main():
    models, directory = sys.argv[1:3]
    detect = onnx_model(os.path.join(models, "det_demo.onnx"))
    embed = onnx_model(os.path.join(models, "rec_demo.onnx"))
    m = measure(detect, lambda x: embed(x)[0], directory)
    print(f"faces {m['faces']}  average precision {m['ap']:.4f}  found at 0.5: {m['found']}, false {m['false']}")
    print(f"verification {m['accuracy']:.4f} over {m['pairs']} + {m['pairs']} pairs, threshold {m['threshold']:.3f}; "
          f"names shuffled {m['shuffled']:.4f}")
    over, low, high = balanced(m["vectors"], m["names"])
    print(f"over all pairs {over:.4f}, 95 % interval by people {low:.4f} to {high:.4f}")


if __name__ == "__main__":
    main()
