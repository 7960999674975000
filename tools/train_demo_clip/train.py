"""Train the demo CLIP on drawn scenes, on a CPU.

    python3 train.py --out models/demo/clip [--scenes 30000] [--minutes 30] [--cache FILE]

A step shows the model pictures and, for each, a full caption, short queries that it satisfies and
a caption with something changed. Which text fits which picture is known exactly, so every pair in
a batch is a positive or a negative by truth. Two heads that are thrown away afterwards, one naming
the facts of a scene and one naming what fills each patch, make it learn in minutes.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import json
import math
import os
import pickle
import random
import sys
import tempfile
import time

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn

import data
import export
import measure
from data import COLOR_IDS, KIND_IDS, words
from demoworld.things import HELD_OUT
from model import Clip, pad
from muon import Muon
from tokenizer import Tokenizer, learn, to_json

MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)
GRID = 8


def corpus(scenes):
    """Captions to learn merges from."""
    rng = random.Random("corpus")
    for s in scenes:
        yield words.phrase(words.full_query(s))
        yield words.phrase(words.full_query(s), rng)
        for _ in range(3):
            yield words.phrase(words.short_query(s, rng), rng)


def spoil(scene, rng):
    """The full query of the scene with one thing made wrong; never one that names a held-out pair."""
    while True:
        q = _spoil(scene, rng)
        if not any((t[1], t[0]) in HELD_OUT for t in q["things"]):
            return q


def _spoil(scene, rng):
    q = dict(words.full_query(scene))
    options = ["place"]
    if q["things"]:
        options += ["color", "color", "kind", "count"]
    if len(q["things"]) > 1:
        options += ["swap", "swap"]
    if q.get("people"):
        options += ["person"]
    what = rng.choice(options)
    if what == "place":
        q["place"] = rng.choice([p for p in words.PLACE if p != q["place"]])
        return q
    if what == "person":
        p = dict(q["people"])
        p["each"] = [dict(e) for e in p["each"]]
        one = rng.choice(p["each"])
        k = rng.choice(("shirt", "hat", "glasses", "beard", "smiling") if p["portrait"] else ("shirt", "hat"))
        if k == "shirt":
            one[k] = rng.choice([c for c in data.scene.PAINT if c != one[k]])
        elif k == "hat":
            one[k] = None if one[k] else rng.choice(data.scene.PAINT)
        else:
            one[k] = not one[k]
        q["people"] = p
        return q
    things = [list(t) for t in q["things"]]
    t = rng.choice(things)
    if what == "color":
        t[1] = rng.choice([c for c in data.KINDS[t[0]][5] if c != t[1]] or [t[1]])
    elif what == "count":
        t[2] = rng.choice([n for n in (None, 2, 3) if n != t[2]])
    elif what == "kind":
        t[0] = rng.choice([k for k in data.KINDS if k not in [x[0] for x in things]])
        q.pop("relation", None)
    else:
        a, b = rng.sample(things, 2)
        a[0], b[0] = b[0], a[0]
        q.pop("relation", None)
    q["things"] = [tuple(t) for t in things]
    return q


class Facts:
    """Numbers for facts, and scenes and queries as rows of 0 and 1."""

    def __init__(self, scenes):
        seen = sorted({f for s in scenes for f in words.scene_facts(s)})
        self.ids = {f: i for i, f in enumerate(seen)}

    def rows(self, sets):
        out = torch.zeros(len(sets), len(self.ids) + 1)
        for i, facts in enumerate(sets):
            for f in facts:
                out[i, self.ids.get(f, len(self.ids))] = 1
        return out


def augment(x, rng):
    """Shift, and change gains a little; x is uint8 [b, s, s, 3], the result normalised [b, 3, s, s]."""
    b, size = x.shape[:2]
    ys = np.clip(np.arange(size) + rng.randint(-3, 3), 0, size - 1)
    xs = np.clip(np.arange(size) + rng.randint(-3, 3), 0, size - 1)
    x = torch.from_numpy(np.ascontiguousarray(x[:, ys][:, :, xs].transpose(0, 3, 1, 2)))
    gain = 1 + 0.06 * torch.randn(b, 1, 1, 1) + 0.025 * torch.randn(b, 3, 1, 1)
    mean, std = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    return (x * (gain / (255 * std)) + (0.02 * torch.randn(b, 1, 1, 1) - mean) / std).bfloat16()


def normalise(x):
    return (x - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def fits(logits, match):
    """Each matching column against all columns that do not match, meaned over the matches of a row.

    Matches do not compete with one another: a query may have many right pictures.
    """
    match = match[:, :logits.shape[1]]
    n = match.sum(1)
    wrong = torch.logsumexp(logits.masked_fill(match > 0, -1e4), 1, keepdim=True)
    loss = (match * F.softplus(wrong - logits)).sum(1) / n.clamp(min=1)
    return loss.sum() / (n > 0).sum().clamp(min=1)


def share_gradients(params, world):
    """Average the gradients over the processes: one exchange a step, instead of a barrier an operation."""
    if world == 1:
        return
    grads = [p.grad for p in params if p.grad is not None]
    flat = torch.cat([g.flatten() for g in grads])
    torch.distributed.all_reduce(flat)
    flat /= world
    for g, part in zip(grads, flat.split([g.numel() for g in grads])):
        g.copy_(part.view_as(g))


def main():
    ap = argparse.ArgumentParser(description="train the demo CLIP")
    ap.add_argument("--out", required=True)
    ap.add_argument("--scenes", type=int, default=30000)
    ap.add_argument("--minutes", type=float, default=30, help="the learning rate falls to zero over this time")
    ap.add_argument("--batch", type=int, default=64, help="scenes per process and step")
    ap.add_argument("--processes", type=int, default=2)
    ap.add_argument("--lr", type=float, default=1.6e-3)
    ap.add_argument("--size", type=int, default=112)
    ap.add_argument("--patch", type=int, default=14)
    ap.add_argument("--merges", type=int, default=460)
    ap.add_argument("--cache", help="keep the rendered scenes in this file")
    ap.add_argument("--resume", help="start from the model in this directory")
    ap.add_argument("--work", help="directory for a checkpoint that a cut-off run leaves")
    args = ap.parse_args()
    torch.set_num_threads(1)

    if args.cache and os.path.exists(args.cache):
        with open(args.cache, "rb") as f:
            pixels, kinds, colors, scenes = pickle.load(f)
    else:
        t = time.time()
        pixels, kinds, colors, scenes = data.make(data.TRAIN_SEED, 0, args.scenes, args.size, GRID, True)
        print(f"rendered {args.scenes} scenes in {time.time() - t:.0f} s", flush=True)
        if args.cache:
            with open(args.cache, "wb") as f:
                pickle.dump((pixels, kinds, colors, scenes), f, protocol=4)
    if args.resume:
        with open(os.path.join(args.resume, "tokenizer.json"), encoding="utf-8") as f:
            tok_json = json.load(f)
    else:
        tok_json = to_json(learn(corpus(scenes[:8000]), args.merges))
    store = tempfile.mktemp()
    children = [torch.multiprocessing.get_context("fork").Process(
        target=work, args=(r, args, store, tok_json, (pixels, kinds, colors, scenes))) for r in range(args.processes)]
    for c in children:
        c.start()
    for c in children:
        c.join()
    sys.exit(max(abs(c.exitcode) for c in children))


def work(rank, args, store, tok_json, world):
    """One training process; all start from the same weights and see different scenes."""
    pixels, kinds, colors, scenes = world
    torch.distributed.init_process_group("gloo", store=torch.distributed.FileStore(store, args.processes),
                                         rank=rank, world_size=args.processes)
    torch.manual_seed(0)
    rng = random.Random(f"train/{rank}")
    check = measure.load_scenes(8, 300, args.size) if rank == 0 else None

    cfg = {"embed_dim": 128,
           "vision_cfg": {"image_size": args.size, "layers": 6, "width": 128, "head_width": 32, "patch_size": args.patch},
           "text_cfg": {"context_length": 64, "vocab_size": 0, "width": 96, "heads": 3, "layers": 3}}
    tok = Tokenizer(tok_json, cfg["text_cfg"]["context_length"])
    cfg["text_cfg"]["vocab_size"] = len(tok.vocab)
    model = Clip(cfg)
    if args.resume:
        model.load_state_dict(export.load(args.resume))
    if rank == 0:
        print("parameters:", sum(p.numel() for p in model.parameters()), "vocabulary:", len(tok.vocab), flush=True)

    facts = Facts(scenes)
    told = torch.tensor([0.0 if f.startswith("rel:") else 1.0 for f in facts.ids])
    rows = facts.rows([words.scene_facts(s) for s in scenes])
    width = cfg["vision_cfg"]["width"]
    heads = nn.ModuleDict({
        "facts": nn.Linear(width, len(facts.ids)),
        "patch": nn.Sequential(nn.LayerNorm(width), nn.Linear(width, len(KIND_IDS) + len(COLOR_IDS) + 2))})
    share = rows[:, :-1].mean(0).clamp(1e-4, 1 - 1e-4)
    with torch.no_grad():
        heads["facts"].bias.copy_(torch.log(share / (1 - share)))
    side = args.size // args.patch
    torch.manual_seed(1 + rank)

    blocks, decay, plain = [], [], []
    for name, p in [*model.named_parameters(), *heads.named_parameters()]:
        if "resblocks" in name and p.ndim == 2:
            blocks.append(p)
        else:
            (decay if p.ndim >= 2 and "embedding" not in name else plain).append(p)
    adam = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}],
                             lr=args.lr, betas=(0.9, 0.98), fused=True)
    muon = Muon(blocks, lr=args.lr * 10, weight_decay=0.01)
    everything = [*model.parameters(), *heads.parameters()]
    n, b = len(scenes), args.batch
    warm = 60 if args.resume else 150
    slow = {k: v.detach().clone() for k, v in model.state_dict().items()}
    order, start, sums = [], time.time(), np.zeros(4)

    step, done = 0, 0.0
    while done < 1:
        clock = torch.tensor([min(1.0, (time.time() - start) / (60 * args.minutes))])
        torch.distributed.broadcast(clock, 0)
        done = clock.item()
        if len(order) < b:
            order = list(range(n))
            rng.shuffle(order)
        pick, order = order[:b], order[b:]
        batch = [scenes[i] for i in pick]
        texts, sets = [], []
        for s in batch[::2]:
            q = words.full_query(s)
            texts.append(words.phrase(q, rng if rng.random() < 0.7 else None))
            sets.append(words.query_facts(q))
        wrong, wrong_sets = [], []
        for s in batch[::4]:
            q = spoil(s, rng)
            wrong.append(words.phrase(q, rng if rng.random() < 0.7 else None))
            wrong_sets.append(words.query_facts(q))
        short, short_sets = [], []
        for s in batch * 2:
            q = words.short_query(s, rng)
            short.append(words.phrase(q, rng if rng.random() < 0.8 else None) + ("." if rng.random() < 0.04 else ""))
            short_sets.append(words.query_facts(q))
        have = rows[pick]

        def match(sets):
            want = facts.rows(sets)
            return ((want @ have.T) >= want.sum(1, keepdim=True)).float()

        rate = min(1, (step + 1) / warm) * (0.5 + 0.5 * math.cos(math.pi * done)) + 1e-3
        for opt, peak in ((adam, args.lr), (muon, 10 * args.lr)):
            for g in opt.param_groups:
                g["lr"] = peak * rate
        x = augment(pixels[pick], rng)
        with torch.autocast("cpu", torch.bfloat16):
            v, pooled, seen = model.visual(x, peek=4)
            if args.resume and step < 40:  # the heads are new: let them settle first
                pooled, seen = pooled.detach(), seen.detach()
            named = heads["facts"](pooled).float()
            patch = heads["patch"](seen).float()
            t_long = model.encode_text(pad([tok.encode(t) for t in texts + wrong]))
            t_short = model.encode_text(pad([tok.encode(t) for t in short]))
        v = F.normalize(v.float(), dim=-1)
        scale = model.logit_scale.exp().clamp(max=100)
        m_long, m_short = match(sets + wrong_sets), match(short_sets)
        l_long, l_short = scale * t_long @ v.T, scale * t_short @ v.T
        loss_t = fits(l_long, m_long) + 2 * fits(l_short, m_short)
        loss_v = fits(l_long.T, m_long.T)
        loss_f = F.binary_cross_entropy_with_logits(named, have[:, :-1], weight=told, reduction="sum") / b
        kd = torch.from_numpy(kinds[pick].astype(np.int64))
        cd = torch.from_numpy(colors[pick].astype(np.int64))
        if side != GRID:
            patch = F.adaptive_avg_pool2d(patch.transpose(1, 2).reshape(b, -1, side, side), GRID).flatten(2).transpose(1, 2)
        nk = len(KIND_IDS) + 1
        loss_p = F.cross_entropy(patch[..., :nk].reshape(-1, nk), kd.view(-1)) + \
            F.cross_entropy(patch[..., nk:].reshape(-1, patch.shape[-1] - nk), cd.view(-1))
        loss = loss_t + loss_v + 0.15 * loss_f + 2 * loss_p
        for p in everything:
            p.grad = None
        loss.backward()
        share_gradients(everything, args.processes)
        nn.utils.clip_grad_norm_(everything, 1.0)
        adam.step()
        muon.step()
        with torch.no_grad():
            keep = min(0.997, (step + 1) / (step + 10))
            for k, p in model.state_dict().items():
                slow[k].lerp_(p.float(), 1 - keep)
        sums += [loss_t.item(), loss_v.item(), loss_f.item(), loss_p.item()]
        step += 1
        if rank:
            continue
        if step % 50 == 0:
            print(f"{step} texts {sums[0] / 50:.3f} pictures {sums[1] / 50:.3f} facts {sums[2] / 50:.3f} "
                  f"patches {sums[3] / 50:.3f} scale {scale.item():.1f} {time.time() - start:.0f} s", flush=True)
            sums[:] = 0
        if step % 300 == 0:
            fast = {k: p.detach().clone() for k, p in model.state_dict().items()}
            model.load_state_dict({k: p.half().float() for k, p in slow.items()})
            bars = measure.bars(model, tok, check)
            print("  seed 8:", " ".join(f"{k} {q:.3f}" for k, q in bars.items()), flush=True)
            if args.work:
                export.save(args.work, cfg, model.state_dict(), tok_json, MEAN, STD)
            model.load_state_dict(fast)
    if rank:
        return
    model.load_state_dict(slow)
    export.save(args.out, cfg, model.state_dict(), tok_json, MEAN, STD)


if __name__ == "__main__":
    main()
