"""Faces: who somebody is (identity) and how they happen to look in one picture (pose).

An identity is a point in a space of face shape, proportions, skin, eyes, brows, nose, mouth and
hairline, made from its number alone. Hats, glasses, beards, expression, turn and light belong to
the pose, vary freely and say nothing about who it is.

SPDX-License-Identifier: Apache-2.0
"""

import math
import random

from .pen import mix, shade, spline

# Numbers below GALLERY are the cast of demo sets and evaluation; a face model is to train on others.
GALLERY = 64

SKIN = ((252, 224, 204), (242, 204, 176), (228, 184, 148), (206, 156, 118), (178, 126, 90),
        (146, 98, 68), (112, 74, 52), (84, 56, 42))
HAIR = ((30, 26, 26), (58, 40, 30), (92, 60, 38), (134, 84, 46), (164, 76, 40), (206, 160, 88),
        (232, 206, 140), (150, 148, 148), (226, 224, 218))
IRIS = ((74, 46, 28), (104, 70, 38), (70, 104, 62), (66, 110, 160), (92, 120, 132), (40, 32, 30))
STYLES = ("short", "crop", "side", "long", "curly", "bun", "receding", "bob")
SHAPES = ("oval", "round", "square", "heart", "long")

_RANGES = (
    ("width", 0.315, 0.405), ("jaw", 0.62, 0.95), ("chin", 0.10, 0.24), ("forehead", 0.76, 0.98),
    ("eye_y", -0.07, 0.03), ("eye_dx", 0.125, 0.19), ("eye_w", 0.045, 0.08), ("eye_open", 0.42, 0.8),
    ("eye_tilt", -14, 14), ("brow_y", 0.06, 0.105), ("brow_thick", 0.010, 0.036),
    ("brow_len", 0.055, 0.1), ("brow_arch", 0.0, 0.035), ("brow_tilt", -16, 16),
    ("nose_len", 0.12, 0.21), ("nose_w", 0.035, 0.085), ("nose_tip", 0.0, 1.0),
    ("mouth_y", 0.08, 0.135), ("mouth_w", 0.075, 0.14), ("lip_top", 0.008, 0.026),
    ("lip_low", 0.012, 0.038), ("ear", 0.05, 0.1), ("hairline", -0.4, -0.26), ("peak", -0.06, 0.06),
)


def _draw_identity(rng):
    u = [rng.random() for _ in _RANGES]
    who = {name: lo + (hi - lo) * u[i] for i, (name, lo, hi) in enumerate(_RANGES)}
    tone = rng.random() * (len(SKIN) - 1)
    k = min(int(tone), len(SKIN) - 2)
    warm = rng.uniform(-7, 7)
    skin = mix(SKIN[k], SKIN[k + 1], tone - k)
    who["skin"] = (skin[0] + warm, skin[1], skin[2] - warm)
    hair = rng.randrange(len(HAIR))
    if tone > 4 and hair in (4, 5, 6):
        hair = rng.choice((0, 1, 7))
    who["hair"] = HAIR[hair]
    who["iris"] = IRIS[rng.randrange(len(IRIS))] if tone < 3.5 else IRIS[rng.choice((0, 1, 5))]
    who["style"] = STYLES[rng.randrange(len(STYLES))]
    who["shape"] = SHAPES[rng.randrange(len(SHAPES))]
    u += [tone / 2.5, hair / 4.0, STYLES.index(who["style"]) / 6.0]
    return who, u


_gallery = []


def identity(number):
    """The face with this number. The gallery's faces are kept well apart from one another."""
    if number >= GALLERY:
        return _draw_identity(random.Random(f"demo-world/identity/{number}"))[0]
    while len(_gallery) <= number:
        i, attempt = len(_gallery), 0
        while True:
            who, u = _draw_identity(random.Random(f"demo-world/identity/{i}/{attempt}"))
            near = min((math.dist(u, v) for _, v in _gallery), default=9)
            if near > 1.62 - 0.004 * attempt:
                break
            attempt += 1
        _gallery.append((who, u))
    return _gallery[number][0]


