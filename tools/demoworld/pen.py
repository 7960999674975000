"""A vector pen over Pillow: unit coordinates, an affine stack, tinted colours, box tracking.

Everything in the world is drawn through it, so one scene renders alike at any size.

SPDX-License-Identifier: Apache-2.0
"""

import math

from PIL import Image, ImageDraw


def mix(a, b, t):
    """The colour t of the way from a to b."""
    return tuple(a[i] + (b[i] - a[i]) * t for i in range(3))


def shade(c, f):
    """Darker for f < 1, lighter (towards white) for f > 1."""
    if f <= 1:
        return tuple(v * f for v in c)
    return mix(c, (255, 255, 255), min(f - 1, 1))


def spline(points, closed=True, steps=6):
    """A smooth curve through the points (Catmull-Rom)."""
    n = len(points)
    out = []
    for i in range(n if closed else n - 1):
        if closed:
            p0, p1, p2, p3 = (points[(i + k) % n] for k in (-1, 0, 1, 2))
        else:
            p0, p1, p2, p3 = (points[min(max(i + k, 0), n - 1)] for k in (-1, 0, 1, 2))
        for s in range(steps):
            t = s / steps
            t2, t3 = t * t, t * t * t
            a, b = -t3 + 2 * t2 - t, 3 * t3 - 5 * t2 + 2
            c, d = -3 * t3 + 4 * t2 + t, t3 - t2
            out.append(((a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0]) / 2,
                        (a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1]) / 2))
    if not closed:
        out.append(points[-1])
    return out


class Pen:
    """Draws on an RGB image; `unit` pixels make one unit, `origin` is where (0, 0) lies."""

    def __init__(self, image, unit, origin=(0.0, 0.0)):
        self.image = image
        self.draw = ImageDraw.Draw(image, "RGBA")
        self.matrix = (unit, 0.0, 0.0, unit, origin[0], origin[1])
        self.stack = []
        self.tint = None
        self.box = None

    def push(self, x=0.0, y=0.0, scale=1.0, turn=0.0, flip=False):
        """Move the origin to (x, y), scale, turn (degrees, clockwise) and mirror what follows."""
        a, b, c, d, e, f = self.matrix
        self.stack.append(self.matrix)
        r = math.radians(turn)
        sx = -scale if flip else scale
        m0, m1 = math.cos(r) * sx, math.sin(r) * sx
        m2, m3 = -math.sin(r) * scale, math.cos(r) * scale
        self.matrix = (a * m0 + c * m1, b * m0 + d * m1, a * m2 + c * m3, b * m2 + d * m3,
                       a * x + c * y + e, b * x + d * y + f)

    def pop(self):
        self.matrix = self.stack.pop()

    def at(self, p):
        """Where a point of ours lies in the image, in pixels."""
        a, b, c, d, e, f = self.matrix
        return (a * p[0] + c * p[1] + e, b * p[0] + d * p[1] + f)

    def unit(self):
        a, b, _, _, _, _ = self.matrix
        return math.hypot(a, b)

    def begin_box(self):
        self.box = [1e9, 1e9, -1e9, -1e9]

    def end_box(self):
        """The pixel box (left, top, right, bottom) of all that was drawn since begin_box."""
        box, self.box = self.box, None
        return box

    def color(self, c, alpha=1.0):
        if self.tint:
            c = self.tint(c)
        rgb = tuple(min(255, max(0, int(v + 0.5))) for v in c)
        return rgb if alpha >= 1 else rgb + (min(255, max(0, int(alpha * 255 + 0.5))),)

    def _track(self, pts):
        if self.box is not None:
            xs = [p[0] for p in pts]
            ys = [p[1] for p in pts]
            b = self.box
            self.box = [min(b[0], min(xs)), min(b[1], min(ys)),
                        max(b[2], max(xs)), max(b[3], max(ys))]

    def poly(self, points, fill, alpha=1.0):
        pts = [self.at(p) for p in points]
        self._track(pts)
        self.draw.polygon(pts, fill=self.color(fill, alpha))

    def rect(self, x0, y0, x1, y1, fill, alpha=1.0):
        self.poly([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], fill, alpha)

    def blob(self, points, fill, alpha=1.0, steps=6):
        self.poly(spline(points, True, steps), fill, alpha)

    def ellipse(self, cx, cy, rx, ry, fill, alpha=1.0, turn=0.0):
        n = max(10, min(64, int(6 * math.sqrt(max(rx, ry) * self.unit()))))
        r = math.radians(turn)
        co, si = math.cos(r), math.sin(r)
        pts = []
        for i in range(n):
            t = 2 * math.pi * i / n
            x, y = rx * math.cos(t), ry * math.sin(t)
            pts.append((cx + x * co - y * si, cy + x * si + y * co))
        self.poly(pts, fill, alpha)

    def line(self, points, width, fill, alpha=1.0):
        """A polyline with round joints; width in units."""
        pts = [self.at(p) for p in points]
        w = max(1.0, width * self.unit())
        self._track(pts)
        col = self.color(fill, alpha)
        self.draw.line(pts, fill=col, width=int(w + 0.5), joint="curve")
        if w >= 3 and alpha >= 1:
            h = w / 2 - 0.5
            for x, y in (pts[0], pts[-1]):
                self.draw.ellipse((x - h, y - h, x + h, y + h), fill=col)

    def curve(self, points, width, fill, alpha=1.0, steps=6):
        self.line(spline(points, False, steps), width, fill, alpha)

    def glow(self, cx, cy, radius, fill, strength):
        """A soft round light; not tracked, not clipped by shapes."""
        x, y = self.at((cx, cy))
        r = max(2, int(radius * self.unit()))
        mask = _glow_mask(strength).resize((2 * r, 2 * r), Image.BICUBIC)
        self.image.paste(self.color(fill), (int(x) - r, int(y) - r), mask)


_glows = {}


def _glow_mask(strength):
    if strength not in _glows:
        n = 64
        mask = Image.new("L", (n, n))
        mask.putdata([int(255 * strength * max(0.0, 1 - math.hypot(i % n - 31.5, i // n - 31.5) / 30.5) ** 2)
                      for i in range(n * n)])
        _glows[strength] = mask
    return _glows[strength]


def gradient(image, box, stops):
    """Fill a pixel box of the image with a vertical run of colours [(0..1, colour), ...]."""
    x0, y0, x1, y1 = (int(v) for v in box)
    if y1 <= y0 or x1 <= x0:
        return
    n = y1 - y0
    column = Image.new("RGB", (1, n))
    data = []
    for i in range(n):
        t = i / max(1, n - 1)
        for k in range(len(stops) - 1):
            if t <= stops[k + 1][0] or k == len(stops) - 2:
                span = stops[k + 1][0] - stops[k][0]
                u = min(1, max(0, (t - stops[k][0]) / span)) if span > 0 else 1
                data.append(tuple(int(v + 0.5) for v in mix(stops[k][1], stops[k + 1][1], u)))
                break
    column.putdata(data)
    image.paste(column.resize((x1 - x0, n), Image.NEAREST), (x0, y0))
