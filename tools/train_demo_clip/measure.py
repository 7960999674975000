"""Retrieval bars of a model over scenes whose truth is known.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os
import sys

import numpy as np
import torch
from PIL import Image

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), ".."))
from demoworld import queries, scene, words  # noqa: E402
from data import shrink  # noqa: E402
from model import pad  # noqa: E402


def load_scenes(seed, count, size, long_side=640):
    """Draw scenes of a seed (with the held-out pairs), as the model will see them."""
    names, pixels, captions, plans = [], [], [], []
    for i in range(count):
        s = scene.make_plan(seed, i)
        image, truth = scene.render(s, long_side, 1 if long_side > 500 else 2)
        pixels.append(np.asarray(shrink(image, size)))
        names.append(str(i))
        captions.append(truth["caption"])
        plans.append(s)
    return {"names": names, "pixels": np.stack(pixels), "captions": captions, "scenes": plans,
            "queries": queries.choose(plans, names, seed)}


def load_directory(path, size):
    """Read pictures and truth from a directory that the generator wrote."""
    with open(os.path.join(path, "truth.json"), encoding="utf-8") as f:
        truth = json.load(f)
    pixels = [np.asarray(shrink(Image.open(os.path.join(path, s["file"])), size)) for s in truth["scenes"]]
    return {"names": [s["file"] for s in truth["scenes"]], "pixels": np.stack(pixels),
            "captions": [s["caption"] for s in truth["scenes"]], "scenes": truth["scenes"],
            "queries": truth["queries"]}


def embed_pictures(model, pixels):
    from train import normalise
    out = []
    with torch.no_grad():
        for i in range(0, len(pixels), 100):
            x = torch.from_numpy(pixels[i:i + 100]).permute(0, 3, 1, 2).float() / 255
            out.append(model.encode_image(normalise(x)))
    return torch.cat(out).numpy()


def embed_texts(model, tok, texts):
    with torch.no_grad():
        return model.encode_text(pad([tok.encode(t) for t in texts])).numpy()


def top_k(score, k, target=None):
    """How often the right picture is among the k best for its caption; score is [captions, pictures]."""
    target = np.arange(len(score)) if target is None else target
    own = score[np.arange(len(score)), target]
    return float(np.mean((score > own[:, None]).sum(1) < k))


def precision(score, asked, names, k=5):
    """Mean share of relevant pictures among the k best; score is [queries, pictures]."""
    each = []
    for row, q in zip(score, asked):
        best = np.argsort(-row, kind="stable")[:k]
        relevant = set(q["relevant"])
        each.append(np.mean([names[i] in relevant for i in best]))
    return each


def bars(model, tok, test):
    v = embed_pictures(model, test["pixels"])
    score = embed_texts(model, tok, test["captions"]) @ v.T
    asked = test["queries"]
    each = precision(embed_texts(model, tok, [q["text"] for q in asked]) @ v.T, asked, test["names"])
    return {"top-1": top_k(score, 1), "top-5": top_k(score, 5), "precision@5": float(np.mean(each))}