def random_pose(rng):
    """A look for one picture: everything about a face that is not who it is."""
    return {
        "yaw": rng.uniform(-0.5, 0.5), "roll": rng.gauss(0, 6), "pitch": rng.uniform(-0.03, 0.03),
        "smile": rng.random() < 0.5, "open": rng.uniform(0.75, 1.12), "raise": rng.uniform(-0.008, 0.014),
        "side": rng.choice((-1, 1)), "shadow": rng.uniform(0.03, 0.2),
        "glasses": None, "beard": None, "hat": None, "shirt": (120, 120, 120), "neck": rng.random(),
    }


class _Head:
    """Places features of a head that is turned sideways (yaw) a little."""

    def __init__(self, who, pose):
        self.cos, self.sin = math.cos(pose["yaw"]), math.sin(pose["yaw"])
        self.pitch = pose["pitch"]
        self.half = who["width"]

    def at(self, x, y, lift=0.0):
        q = 1 - (x / (self.half * 1.25)) ** 2 - (y / 0.75) ** 2
        z = 0.30 * math.sqrt(max(0.0, q)) + lift
        return (x * self.cos + z * self.sin, y + self.pitch * (1 + 3 * z))


def _outline(who):
    w, jaw, chin, top = who["width"], who["jaw"], who["chin"], who["forehead"]
    s = who["shape"]
    low = 0.5 if s != "round" else 0.46
    if s == "long":
        low = 0.54
    if s == "square":
        jaw, chin = min(1.0, jaw + 0.1), chin * 1.25
    if s == "heart":
        top, jaw, chin = min(1.05, top + 0.08), jaw * 0.86, chin * 0.75
    right = [(w * top * 0.62, -0.45), (w * top, -0.27), (w, -0.02), (w * jaw, 0.26), (chin, 0.44)]
    pts = [(0, -0.5)] + right + [(0, low)] + [(-x, y) for x, y in reversed(right)]
    return spline(pts, True, 6)


def _back_hair(p, who, pose):
    h, w = who["hair"], who["width"]
    if who["style"] == "long":
        p.blob([(0, -0.6), (w * 0.95, -0.46), (w + 0.1, -0.05), (w + 0.13, 0.5), (w - 0.05, 0.78),
                (-w + 0.05, 0.78), (-w - 0.13, 0.5), (-w - 0.1, -0.05), (-w * 0.95, -0.46)], shade(h, 0.8))
    elif who["style"] == "bob":
        p.blob([(0, -0.6), (w * 0.95, -0.46), (w + 0.1, -0.1), (w + 0.1, 0.3), (w - 0.06, 0.4),
                (-w + 0.06, 0.4), (-w - 0.1, 0.3), (-w - 0.1, -0.1), (-w * 0.95, -0.46)], shade(h, 0.8))
    elif who["style"] == "curly":
        for k in range(15):
            t = math.pi * (0.9 + k / 14 * 1.2)
            p.ellipse(math.cos(t) * (w + 0.03), -0.16 + math.sin(t) * 0.4, 0.13, 0.13,
                      shade(h, 0.82 + 0.16 * (k % 2)))
    elif who["style"] == "bun" and not pose["hat"]:
        p.ellipse(0, -0.66, 0.15, 0.14, shade(h, 0.85))


