"""The demo face detector: a small net with SCRFD's nine outputs, its targets, its loss and its training.

SPDX-License-Identifier: Apache-2.0
"""

import argparse
import io
import math
import random
import time

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from PIL import Image

import data
import evaluate

STRIDES = (8, 16, 32)
# Two anchors at every place, the smaller first; a face goes to the anchor nearest its size.
BASES = ((16, 32), (64, 128), (256, 512))
WIDTHS = (16, 24, 32, 48, 64)
NECK, HEAD = 32, 40
OUTPUTS = 15  # a score, four distances, five points, for each anchor


def conv(a, b, kernel=3, stride=1):
    return nn.Sequential(nn.Conv2d(a, b, kernel, stride, kernel // 2, bias=False), nn.BatchNorm2d(b))


class Detector(nn.Module):
    def __init__(self):
        super().__init__()
        w = WIDTHS
        self.stem = conv(3, w[0], stride=2)
        self.down4 = conv(w[0], w[1], stride=2)
        self.down = nn.ModuleList(conv(w[i + 1], w[i + 2], stride=2) for i in range(3))
        self.same = nn.ModuleList(conv(w[i + 2], w[i + 2]) for i in range(3))
        self.lateral = nn.ModuleList(conv(w[i + 2], NECK, 1) for i in range(3))
        self.head = conv(NECK, HEAD)
        self.out = nn.ModuleList(nn.Conv2d(HEAD, 2 * OUTPUTS, 1) for _ in range(3))
        for out in self.out:
            nn.init.normal_(out.weight, 0, 0.01)
            with torch.no_grad():
                out.bias.zero_()
                out.bias[:2] = -4.0
                out.bias[2:10] = 0.5

    def forward(self, x):
        """[(n, places, 2, 15)] for each stride: raw score, distances and points in units of the anchor's base."""
        x = F.relu(self.down4(F.relu(self.stem(x))))
        level = []
        for down, same in zip(self.down, self.same):
            x = F.relu(down(x))
            x = F.relu(x + same(x))
            level.append(x)
        y = [lateral(z) for lateral, z in zip(self.lateral, level)]
        y[1] = y[1] + F.interpolate(y[2], scale_factor=2.0, mode="nearest")
        y[0] = y[0] + F.interpolate(y[1], scale_factor=2.0, mode="nearest")
        result = []
        for z, out in zip(y, self.out):
            z = out(F.relu(self.head(F.relu(z)))).float()
            n, _, h, w = z.shape
            z = z.permute(0, 2, 3, 1).reshape(n, h * w, 2 * OUTPUTS)
            # Channels: two scores, two times four distances, two times ten points.
            result.append(torch.cat([z[..., :2].reshape(n, h * w, 2, 1), z[..., 2:10].reshape(n, h * w, 2, 4),
                                     z[..., 10:].reshape(n, h * w, 2, 10)], -1))
        return result


def anchors(height, width):
    """(centres (n, 2), base (n), stride (n)) in the order of the outputs, all strides in turn."""
    xy, base, stride = [], [], []
    for s, bases in zip(STRIDES, BASES):
        rows, cols = np.mgrid[0:height // s, 0:width // s]
        c = np.stack([cols.ravel() * s, rows.ravel() * s], 1)
        xy.append(np.repeat(c, 2, 0))
        base.append(np.tile(bases, len(c)))
        stride.append(np.full(2 * len(c), s))
    return (torch.tensor(np.concatenate(xy), dtype=torch.float32),
            torch.tensor(np.concatenate(base), dtype=torch.float32),
            torch.tensor(np.concatenate(stride), dtype=torch.float32))


def assign(faces, usable, xy, base, stride):
    """For each anchor the face it answers for, -1 for none, -2 where nothing is to be learnt."""
    target = torch.full((len(xy),), -1, dtype=torch.long)
    best = torch.full((len(xy),), 9.0)
    for i, f in enumerate(faces):
        w, h = f[2], f[3]
        size = (w * h).sqrt()
        octave = (torch.log2(size / base)).abs()
        dx, dy = (xy[:, 0] - f[0] - w / 2).abs(), (xy[:, 1] - f[1] - h / 2).abs()
        inside = (dx < 0.5 * w) & (dy < 0.5 * h)
        if not usable[i]:
            target[inside & (target == -1)] = -2
            continue
        near = (dx < torch.clamp(0.2 * w, min=0.55 * stride)) & (dy < torch.clamp(0.2 * h, min=0.55 * stride))
        rough = inside & (octave < 1.2) & (dx < 0.4 * w) & (dy < 0.4 * h)
        target[rough & (target == -1)] = -2
        dist = ((dx / w) ** 2 + (dy / h) ** 2).sqrt()
        good = near & (octave < 0.62) & (dist < best)
        target[good] = i
        best[good] = dist[good]
    return target


def iou(a, b):
    """IoU and generalised IoU of boxes (n, 4) as x0, y0, x1, y1."""
    lt, rb = torch.max(a[:, :2], b[:, :2]), torch.min(a[:, 2:], b[:, 2:])
    inter = (rb - lt).clamp(min=0).prod(1)
    area = (a[:, 2:] - a[:, :2]).clamp(min=0).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    union = (area - inter).clamp(min=1e-6)
    hull = (torch.max(a[:, 2:], b[:, 2:]) - torch.min(a[:, :2], b[:, :2])).clamp(min=0).prod(1).clamp(min=1e-6)
    return inter / union, inter / union - (hull - union) / hull


def loss_of(outputs, truth, geometry):
    xy, base, stride = geometry
    z = torch.cat([o.flatten(1, 2) for o in outputs], 1)
    score_loss = box_loss = point_loss = z.new_zeros(())
    n = 0
    for image, (faces, usable) in zip(z, truth):
        target = assign(faces, usable, xy, base, stride)
        quality = torch.zeros(len(xy))
        pos = (target >= 0).nonzero()[:, 0]
        if len(pos):
            f, c, b = faces[target[pos]], xy[pos], base[pos, None]
            d = image[pos, 1:5] * b
            box = torch.cat([c - d[:, :2], c + d[:, 2:]], 1)
            want = torch.cat([f[:, :2], f[:, :2] + f[:, 2:4]], 1)
            plain, general = iou(box, want)
            quality[pos] = plain.detach().clamp(min=0.05)
            size = (f[:, 2:3] * f[:, 3:4]).sqrt()
            box_loss = box_loss + (1 - general).sum()
            gap = (image[pos, 5:] * b - (f[:, 4:] - c.repeat(1, 5))) / size
            point_loss = point_loss + F.smooth_l1_loss(gap, torch.zeros_like(gap), reduction="none", beta=0.05).mean(1).sum()
            n += len(pos)
        raw = image[:, 0]
        p = raw.sigmoid()
        each = F.binary_cross_entropy_with_logits(raw, quality, reduction="none") * (p - quality).abs().square()
        score_loss = score_loss + each[target != -2].sum()
    n = max(n, 1)
    return score_loss / n, box_loss / n, point_loss / n


def sample(rng, scenes, size):
    """Two training windows of a scene: (float CHW, faces (n, 14), usable (n))."""
    raw, faces = scenes[rng.randrange(len(scenes))]
    image = Image.open(io.BytesIO(raw)).convert("RGB")
    out = []
    for _ in range(2):
        u = rng.random()
        # 1 is the letterbox to 640; smaller is more common, as in photos of groups and far figures.
        scale = 640 / max(image.size) * math.exp(rng.uniform(-0.35, 0.2) if u < 0.5 else rng.uniform(-1.5, 0.35))
        w, h = image.size[0] * scale, image.size[1] * scale
        if len(faces) and rng.random() < 0.85:
            f = faces[rng.randrange(len(faces))] * scale
            room_x, room_y = size - f[2], size - f[3]
            x0 = f[0] - rng.uniform(0, 1) * room_x if room_x > 0 else f[0] - rng.uniform(-0.3, 0.3) * f[2]
            y0 = f[1] - rng.uniform(0, 1) * room_y if room_y > 0 else f[1] - rng.uniform(-0.3, 0.3) * f[3]
        else:
            x0, y0 = rng.uniform(-0.2 * size, w - 0.8 * size), rng.uniform(-0.2 * size, h - 0.8 * size)
        if rng.random() < 0.7:  # most windows start at the picture's own corner or inside it, as letterboxes do
            x0, y0 = max(0.0, x0), max(0.0, y0)
        window = image.transform((size, size), Image.AFFINE,
                                 (1 / scale, 0, x0 / scale, 0, 1 / scale, y0 / scale), Image.BILINEAR)
        x = np.asarray(window, np.float32)
        f = faces * scale
        f = f.copy()
        f[:, 0] -= x0
        f[:, 1] -= y0
        f[:, 4::2] -= x0
        f[:, 5::2] -= y0
        whole = f[:, 2] * f[:, 3]
        right, low = np.minimum(f[:, 0] + f[:, 2], size), np.minimum(f[:, 1] + f[:, 3], size)
        f[:, 0], f[:, 1] = np.maximum(f[:, 0], 0), np.maximum(f[:, 1], 0)
        f[:, 2], f[:, 3] = right - f[:, 0], low - f[:, 1]
        seen = (f[:, 2] > 2) & (f[:, 3] > 2)
        f, whole = f[seen], whole[seen]
        usable = (f[:, 2] * f[:, 3] > 0.4 * whole) & (f[:, 2] * f[:, 3] > 11 * 11)
        if rng.random() < 0.5:
            x = x[:, ::-1]
            f[:, 0] = size - f[:, 0] - f[:, 2]
            f[:, 4::2] = size - f[:, 4::2]
            f = f[:, [0, 1, 2, 3, 6, 7, 4, 5, 8, 9, 12, 13, 10, 11]]
        gain = np.array([rng.uniform(0.8, 1.2) for _ in range(3)], np.float32) * rng.uniform(0.75, 1.2)
        x = np.clip(x * gain + rng.uniform(-12, 12), 0, 255) if rng.random() < 0.7 else x
        if rng.random() < 0.3:
            x = np.clip(x + np.random.default_rng(rng.getrandbits(32)).normal(0, rng.uniform(2, 10), x.shape), 0, 255)
        out.append(((x.transpose(2, 0, 1).astype(np.float32) - 127.5) / 128, torch.tensor(f, dtype=torch.float32),
                    torch.tensor(usable)))
    return out


def train(args):
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    rng = random.Random(args.seed)
    scenes = data.load_scenes(args.data, args.scenes)
    print(f"{len(scenes)} scenes", flush=True)
    net = Detector().to(memory_format=torch.channels_last)
    mean = Detector().eval()
    print(sum(p.numel() for p in net.parameters()), "parameters", flush=True)
    if args.resume:
        net.load_state_dict(torch.load(args.resume, weights_only=True))
    mean.load_state_dict(net.state_dict())
    decay = [p for p in net.parameters() if p.ndim > 1]
    plain = [p for p in net.parameters() if p.ndim <= 1]
    opt = torch.optim.AdamW([{"params": decay, "weight_decay": 0.02}, {"params": plain, "weight_decay": 0.0}], lr=args.lr)
    geometry = {s: anchors(s, s) for s in (320, 448)}
    begin = time.time()
    for step in range(1, args.steps + 1):
        rate = args.lr * min(1, step / 200) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        for g in opt.param_groups:
            g["lr"] = rate
        size, many = (320, 16) if step % 4 else (448, 8)
        batch = [w for _ in range(many // 2) for w in sample(rng, scenes, size)]
        x = torch.from_numpy(np.stack([b[0] for b in batch])).contiguous(memory_format=torch.channels_last)
        net.train()
        with torch.autocast("cpu", torch.bfloat16, enabled=args.bf16):
            out = net(x)
        score, box, point = loss_of(out, [b[1:] for b in batch], geometry[size])
        loss = score + 2 * box + args.points * point
        opt.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        opt.step()
        keep = min(args.ema, (1 + step) / (10 + step))
        with torch.no_grad():
            for a, b in zip(mean.state_dict().values(), net.state_dict().values()):
                a.copy_(a * keep + b * (1 - keep)) if a.is_floating_point() else a.copy_(b)
        if step % 100 == 0:
            print(f"step {step} lr {rate:.5f} score {score:.4f} box {box:.4f} point {point:.4f} "
                  f"{(time.time() - begin) / step:.3f} s/step", flush=True)
        if step % args.save_every == 0 or step == args.steps:
            torch.save(mean.state_dict(), args.out)
            if args.watch:
                print("watched", evaluate.detector_line(mean, args.watch), flush=True)


def options(sub):
    p = sub.add_parser("detector", help="train the detector", formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    p.add_argument("--data", required=True)
    p.add_argument("--out", required=True)
    p.add_argument("--watch", help="folder of scenes and truth.json to look at while training")
    p.add_argument("--scenes", type=int, default=6000)
    p.add_argument("--steps", type=int, default=8000)
    p.add_argument("--save-every", type=int, default=1000)
    p.add_argument("--lr", type=float, default=2e-3)
    p.add_argument("--ema", type=float, default=0.998)
    p.add_argument("--points", type=float, default=6.0, help="weight of the five points")
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--bf16", action="store_true")
    p.add_argument("--resume")
    p.set_defaults(run=train)
