"""Training pictures: scenes of the demo world, rendered, compressed and shrunk as a real library's are.

SPDX-License-Identifier: Apache-2.0
"""

import io
import os
import random
import sys
from multiprocessing import Pool

import numpy as np
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from demoworld import scene, words  # noqa: E402
from demoworld.things import COLORS, KINDS  # noqa: E402

# Training scenes are those of this seed without the held-out pairs and with the cast below; no other
# set may use the seed.
TRAIN_SEED = 1000
TRAIN_CAST = range(1000, 3000)
KIND_IDS = {k: i + 1 for i, k in enumerate([*KINDS, "person", "face"])}
COLOR_IDS = {c: i + 1 for i, c in enumerate(COLORS)}


def shrink(image, size):
    """open_clip's evaluation transform for resize_mode "shortest", up to the normalisation."""
    w, h = image.size
    if w <= h:
        w, h = size, int(size * h / w)
    else:
        w, h = int(size * w / h), size
    image = image.convert("RGB").resize((w, h), Image.BICUBIC)
    left, top = round((w - size) / 2), round((h - size) / 2)
    return image.crop((left, top, left + size, top + size))


def patch_labels(truth, grid):
    """Per cell of a grid over the central square: what kind of thing fills it most, and its colour."""
    w, h = truth["width"], truth["height"]
    side = min(w, h)
    ox, oy = (w - side) / 2, (h - side) / 2
    kind, color = np.zeros((grid, grid), np.uint8), np.zeros((grid, grid), np.uint8)
    best = np.full((grid, grid), 0.3)
    items = [(b, KIND_IDS[t["kind"]], COLOR_IDS[t["color"]]) for t in truth["things"] for b in t["boxes"]]
    for p in truth["people"]:
        x, y, bw, bh = p["box"]
        close = truth["view"] in ("portrait", "group")
        items.append(([x, y, bw, bh], KIND_IDS["face"], 0))
        if close:
            items.append(([x - bw * 0.4, y + bh * 1.15, bw * 1.8, h - y - bh * 1.15], KIND_IDS["person"], COLOR_IDS[p["shirt"]]))
        else:
            items.append(([x - bw * 0.2, y + bh * 1.1, bw * 1.4, bh * 1.4], KIND_IDS["person"], COLOR_IDS[p["shirt"]]))
    for (x, y, bw, bh), k, c in items:
        x0, y0 = (x - ox) / side * grid, (y - oy) / side * grid
        x1, y1 = x0 + bw / side * grid, y0 + bh / side * grid
        for j in range(max(0, int(y0)), min(grid, int(y1) + 1)):
            for i in range(max(0, int(x0)), min(grid, int(x1) + 1)):
                cover = (min(x1, i + 1) - max(x0, i)) * (min(y1, j + 1) - max(y0, j))
                if cover >= best[j, i]:
                    best[j, i], kind[j, i], color[j, i] = cover, k, c
    return kind, color


def sample(job):
    """One training picture: (uint8 pixels, patch kinds, patch colours, scene)."""
    seed, index, size, grid, training = job
    rng = random.Random(f"train/{seed}/{index}")
    s = scene.make_plan(seed, index, held_out=not training, cast=TRAIN_CAST if training else None)
    long_side = rng.choice((160, 192, 224, 288, 352, 448))
    image, truth = scene.render(s, long_side, 1 if rng.random() < 0.15 and long_side > 300 else 2)
    if rng.random() < 0.6:
        raw = io.BytesIO()
        image.save(raw, "JPEG", quality=rng.randint(40, 92))
        image = Image.open(io.BytesIO(raw.getvalue()))
    pixels = np.asarray(shrink(image, size))
    kind, color = patch_labels(truth, grid)
    for p in s["people"]:
        p.pop("pose")
    keep = {k: s[k] for k in ("place", "light", "weather", "view", "things", "people")}
    return pixels, kind, color, keep


def make(seed, first, count, size, grid, training, workers=2):
    jobs = [(seed, first + i, size, grid, training) for i in range(count)]
    pixels = np.empty((count, size, size, 3), np.uint8)
    kinds = np.empty((count, grid, grid), np.uint8)
    colors = np.empty((count, grid, grid), np.uint8)
    scenes = []
    with Pool(workers) as pool:
        for i, (px, k, c, s) in enumerate(pool.imap(sample, jobs, chunksize=64)):
            pixels[i], kinds[i], colors[i] = px, k, c
            scenes.append(s)
    return pixels, kinds, colors, scenes