def _front_hair(p, who, head):
    h, w, line, peak = who["hair"], who["width"], who["hairline"], who["peak"]
    dx = head.sin * 0.12
    style = who["style"]
    top = -0.6 if style in ("short", "side", "long", "bob", "curly", "bun") else -0.535
    if style == "receding":
        p.blob([(w * 0.98, -0.02), (w + 0.03, -0.2), (w * 0.86, -0.4), (w * 0.8, -0.24)], h)
        p.blob([(-w * 0.98, -0.02), (-w - 0.03, -0.2), (-w * 0.86, -0.4), (-w * 0.8, -0.24)], h)
        p.blob([(0, -0.535), (w * 0.62, -0.475), (w * 0.3 + dx, -0.44), (dx, -0.45 + peak * 0.3),
                (-w * 0.3 + dx, -0.44), (-w * 0.62, -0.475)], h)
        return
    low = -0.06 if style != "crop" else -0.12
    part = w * 0.4 if style == "side" else 0
    outer = [(0, top), (w * 0.72, top + 0.09), (w + 0.035, -0.24), (w + 0.01, low)]
    inner = [(w * 0.9, -0.16), (w * 0.74 + dx, line + 0.06), (w * 0.36 + dx, line - 0.01),
             (dx + part, line + peak), (-w * 0.36 + dx, line - 0.01 + (0.07 if part else 0)),
             (-w * 0.74 + dx, line + 0.06), (-w * 0.9, -0.16)]
    left = [(-w - 0.01, low), (-w - 0.035, -0.24), (-w * 0.72, top + 0.09)]
    p.blob(outer + inner + left, h)
    if style == "curly":
        for k in range(8):
            x = -w * 0.85 + k * w * 0.243
            p.ellipse(x, line - 0.07 - 0.06 * math.cos(x / w * 1.4), 0.085, 0.085, shade(h, 0.9 + 0.14 * (k % 2)))
    elif style != "crop":
        p.curve([(-w * 0.5, top + 0.09), (-w * 0.1, top + 0.05), (w * 0.35, top + 0.08)], 0.016,
                shade(h, 1.18), 0.8)


def _eyes(p, who, pose, head):
    mean = []
    for s in (-1, 1):
        x, y = head.at(s * who["eye_dx"], who["eye_y"])
        mean.append((x, y))
        w = who["eye_w"] * (1 - 0.25 * max(0, s * head.sin))
        h = who["eye_w"] * who["eye_open"] * pose["open"] * (0.86 if pose["smile"] else 1.0)
        p.push(x, y, turn=who["eye_tilt"] * s * -1)
        p.blob([(-w, 0.0), (-w * 0.45, -h * 0.8), (w * 0.45, -h * 0.8), (w, 0.0), (w * 0.4, h * 0.6),
                (-w * 0.4, h * 0.6)], (250, 248, 244), steps=5)
        gx = head.sin * w * 0.25
        p.ellipse(gx, -h * 0.08, h * 0.72, h * 0.72, who["iris"])
        p.ellipse(gx, -h * 0.08, h * 0.36, h * 0.36, (14, 12, 12))
        p.ellipse(gx + h * 0.2, -h * 0.3, h * 0.15, h * 0.15, (255, 255, 255))
        p.curve([(-w * 1.05, 0.0), (-w * 0.45, -h * 0.85), (w * 0.45, -h * 0.85), (w * 1.05, 0.0)], 0.014,
                shade(mix(who["skin"], (40, 24, 20), 0.75), 0.8))
        p.pop()
        bx, by = head.at(s * who["eye_dx"] * 1.04, who["eye_y"] - who["brow_y"] - pose["raise"])
        t, n = who["brow_thick"], who["brow_len"]
        col = mix(who["hair"], (40, 30, 28), 0.35)
        p.push(bx, by, turn=who["brow_tilt"] * s)
        inner, outer = -n * s, n * s
        p.blob([(inner, t * 0.5), (inner, -t * 0.6), (0, -t - who["brow_arch"]), (outer, -t * 0.1),
                (outer, t * 0.25), (0, t * 0.35 - who["brow_arch"])], col, steps=4)
        p.pop()
    return mean


