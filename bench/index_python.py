#!/usr/bin/env python3
"""The pipelines `imgsearch index` is compared with: what one writes in half an hour with good libraries.

Usage: index_python.py open_clip|onnx --pack DIR --photos DIR --out VECTORS.npy [--batch 16]

open_clip   one picture after the other through Pillow and open_clip's own transform; batches through torch
onnx        a pool of threads decodes with Pillow, some batches ahead; batches through ONNX Runtime, on the
            image tower that torch.onnx wrote (once; the file is kept beside the pack)

Both decode every pixel, as imgsearch does, and keep the vectors in one file. Neither hashes files, stores
thumbnails, or can go on after being interrupted. Prints one line of JSON.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import concurrent.futures
import itertools
import json
import os
import pathlib
import sys
import time

import numpy as np
from PIL import Image

BATCHES_AHEAD = 3
os.environ["ORT_DISABLE_TELEMETRY"] = "1"  # read when the library is imported


def paths_in(folder):
    return sorted(folder.rglob("*.jpg"))


def in_batches(items, n):
    iterator = iter(items)
    while batch := list(itertools.islice(iterator, n)):
        yield batch


# ---- open_clip -----------------------------------------------------------------------------------

def open_open_clip(pack):
    import open_clip
    model, _, transform = open_clip.create_model_and_transforms(f"local-dir:{pack}")
    return model.eval(), transform


def run_open_clip(pack, paths, batch_size):
    import torch
    model, transform = open_open_clip(pack)
    start = time.perf_counter()
    vectors = []
    with torch.inference_mode():
        for batch in in_batches(paths, batch_size):
            pixels = torch.stack([transform(Image.open(path)) for path in batch])
            vectors.append(model.encode_image(pixels, normalize=True).numpy())
    return np.concatenate(vectors), start


# ---- ONNX Runtime --------------------------------------------------------------------------------

def export(pack):
    """The image tower as torch.onnx writes it, with a free batch size."""
    path = pack / "visual.onnx"
    if path.exists():
        return path
    import torch
    model, _ = open_open_clip(pack)
    size = model.visual.image_size[0]
    torch.onnx.export(model.visual, torch.zeros(2, 3, size, size), path, opset_version=17,
                      input_names=["pixels"], output_names=["vectors"],
                      dynamic_axes={"pixels": {0: "batch"}, "vectors": {0: "batch"}})
    return path


def make_preprocess(pack):
    config = json.loads((pack / "open_clip_config.json").read_text())
    size = config["model_cfg"]["vision_cfg"]["image_size"]
    mean = np.float32(config["preprocess_cfg"]["mean"])
    std = np.float32(config["preprocess_cfg"]["std"])

    def preprocess(path):
        image = Image.open(path).convert("RGB")
        width, height = image.size
        scale = size / min(width, height)
        image = image.resize((max(size, int(width * scale)), max(size, int(height * scale))),
                             Image.Resampling.BICUBIC)
        left, top = round((image.width - size) / 2), round((image.height - size) / 2)
        pixels = np.asarray(image.crop((left, top, left + size, top + size)), np.float32) / 255
        return ((pixels - mean) / std).transpose(2, 0, 1)

    return preprocess


def run_onnx(pack, paths, batch_size):
    import onnxruntime
    session = onnxruntime.InferenceSession(pack / "visual.onnx", providers=["CPUExecutionProvider"])
    preprocess = make_preprocess(pack)
    start = time.perf_counter()
    vectors, ahead = [], []

    def embed(futures):
        pixels = np.stack([future.result() for future in futures])
        found = session.run(None, {"pixels": pixels})[0]
        vectors.append(found / np.linalg.norm(found, axis=1, keepdims=True))

    with concurrent.futures.ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for batch in in_batches(paths, batch_size):
            ahead.append([pool.submit(preprocess, path) for path in batch])
            if len(ahead) > BATCHES_AHEAD:
                embed(ahead.pop(0))
        for futures in ahead:
            embed(futures)
    return np.concatenate(vectors), start


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pipeline", choices=["open_clip", "onnx", "export"])
    parser.add_argument("--pack", type=pathlib.Path, required=True)
    parser.add_argument("--photos", type=pathlib.Path)
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--batch", type=int, default=16)
    args = parser.parse_args()

    if args.pipeline == "export":
        print(export(args.pack))
        return
    if not args.photos or not args.out:
        sys.exit(__doc__)
    paths = paths_in(args.photos)
    run = run_open_clip if args.pipeline == "open_clip" else run_onnx
    vectors, start = run(args.pack, paths, args.batch)
    np.save(args.out, vectors)
    print(json.dumps({"processed": len(vectors), "elapsed_time": time.perf_counter() - start}))


if __name__ == "__main__":
    main()
