"""Scenes of the training cast as JPEG files with their truth, and aligned crops of their faces.

SPDX-License-Identifier: Apache-2.0
"""

import glob
import io
import json
import os
import random
import sys

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))

from demoworld import scene  # noqa: E402

FIRST, IDENTITIES = 1000, 2000
SEED = 1000
CROP = 112
TEMPLATE = np.array([(38.2946, 51.6963), (73.5318, 51.5014), (56.0252, 71.7366), (41.5493, 92.3655),
                     (70.7299, 92.2041)])
PER_CHUNK = 100
SIZES = (360, 416, 480, 480, 560, 560, 640, 640, 640, 720, 800, 1024)
VIEWS = ("group",) * 9 + ("figures",) * 7 + ("portrait",) * 3 + ("things",)


def similarity(source):
    """The 2x3 matrix that takes five points onto the template with least squares and no reflection."""
    s, d = np.asarray(source, float), TEMPLATE
    ms, md = s.mean(0), d.mean(0)
    s, d = s - ms, d - md
    n = (s * s).sum()
    a = (s * d).sum() / n
    b = (s[:, 0] * d[:, 1] - s[:, 1] * d[:, 0]).sum() / n
    r = np.array([[a, -b], [b, a]])
    return np.hstack([r, (md - r @ ms)[:, None]])


def align(image, points):
    """The 112x112 crop that the recogniser sees: bilinear, no smoothing, black outside."""
    m = similarity(points)
    inverse = np.linalg.inv(np.vstack([m, [0, 0, 1]]))
    # Pillow maps pixel centres at +0.5; the template counts centres as whole numbers.
    shift = np.array([[1, 0, 0.5], [0, 1, 0.5], [0, 0, 1.0]])
    k = shift @ inverse @ np.linalg.inv(shift)
    return image.transform((CROP, CROP), Image.AFFINE, k[:2].ravel(), Image.BILINEAR)


def jittered(rng, points, box):
    """Points as a detector might place them: noise by the face's size, all five moved and each alone."""
    size = (box[2] * box[3]) ** 0.5
    p = np.asarray(points, float)
    together = [rng.gauss(0, 0.012), rng.gauss(0, 0.012)]
    alone = np.array([[rng.gauss(0, 0.014), rng.gauss(0, 0.014)] for _ in p])
    return p + size * (alone + together)


def scene_plan(index):
    """Scene `index` of the training world: everybody of the cast equally often."""
    rng = random.Random(f"train-demo-faces/{index}")
    view = rng.choice(VIEWS)
    wish = {"view": view}
    if view != "things":
        many = {"group": rng.choice((2, 3)), "figures": rng.choice((1, 2, 2, 3)), "portrait": 1}[view]
        wish["identities"] = [FIRST + i for i in rng.sample(range(IDENTITIES), many)]
    plan = scene.make_plan(SEED, index, held_out=False, cast=range(FIRST, FIRST + IDENTITIES), wish=wish)
    return plan, rng


def generate(directory, worker, workers, until):
    """Chunks of 100 scenes: scenes-NNNN.npz with JPEG bytes and truth, crops-NNNN.npz with crops and identities."""
    os.makedirs(directory, exist_ok=True)
    for chunk in range(worker, until // PER_CHUNK, workers):
        path = os.path.join(directory, f"crops-{chunk:04d}.npz")
        if os.path.exists(path):
            continue
        jpegs, truths, crops, names, small = [], [], [], [], []
        for index in range(chunk * PER_CHUNK, (chunk + 1) * PER_CHUNK):
            plan, rng = scene_plan(index)
            size = rng.choice(SIZES)
            image, truth = scene.render(plan, size)
            raw = io.BytesIO()
            image.save(raw, "JPEG", quality=rng.randint(60, 95))
            image = Image.open(raw).convert("RGB")
            if size <= 800:
                jpegs.append(raw.getvalue())
                truths.append([(*p["box"], *np.ravel(p["points"])) for p in truth["people"]])
            for p in truth["people"]:
                face = (p["box"][2] * p["box"][3]) ** 0.5
                for _ in range(2):
                    crops.append(np.asarray(align(image, jittered(rng, p["points"], p["box"]))))
                    names.append(p["identity"] - FIRST)
                    small.append(face)
        blob = np.frombuffer(b"".join(jpegs), np.uint8)
        np.savez(os.path.join(directory, f"scenes-{chunk:04d}.npz"), blob=blob,
                 ends=np.cumsum([len(j) for j in jpegs]), truth=json.dumps(truths))
        np.savez(path + ".part.npz", crops=np.array(crops), names=np.array(names, np.int32),
                 sizes=np.array(small, np.float32))
        os.replace(path + ".part.npz", path)


def load_scenes(directory, most=None):
    """[(JPEG bytes, float array (faces, 14) of x, y, w, h and five points)]"""
    out = []
    for path in sorted(glob.glob(os.path.join(directory, "scenes-????.npz"))):
        try:
            with np.load(path) as z:
                blob, ends, truth = z["blob"], z["ends"], json.loads(str(z["truth"]))
        except (OSError, ValueError, EOFError, KeyError):
            continue
        start = 0
        for end, faces in zip(ends, truth):
            out.append((blob[start:end].tobytes(), np.array(faces, np.float32).reshape(-1, 14)))
            start = end
        if most and len(out) >= most:
            break
    return out


def load_crops(directory, skip=()):
    """(crops uint8 (n, 112, 112, 3), identities int32 (n), face sizes) of all finished chunks but `skip`, and their names."""
    crops, names, sizes, seen = [], [], [], []
    for path in sorted(glob.glob(os.path.join(directory, "crops-????.npz"))):
        if path in skip:
            continue
        with np.load(path) as z:
            crops.append(z["crops"])
            names.append(z["names"])
            sizes.append(z["sizes"])
        seen.append(path)
    if not seen:
        return None
    return np.concatenate(crops), np.concatenate(names), np.concatenate(sizes), seen


def main():
    directory, worker, workers, until = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
    generate(directory, worker, workers, until)


if __name__ == "__main__":
    main()