def _nose(p, who, pose, head):
    top = head.at(0, who["eye_y"] + 0.01, 0.02)
    tip = head.at(0, who["eye_y"] + who["nose_len"], 0.09)
    w = who["nose_w"]
    s = 1 if head.sin >= 0 else -1
    dark = shade(who["skin"], 0.74)
    p.poly([(top[0] - 0.012 * s, top[1]), (tip[0] - w * 0.95 * s, tip[1] + 0.012), (tip[0], tip[1] + 0.01)],
           shade(who["skin"], 0.86), 0.75)
    wide = 0.55 + 0.35 * who["nose_tip"]
    p.blob([(tip[0] - w, tip[1] + 0.012), (tip[0] - w * wide, tip[1] - 0.028), (tip[0] + w * wide, tip[1] - 0.028),
            (tip[0] + w, tip[1] + 0.012), (tip[0], tip[1] + 0.03)], shade(who["skin"], 0.93), steps=4)
    p.ellipse(tip[0], tip[1] - 0.012, w * (0.3 + 0.3 * who["nose_tip"]), 0.02, shade(who["skin"], 1.16), 0.8)
    for k in (-1, 1):
        p.ellipse(tip[0] + k * w * 0.48, tip[1] + 0.016, w * 0.22, 0.009, shade(who["skin"], 0.5))
    p.curve([(tip[0] - w * 1.02, tip[1] + 0.014), (tip[0] - w * 0.9, tip[1] - 0.012)], 0.008, dark)
    p.curve([(tip[0] + w * 1.02, tip[1] + 0.014), (tip[0] + w * 0.9, tip[1] - 0.012)], 0.008, dark)
    return tip


def _mouth_points(who, pose, head):
    y = who["eye_y"] + who["nose_len"] + who["mouth_y"]
    w = who["mouth_w"] * (1.14 if pose["smile"] else 1.0)
    lift = -0.022 if pose["smile"] else 0.004
    left, right = head.at(-w, y + lift, 0.0), head.at(w, y + lift, 0.0)
    return left, right, head.at(0, y + (0.022 if pose["smile"] else 0.0), 0.03)


def _mouth(p, who, pose, points):
    left, right, mid = points
    lip = mix(shade(who["skin"], 0.78), (184, 56, 66), 0.42)
    a, b = who["lip_top"], who["lip_low"]
    q1 = ((left[0] + mid[0]) / 2, (left[1] + mid[1]) / 2 + (0.008 if pose["smile"] else 0))
    q2 = ((right[0] + mid[0]) / 2, (right[1] + mid[1]) / 2 + (0.008 if pose["smile"] else 0))
    gap = 0.03 if pose["smile"] else 0.0
    p.blob([left, (q1[0], q1[1] - a), (mid[0], mid[1] - a * 0.8), (q2[0], q2[1] - a), right,
            (q2[0], q2[1] + b * 0.8 + gap), (mid[0], mid[1] + b + gap), (q1[0], q1[1] + b * 0.8 + gap)], lip, steps=5)
    if gap:
        p.blob([(left[0] * 0.9 + mid[0] * 0.1, left[1] + 0.004), q1, mid, q2,
                (right[0] * 0.9 + mid[0] * 0.1, right[1] + 0.004), (q2[0], q2[1] + gap * 0.8),
                (mid[0], mid[1] + gap), (q1[0], q1[1] + gap * 0.8)], (250, 248, 244), steps=5)
    else:
        p.curve([left, q1, mid, q2, right], 0.009, shade(lip, 0.6))


def _beard(p, who, pose, head, mouth):
    col = mix(who["hair"], (60, 48, 42), 0.15)
    left, right, mid = mouth
    tip_y = who["eye_y"] + who["nose_len"]
    if pose["beard"] == "full":
        w = who["width"]
        line = [pt for pt in _outline(who) if pt[1] > 0.1]
        line.sort(key=lambda pt: math.atan2(pt[0], pt[1] - 0.05))
        inner = [head.at(x, y) for x, y in ((w * 0.78, 0.12), (w * 0.5, tip_y + 0.05), (0, tip_y + 0.05),
                                            (-w * 0.5, tip_y + 0.05), (-w * 0.78, 0.12))]
        p.poly([(x * 1.03, y * 1.05) for x, y in line] + spline(inner, False, 5), col)
    else:
        y = (tip_y + 0.04 + mid[1] - who["lip_top"]) / 2
        p.blob([(left[0] - 0.01, mid[1] + 0.01), (mid[0] - 0.04, y - 0.024), (mid[0], y - 0.01),
                (mid[0] + 0.04, y - 0.024), (right[0] + 0.01, mid[1] + 0.01), (mid[0], y + 0.014)], col)


