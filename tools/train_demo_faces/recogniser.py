"""The demo face recogniser: a small residual net from 112x112 crops to 512 numbers, and its training.

The loss is CosFace's (Wang et al. 2018) over the identities of the training cast. While it trains, a second head
reads from the vector how the generator drew the person; it is thrown away afterwards.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import math
import time

import torch
import torch.nn as nn
import torch.nn.functional as F

import data
import evaluate
from demoworld import face

WIDTHS = (24, 48, 80, 112)
BLOCKS = (1, 2, 1)
VECTOR = 512


def conv(a, b, stride=1, kernel=3, groups=1, pad=1):
    return nn.Sequential(nn.Conv2d(a, b, kernel, stride, pad, groups=groups, bias=False), nn.BatchNorm2d(b))


class Recogniser(nn.Module):
    def __init__(self):
        super().__init__()
        w = WIDTHS
        self.stem = conv(3, w[0], 2)
        self.down = nn.ModuleList(conv(w[i], w[i + 1], 2) for i in range(3))
        self.same = nn.ModuleList(nn.ModuleList(conv(w[i + 1], w[i + 1]) for _ in range(BLOCKS[i])) for i in range(3))
        self.whole = conv(w[3], w[3], kernel=7, groups=w[3], pad=0)
        self.vector = nn.Sequential(nn.Linear(w[3], VECTOR, bias=False), nn.BatchNorm1d(VECTOR))

    def forward(self, x):
        x = F.relu(self.stem(x))
        for down, same in zip(self.down, self.same):
            x = F.relu(down(x))
            for block in same:
                x = F.relu(x + block(x))
        return self.vector(self.whole(x).flatten(1).float())


class CosFace(nn.Module):
    def __init__(self, names, scale=32.0, margin=0.3):
        super().__init__()
        self.weight = nn.Parameter(torch.randn(names, VECTOR) * 0.05)
        self.scale, self.margin = scale, margin

    def forward(self, v, names, margin=1.0):
        cos = F.normalize(v) @ F.normalize(self.weight).T
        cos = cos - F.one_hot(names, cos.shape[1]) * (self.margin * margin)
        return F.cross_entropy(cos * self.scale, names, label_smoothing=0.0)


def traits():
    """What makes each training identity: proportions as 0..1, colours, hair style and face shape, (n, 46)."""
    rows = []
    for number in range(data.FIRST, data.FIRST + data.IDENTITIES):
        who = face.identity(number)
        row = [(who[name] - lo) / (hi - lo) for name, lo, hi in face._RANGES]
        row += [c / 255 for key in ("skin", "hair", "iris") for c in who[key]]
        row += [float(who["style"] == s) for s in face.STYLES] + [float(who["shape"] == s) for s in face.SHAPES]
        rows.append(row)
    return torch.tensor(rows)


def augment(x, gen):
    """A batch of float crops 0..255 as detectors, lenses and lights might have left them, scaled for the net."""
    n = len(x)

    def uniform(lo, hi, *shape):
        return torch.empty(n, *shape).uniform_(lo, hi, generator=gen)

    if torch.rand((), generator=gen) < 0.35:  # far away: fewer pixels, then as many again
        size = int(torch.randint(28, 84, (), generator=gen))
        y = F.interpolate(x, size=(size, size), mode="bilinear", align_corners=False, antialias=True)
        x = F.interpolate(y, size=(112, 112), mode="bilinear", align_corners=False)
    turn, scale = uniform(-0.12, 0.12), uniform(0.89, 1.11)
    c, s = torch.cos(turn) * scale, torch.sin(turn) * scale
    shift = uniform(-0.09, 0.09, 2)
    m = torch.stack([torch.stack([c, -s, shift[:, 0]], 1), torch.stack([s, c, shift[:, 1]], 1)], 1)
    mirrored = torch.where(torch.rand(n, generator=gen) < 0.5, -1.0, 1.0)
    m[:, :, 0] *= mirrored[:, None]
    x = F.grid_sample(x, F.affine_grid(m, x.shape, align_corners=False), align_corners=False)
    x = x * uniform(0.85, 1.15, 1, 1, 1) * uniform(0.93, 1.07, 3, 1, 1) + uniform(-10, 10, 1, 1, 1)
    x = x + torch.randn(x.shape, generator=gen) * uniform(0, 5, 1, 1, 1)
    return (x.clamp(0, 255) - 127.5) / 127.5


def learning_rate(step, args):
    return args.lr * min(1, step / 300) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))


def train(args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    gen = torch.Generator().manual_seed(args.seed)
    net = Recogniser().to(memory_format=torch.channels_last)
    mean = Recogniser().eval()
    head = CosFace(data.IDENTITIES)
    known = traits()
    reader = nn.Linear(VECTOR, known.shape[1])
    print(sum(p.numel() for p in net.parameters()), "parameters", flush=True)
    if args.resume:
        state = torch.load(args.resume + ".full", weights_only=True)
        net.load_state_dict(state["net"])
        head.load_state_dict(state["head"])
    mean.load_state_dict(net.state_dict())
    decay = [p for m in (net, head, reader) for p in m.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.05}, {"params": plain, "weight_decay": 0.0}], lr=args.lr)
    watched = evaluate.true_crops(args.watch) if args.watch else None
    begin, total = time.time(), 0.0
    chunks, seen = [], set()
    for step in range(1, args.steps + 1):
        if step == 1 or step % 500 == 0:
            more = data.load_crops(args.data, seen)
            if more:
                seen |= set(more[3])
                chunks.append((torch.from_numpy(more[0]), torch.from_numpy(more[1]).long()))
            counts = torch.tensor([len(c[1]) for c in chunks])
            print(int(counts.sum()), "crops", flush=True)
        rate = learning_rate(step, args)
        for g in opt.param_groups:
            g["lr"] = rate
        pick = [torch.randint(int(c), (round(args.batch * float(c) / float(counts.sum())),), generator=gen) for c in counts]
        x = torch.cat([c[0][i] for c, i in zip(chunks, pick)]).permute(0, 3, 1, 2).float()
        y = torch.cat([c[1][i] for c, i in zip(chunks, pick)])
        x = augment(x, gen).contiguous(memory_format=torch.channels_last)
        net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            v = net(x)
        gap = F.mse_loss(reader(v.float()), known[y])
        loss = head(v.float(), y, 1.0 if args.resume else min(1.0, step / (0.3 * args.steps))) + args.traits * gap
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        opt.step()
        total += float(loss) - args.traits * float(gap)
        keep = min(args.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values()):
                a.copy_(a * keep + b * (1 - keep)) if a.is_floating_point() else a.copy_(b)
        if step % 100 == 0:
            print(f"step {step} lr {rate:.5f} loss {total / 100:.4f} traits {float(gap):.4f} {(time.time() - begin) / step:.3f} s/step", flush=True)
            total = 0.0
        if step % args.save_every == 0 or step == args.steps:
            torch.save(mean.state_dict(), args.out)
            torch.save({"net": net.state_dict(), "head": head.state_dict()}, args.out + ".full")
            if watched:
                m = evaluate.measure_crops(evaluate.torch_embedder(mean), *watched)
                print(f"watched accuracy {m['accuracy']:.4f} threshold {m['threshold']:.3f} "
                      f"shuffled {m['shuffled']:.4f} pairs {m['pairs']}", flush=True)


def options(sub):
    p = sub.add_parser("recogniser", help="train the recogniser", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--data", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--watch", help="folder of scenes and truth.json to look at while training")
    p.add_argument("--steps", type=int, default=8000)
    p.add_argument("--batch", type=int, default=64)
    p.add_argument("--save-every", type=int, default=1000)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--ema", type=float, default=0.998)
    p.add_argument("--traits", type=float, default=20.0, help="weight of the second head")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--resume")
    p.set_defaults(run=train)
