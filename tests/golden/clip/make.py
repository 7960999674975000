#!/usr/bin/env python3
"""Writes the expected embeddings of CLIP models with generated weights, computed by open_clip.

Usage: make.py [NAME ...]          (all generated models when no name is given)
       make.py demo [FOLDER]       (the model in models/demo/clip: its own weights and tokenizer)
       make.py proof DIGEST [FOLDER]  (FOLDER/proof.json: what devices are tested with before they are used;
                                       DIGEST is the pack's, as `imgsearch models list --json` tells it)
Needs torch, open_clip_torch, safetensors and numpy; the versions used are written into the files.

Weights, pictures and token ids come from a counter-based generator that tests/golden/clip/generate.c
repeats exactly: value i of the stream called NAME is splitmix64(fnv1a64(NAME) + i * G), whose top 24
bits, as a number r in [-1, 1), are exact in float32. What r becomes depends on the tensor:
  *.bias, *_bias                  0.1 r
  *.gamma                         0.5 + 0.3 r
  other vectors of norms          1 + 0.2 r
  class and position embeddings   0.2 r
  attn_pool.latent                r
  token_embedding                 0.2 r
  logit_scale, logit_bias         r
  matrices and kernels            r * sqrt(6 / fan_in); the projection behind attention 4 times that, so
                                  that what a position attends to weighs more than what it starts from
rounded once more to the file's element type.
"""
import gzip
import hashlib
import json
import pathlib
import sys
import tempfile

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
GOLDEN = np.uint64(0x9E3779B97F4A7C15)
# element type of the weights, number of pictures, token counts of the texts (start and end included)
PLAN = {
    "class_token": ("F32", 4, [5, 7, 16, 2, 9]),
    "average_pool": ("F32", 4, [7, 77, 20, 41]),
    "half_deep": ("F16", 4, [7, 12, 77, 33]),
    "two_way_text": ("BF16", 4, [5, 20, 9]),
    "vit_b_32": ("F32", 3, [5, 12, 77]),
}
CAPTIONS = ["a red car", "boats at night", "a snowy mountain with two trees", "people on a sunny beach",
            "a house in the forest", "A Dog  and a CAT, in the rain!"]
N_DEMO_PICTURES = 4
BEHIND_ATTENTION = ("out_proj.weight", "attn.proj.weight", "attn_pool.proj.weight")


def stream(name, first, n):
    h = np.uint64(0xCBF29CE484222325)
    with np.errstate(over="ignore"):
        for byte in name.encode():
            h = (h ^ np.uint64(byte)) * np.uint64(0x100000001B3)
        z = h + np.arange(first, first + n, dtype=np.uint64) * GOLDEN
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        return z ^ (z >> np.uint64(31))


def unit(name, n):
    return ((stream(name, 0, n) >> np.uint64(40)).astype(np.int64) - (1 << 23)).astype(np.float32) / np.float32(1 << 23)


def rule(name, shape):
    """(offset, scale) of a tensor."""
    if name.endswith("bias"):
        return 0.0, 0.1
    if name.endswith("gamma"):
        return 0.5, 0.3
    if name.endswith(("class_embedding", "positional_embedding", "pos_embed")):
        return 0.0, 0.2
    if name.endswith("attn_pool.latent"):
        return 0.0, 1.0
    if name.endswith("token_embedding.weight"):
        return 0.0, 0.2
    if len(shape) == 0:
        return 0.0, 1.0
    if len(shape) == 1:
        return 1.0, 0.2
    fan_in = shape[0] if name.endswith(("visual.proj", "text_projection")) else int(np.prod(shape[1:]))
    return 0.0, float(np.sqrt(6.0 / fan_in)) * (4.0 if name.endswith(BEHIND_ATTENTION) else 1.0)


