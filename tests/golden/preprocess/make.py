#!/usr/bin/env python3
"""Makes cases.txt: SHA-256 sums of what Pillow's resize and open_clip's transforms give.

    pip install "pillow<12.2" numpy torch torchvision open_clip_torch
    python3 make.py > cases.txt

Pillow 12.2 began to resize very tall pictures vertically first, 13.0 most tall ones, which moves
some pixels by one level; docs/decisions/0010-resize-order.md says why the older order is ours.

The pictures come from a counter-based formula that the C test repeats, so no pixel is stored.
SPDX-License-Identifier: Apache-2.0
"""
import hashlib
import importlib.metadata
import importlib.util
import sys
import types

import numpy as np
import PIL
from PIL import Image


def import_open_clip_transform():
    """open_clip.transform alone: the package's own __init__ wants every model library."""
    spec = importlib.util.find_spec("open_clip")
    package = types.ModuleType("open_clip")
    package.__path__ = list(spec.submodule_search_locations)
    sys.modules["open_clip"] = package
    import open_clip.transform
    return open_clip.transform


def mix(seed, index):
    """splitmix64 as a function of a counter."""
    z = np.uint64(seed) + (index + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


def picture(kind, seed, width, height, channels):
    y = np.arange(height, dtype=np.uint64)[:, None, None]
    x = np.arange(width, dtype=np.uint64)[None, :, None]
    c = np.arange(channels, dtype=np.uint64)[None, None, :]
    with np.errstate(over="ignore"):
        if kind == "noise":  # every byte on its own
            index = (y * np.uint64(width) + x) * np.uint64(channels) + c
            pixels = mix(seed, index) >> np.uint64(56)
        else:  # "blocks": 7 x 7 squares of 0 or 255, which make the filters overshoot
            index = ((y // np.uint64(7)) << np.uint64(32)) + (x // np.uint64(7)) * np.uint64(4) + c
            pixels = (mix(seed, index) >> np.uint64(63)) * np.uint64(255)
    pixels = pixels.astype(np.uint8)
    return Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels)


def sha(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos3": Image.Resampling.LANCZOS,
}

RESIZES = [
    ((1, 1), (1, 1)), ((1, 1), (5, 3)), ((2, 3), (7, 5)), ((3, 2), (2, 3)), ((1, 9), (1, 4)),
    ((1, 300), (9, 8)), ((300, 1), (9, 8)), ((17, 31), (17, 8)), ((17, 31), (8, 31)),
    ((17, 31), (17, 31)), ((31, 17), (32, 18)), ((64, 64), (63, 65)), ((65, 63), (64, 64)),
    ((100, 80), (224, 224)), ((224, 224), (224, 224)), ((225, 223), (224, 224)),
    ((333, 217), (9, 8)), ((448, 448), (224, 224)), ((640, 480), (256, 192)),
    ((641, 479), (13, 200)), ((1023, 767), (341, 255)), ((2000, 11), (100, 11)),
    ((11, 2000), (64, 64)), ((1500, 1000), (1, 1)), ((4000, 3000), (256, 192)),
    ((4000, 3000), (9, 8)),
]


def resize_cases():
    seed = 100
    for (sw, sh), (dw, dh) in RESIZES:
        for channels in (1, 3):
            for name, pillow_filter in FILTERS.items():
                seed += 1
                kind = "blocks" if seed % 3 == 0 else "noise"
                out = picture(kind, seed, sw, sh, channels).resize((dw, dh), pillow_filter)
                print("resize", kind, seed, sw, sh, channels, name, dw, dh, sha(out))


CLIP_SOURCES = [
    (1, 1), (1, 50), (50, 1), (7, 900), (223, 225), (224, 224), (224, 300), (300, 224), (299, 224),
    (225, 224), (226, 227), (448, 449), (500, 333), (333, 500), (640, 427), (427, 640), (1000, 37),
    (37, 1000), (1280, 853), (4000, 3000), (3000, 4000),
]
CLIP_TARGETS = [(224, 224), (96, 96), (65, 65), (160, 96)]  # width, height


def clip_cases(transform):
    seed = 9000
    for mode in ("shortest", "squash", "longest"):
        for target in CLIP_TARGETS:
            for number, (sw, sh) in enumerate(CLIP_SOURCES):
                if sw * sh > 4000000 and target != (224, 224):
                    continue
                if mode == "longest" and round(min(sw, sh) / max(sw / target[0], sh / target[1])) < 1:
                    continue  # a side of 0 pixels: the reference fails
                seed += 1
                interpolation = "bilinear" if number % 3 == 2 else "bicubic"
                fill = 0 if number % 2 else 114
                kind = "blocks" if seed % 3 == 0 else "noise"
                cfg = transform.PreprocessCfg(
                    size=(target[1], target[0]), interpolation=interpolation, resize_mode=mode,
                    fill_color=fill)
                steps = transform.image_transform_v2(cfg, is_train=False).transforms
                image = picture(kind, seed, sw, sh, 3)
                for step in steps[:-3]:  # without mode, tensor and normalisation
                    image = step(image)
                assert image.size == target
                print("clip", kind, seed, sw, sh, mode, interpolation, fill, *target, sha(image))


def luma_cases():
    for seed, (sw, sh) in enumerate([(1, 1), (7, 1), (33, 5), (300, 200)], start=40):
        print("luma noise", seed, sw, sh, sha(picture("noise", seed, sw, sh, 3).convert("L")))


def main():
    if tuple(int(n) for n in PIL.__version__.split(".")[:2]) >= (12, 2):
        sys.exit("Pillow before 12.2 is the reference; this is " + PIL.__version__)
    transform = import_open_clip_transform()
    versions = [f"{name} {importlib.metadata.version(name)}"
                for name in ("pillow", "torchvision", "open_clip_torch", "numpy")]
    print("# made by make.py with", ", ".join(versions))
    print("# resize KIND SEED SRC_W SRC_H CHANNELS FILTER DST_W DST_H SHA256")
    print("# clip KIND SEED SRC_W SRC_H MODE FILTER FILL DST_W DST_H SHA256")
    print("# luma KIND SEED SRC_W SRC_H SHA256")
    resize_cases()
    clip_cases(transform)
    luma_cases()


main()