def _glasses(p, pose, eyes, head):
    col = pose["glasses"]
    r = 0.108
    for s, (x, y) in zip((-1, 1), eyes):
        q = r * (1 - 0.2 * max(0, s * head.sin))
        p.ellipse(x, y + 0.006, q * 0.96, r * 0.86, (210, 232, 246), 0.22)
        ring = [(x + q * math.cos(k * math.pi / 14), y + 0.006 + r * 0.9 * math.sin(k * math.pi / 14))
                for k in range(29)]
        p.line(ring, 0.03, col)
    p.curve([(eyes[0][0] + r * 0.9, eyes[0][1]), ((eyes[0][0] + eyes[1][0]) / 2, eyes[0][1] - 0.015),
             (eyes[1][0] - r * 0.9, eyes[1][1])], 0.026, col)
    for s, (x, y) in zip((-1, 1), eyes):
        edge = s * head.half
        if (edge - x) * s > r * 0.8:
            p.line([(x + s * r * 0.9, y - 0.01), (edge, y - 0.03)], 0.026, col)


def _hat(p, who, pose, head):
    kind, col = pose["hat"]
    w = who["width"]
    dx = head.sin * 0.05
    line = min(who["eye_y"] - who["brow_y"] - 0.1, -0.2)
    if kind == "cap":
        p.blob([(-w * 1.06, line + 0.02), (-w * 0.98, line - 0.24), (-w * 0.5, -0.62), (w * 0.5, -0.62),
                (w * 0.98, line - 0.24), (w * 1.06, line + 0.02), (0, line)], col)
        p.blob([(-w * 0.86 + dx * 3, line + 0.0), (dx * 5, line - 0.06), (w * 0.86 + dx * 3, line + 0.0),
                (w * 0.7 + dx * 5, line + 0.07), (dx * 5, line + 0.06), (-w * 0.7 + dx * 5, line + 0.07)], shade(col, 0.7))
        p.ellipse(0, -0.63, 0.03, 0.02, shade(col, 0.7))
    elif kind == "beanie":
        p.blob([(-w * 1.06, line), (-w * 0.96, -0.52), (-w * 0.4, -0.7), (w * 0.4, -0.7), (w * 0.96, -0.52),
                (w * 1.06, line), (0, line - 0.02)], col)
        p.blob([(-w * 1.1, line + 0.03), (-w * 1.1, line - 0.09), (0, line - 0.13), (w * 1.1, line - 0.09),
                (w * 1.1, line + 0.03), (0, line)], shade(col, 0.76), steps=3)
        p.ellipse(0, -0.73, 0.08, 0.075, shade(col, 1.35))
    else:
        p.poly([(-w * 0.84, line - 0.02), (-w * 0.72, -0.68), (-w * 0.3, -0.72), (w * 0.3, -0.72), (w * 0.72, -0.68),
                (w * 0.84, line - 0.02)], col)
        p.poly([(-w * 0.85, line - 0.01), (-w * 0.8, line - 0.13), (w * 0.8, line - 0.13), (w * 0.85, line - 0.01)],
               shade(col, 0.5) if sum(col) > 200 else (150, 40, 44))
        p.ellipse(dx, line, w * 1.62, 0.085, shade(col, 0.86))
        p.ellipse(dx, line - 0.02, w * 1.56, 0.066, col)


def _bust(p, who, pose):
    skin, shirt = who["skin"], pose["shirt"]
    p.poly(spline([(-0.17, 0.3), (-0.17, 0.62), (0.17, 0.62), (0.17, 0.3)], True, 4), shade(skin, 0.78))
    p.blob([(-0.2, 0.56), (-0.56, 0.68), (-0.78, 0.92), (-0.9, 3.6), (0.9, 3.6), (0.78, 0.92), (0.56, 0.68),
            (0.2, 0.56), (0, 0.66)], shirt)
    p.blob([(-0.2, 0.53), (0, 0.60), (0.2, 0.53), (0.12, 0.7), (0, 0.76), (-0.12, 0.7)], shade(skin, 0.84))
    if pose["neck"] < 0.5:
        p.curve([(-0.22, 0.55), (-0.12, 0.7), (0, 0.77), (0.12, 0.7), (0.22, 0.55)], 0.045, shade(shirt, 0.72))
    else:
        p.poly([(-0.22, 0.53), (-0.02, 0.78), (-0.2, 0.86), (-0.3, 0.58)], shade(shirt, 1.22))
        p.poly([(0.22, 0.53), (0.02, 0.78), (0.2, 0.86), (0.3, 0.58)], shade(shirt, 1.22))
    for s in (-1, 1):
        p.curve([(s * 0.5, 1.02), (s * 0.55, 1.4)], 0.02, shade(shirt, 0.74))