def tensor(name, shape, dtype):
    import torch
    offset, scale = rule(name, shape)
    v = np.float32(offset) + np.float32(scale) * unit(name, int(np.prod(shape, dtype=np.int64)))
    t = torch.from_numpy(v.astype(np.float32)).reshape(tuple(shape))
    return t.to({"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}[dtype]).float()


def pictures(arch, n, h, w, side=13):
    """Picture k: one colour per cell of a side x side grid, and a little noise."""
    out = np.zeros((n, h, w, 3), np.uint8)
    for k in range(n):
        cells = (stream(f"{arch}/picture{k}", 0, side * side * 3) >> np.uint64(56)).astype(np.int64).reshape(side, side, 3)
        noise = (stream(f"{arch}/noise{k}", 0, h * w * 3) >> np.uint64(60)).astype(np.int64).reshape(h, w, 3)
        y = np.arange(h) * side // h
        x = np.arange(w) * side // w
        out[k] = np.minimum(cells[y][:, x] + noise, 255)
    return out


def texts(arch, counts, context, vocab, pad):
    """Text k: start id, counts[k] - 2 ids below it, end id (the largest), padding."""
    out = np.full((len(counts), context), pad, np.int64)
    for k, n in enumerate(counts):
        body = (stream(f"{arch}/text{k}", 0, n - 2) % np.uint64(vocab - 2)).astype(np.int64)
        out[k, :n] = np.concatenate([[vocab - 2], body, [vocab - 1]])
    return out


def build(cfg):
    import open_clip.model as m
    cfg = dict(cfg)
    cls = m.CustomTextCLIP if cfg.pop("custom_text", False) else m.CLIP
    vision = dict(cfg.pop("vision_cfg"))
    for key in ("image_size", "patch_size"):
        if isinstance(vision[key], list):
            vision[key] = tuple(vision[key])
    return cls(vision_cfg=m.CLIPVisionCfg(**vision), text_cfg=m.CLIPTextCfg(**cfg.pop("text_cfg")), **cfg).eval()


def expect(model, full_cfg, images, ids):
    import torch
    import torch.nn.functional as F
    pre = full_cfg["preprocess_cfg"]
    mean = torch.tensor(pre["mean"]).view(1, 3, 1, 1)
    std = torch.tensor(pre["std"]).view(1, 3, 1, 1)
    with torch.no_grad():
        x = (torch.from_numpy(images).permute(0, 3, 1, 2).float() / 255 - mean) / std
        return [F.normalize(model.encode_image(x), dim=-1).numpy(),
                F.normalize(model.encode_text(torch.from_numpy(ids)), dim=-1).numpy()]


def largest_cosine(e):
    c = e.astype(np.float64) @ e.astype(np.float64).T
    np.fill_diagonal(c, -1)
    return float(c.max())


def write(name, out, folder=HERE):
    rows = lambda e: "[\n" + ",\n".join("  [" + ",".join(f"{v:.8g}" for v in row) + "]" for row in e) + "\n ]"
    head = {k: v for k, v in out.items() if k not in ("image_embeddings", "text_embeddings")}
    body = json.dumps(head, indent=1)[:-2]
    body += ',\n "image_embeddings": ' + rows(out["image_embeddings"])
    body += ',\n "text_embeddings": ' + rows(out["text_embeddings"]) + "\n}\n"
    (folder / f"{name}.expected.json").write_text(body)


def versions():
    import open_clip
    import torch
    return f"open_clip_torch {open_clip.__version__}, torch {torch.__version__}, numpy {np.__version__}"


def reference_ids(folder, texts, context):
    """open_clip's own tokenizer over the merges of the model's tokenizer.json."""
    from open_clip.tokenizer import SimpleTokenizer
    doc = json.loads((folder / "tokenizer.json").read_text())
    merges = [m if isinstance(m, str) else " ".join(m) for m in doc["model"]["merges"]]
    with tempfile.NamedTemporaryFile(suffix=".txt.gz") as f:
        f.write(gzip.compress(("#version\n" + "\n".join(merges)).encode()))
        f.flush()
        tokenizer = SimpleTokenizer(bpe_path=f.name, context_length=context)
    ids = dict(doc["model"]["vocab"])
    ids.update({t["content"]: t["id"] for t in doc.get("added_tokens", [])})
    rename = {i: ids[{"<start_of_text>": "<|startoftext|>", "<end_of_text>": "<|endoftext|>"}.get(t, t)]
              for t, i in tokenizer.encoder.items()}
    assert all(a == b for a, b in rename.items()), "tokenizer.json numbers its tokens in another order"
    return tokenizer(texts).numpy()


def demo(folder):
    full, model = load_pack(folder)
    cfg = full["model_cfg"]
    size = cfg["vision_cfg"]["image_size"]
    images = pictures("demo", N_DEMO_PICTURES, size, size, side=2)
    ids = reference_ids(folder, CAPTIONS, cfg["text_cfg"]["context_length"])
    image_e, text_e = expect(model, full, images, ids)
    print("demo: largest cosine between pictures %.3f, between texts %.3f"
          % (largest_cosine(image_e), largest_cosine(text_e)))
    assert largest_cosine(image_e) < 0.9 and largest_cosine(text_e) < 0.9, "inputs too alike to tell errors"
    write("demo", {"made_by": versions(), "n_pictures": N_DEMO_PICTURES, "captions": CAPTIONS,
                   "ids": [[int(i) for i in row[:int(row.argmax()) + 1]] for row in ids],
                   "image_embeddings": image_e, "text_embeddings": text_e})


# Inputs of the proof: the same as in src/models/clip/clip_proof.c, whose version this is.
PROOF_VERSION = 1
PROOF_TEXTS = ["a photo of a dog", "a red car on a street", "mountains and a lake", "two people at a table",
               "a city at night", "an old house in the snow", "a bowl of fruit",
               "children playing on a beach in the summer, seen from a boat"]


def proof_mix(a, b, c):
    with np.errstate(over="ignore"):
        h = a.astype(np.uint32) * np.uint32(73856093) ^ b.astype(np.uint32) * np.uint32(19349663) \
            ^ np.uint32(c * 83492791 & 0xFFFFFFFF)
        h ^= h >> np.uint32(13)
        h *= np.uint32(0x5BD1E995)
        return h ^ h >> np.uint32(15)


def proof_pictures(h, w):
    v, u = np.meshgrid(np.arange(h) * 256 // h, np.arange(w) * 256 // w, indexing="ij")
    full = lambda x: np.full_like(u, x)
    either = lambda mask, a, b: np.stack([np.where(mask, x, y) for x, y in zip(a, b)], -1)
    bands = np.array([[230, 60, 40], [250, 220, 60], [40, 90, 200], [245, 245, 240]])
    chess = ((u ^ v) >> 5 & 1) * 240 + 10
    out = [np.stack([u, 255 - u, full(128)], -1),
           np.stack([(u >> 5 & 1) * 255, v, full(40)], -1),
           either((u - 128) ** 2 + (v - 128) ** 2 < 80 * 80, (230, 40, 40), (60, 120, 200)),
           np.stack([chess, chess, full(20)], -1),
           either(v < 120, (110, 170, 250 - v // 4), (60, 130 + (u >> 4), 60)),
           either(proof_mix(u >> 3, v >> 3, 5) % 17 == 0, (255, 240, 180), (10, 10, 40)),
           bands[(u + v) >> 5 & 3],
           np.stack([proof_mix(u >> 4, v >> 4, k) & np.uint32(255) for k in (1, 2, 3)], -1)]
    return np.stack(out).astype(np.uint8)


def load_pack(folder):
    import torch
    from safetensors.numpy import load_file
    full = json.loads((folder / "open_clip_config.json").read_text())
    model = build(full["model_cfg"])
    state = {k: torch.from_numpy(v.astype(np.float32)) for k, v in load_file(folder / "open_clip_model.safetensors").items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert set(missing) <= {"logit_scale"} and not unexpected, (missing, unexpected)
    return full, model


def proof(digest, folder):
    full, model = load_pack(folder)
    size = full["model_cfg"]["vision_cfg"]["image_size"]
    images = proof_pictures(size, size)
    ids = reference_ids(folder, PROOF_TEXTS, full["model_cfg"]["text_cfg"]["context_length"])
    image_e, text_e = expect(model, full, images, ids)
    print("proof: largest cosine between pictures %.4f, between texts %.4f"
          % (largest_cosine(image_e), largest_cosine(text_e)))
    rows = lambda e: "[\n" + ",\n".join("  [" + ",".join(f"{v:.8g}" for v in row) + "]" for row in e) + "\n ]"
    head = json.dumps({"made_by": versions(), "digest": digest, "inputs": PROOF_VERSION,
                       "pictures_sha256": hashlib.sha256(images.tobytes()).hexdigest()}, indent=1)[:-2]
    (folder / "proof.json").write_text(head + ',\n "image": ' + rows(image_e) + ',\n "text": ' + rows(text_e) + "\n}\n")


def main():
    import torch
    torch.set_num_threads(2)
    if sys.argv[1:2] == ["demo"]:
        demo(pathlib.Path(sys.argv[2]) if sys.argv[2:] else HERE.parents[2] / "models" / "demo" / "clip")
        return
    if sys.argv[1:2] == ["proof"]:
        proof(sys.argv[2], pathlib.Path(sys.argv[3]) if sys.argv[3:] else HERE.parents[2] / "models" / "demo" / "clip")
        return
    for name in sys.argv[1:] or sorted(PLAN):
        dtype, n_pictures, counts = PLAN[name]
        full = json.loads((HERE / f"{name}.config.json").read_text())
        cfg = full["model_cfg"]
        model = build(cfg)
        state = model.state_dict()
        model.load_state_dict({k: tensor(k, list(v.shape), dtype) for k, v in state.items()})
        size = cfg["vision_cfg"]["image_size"]
        h, w = size if isinstance(size, list) else (size, size)
        text = cfg["text_cfg"]
        images = pictures(name, n_pictures, h, w)
        ids = texts(name, counts, text["context_length"], text["vocab_size"], text.get("pad_id", 0))
        image_e, text_e = expect(model, full, images, ids)
        print(name, "tensors", len(state), "largest cosine between pictures %.3f, between texts %.3f"
              % (largest_cosine(image_e), largest_cosine(text_e)))
        assert largest_cosine(image_e) < 0.9 and largest_cosine(text_e) < 0.9, "inputs too alike to tell errors"
        write(name, {"made_by": versions(), "dtype": dtype, "n_tensors": len(state), "n_pictures": n_pictures, "text_tokens": counts,
                     "image_embeddings": image_e, "text_embeddings": text_e})


if __name__ == "__main__":
    main()