def draw_head(p, who, pose, bust=True):
    """Draw a head around (0, 0), one unit from crown to chin, with shoulders if `bust`.

    Returns (box, points): the face's box (x0, y0, x1, y1) and its five points (eyes, nose tip,
    mouth corners, image-left first), in pixels of the pen's image.
    """
    skin = who["skin"]
    head = _Head(who, pose)
    p.push(turn=pose["roll"])
    _back_hair(p, who, pose)
    p.pop()
    if bust:
        _bust(p, who, pose)
    else:
        p.rect(-0.15, 0.3, 0.15, 0.6, shade(skin, 0.78))
    p.push(turn=pose["roll"])
    for s in (-1, 1):
        if s * head.sin > 0.34:
            continue
        x = s * who["width"] * (1 - 0.08 * s * head.sin)
        p.ellipse(x, who["eye_y"] + 0.05, who["ear"] * 0.62, who["ear"] * 1.1, shade(skin, 0.94))
        p.ellipse(x, who["eye_y"] + 0.055, who["ear"] * 0.3, who["ear"] * 0.66, shade(skin, 0.78))
    outline = _outline(who)
    p.poly(outline, skin)
    shaded = []
    for x, y in outline:
        shaded.append((x if x * pose["side"] > 0 else x * -0.5, y))
    p.poly(shaded, (30, 16, 30), pose["shadow"])
    face = [p.at(q) for q in outline if q[1] > who["hairline"] - 0.02]
    for s in (-1, 1):
        cx, cy = head.at(s * who["width"] * 0.52, who["eye_y"] + 0.15)
        p.ellipse(cx, cy, 0.075, 0.05, (232, 110, 100), 0.16)
    mouth = _mouth_points(who, pose, head)
    if pose["beard"]:
        _beard(p, who, pose, head, mouth)
    tip = _nose(p, who, pose, head)
    _mouth(p, who, pose, mouth)
    _front_hair(p, who, head)
    eyes = _eyes(p, who, pose, head)
    if pose["glasses"]:
        _glasses(p, pose, eyes, head)
    if pose["hat"]:
        _hat(p, who, pose, head)
    points = [p.at(q) for q in (eyes[0], eyes[1], tip, mouth[0], mouth[1])]
    p.pop()
    xs, ys = [q[0] for q in face], [q[1] for q in face]
    return (min(xs), min(ys), max(xs), max(ys)), points


def draw_figure(p, who, pose):
    """Draw a whole standing person on (0, 0), one unit tall. Returns the face as draw_head does."""
    shirt, trousers = pose["shirt"], pose["trousers"]
    skin = who["skin"]
    for s in (-1, 1):
        p.poly([(s * 0.015, -0.44), (s * 0.12, -0.44), (s * 0.10, -0.02), (s * 0.03, -0.02)], trousers)
        p.ellipse(s * 0.075, -0.02, 0.055, 0.022, (44, 36, 34))
        swing = pose["swing"] * s
        p.line([(s * 0.135, -0.66), (s * 0.17 + swing * 0.05, -0.5), (s * 0.165 + swing * 0.1, -0.38)], 0.05, skin)
        p.line([(s * 0.125, -0.67), (s * 0.165 + swing * 0.04, -0.52)], 0.066, shade(shirt, 0.84))
    p.blob([(-0.05, -0.72), (-0.15, -0.68), (-0.145, -0.5), (-0.13, -0.41), (0.13, -0.41), (0.145, -0.5),
            (0.15, -0.68), (0.05, -0.72)], shirt, steps=4)
    p.push(0, -0.855, scale=0.27)
    face = draw_head(p, who, pose, bust=False)
    p.pop()
    return face
