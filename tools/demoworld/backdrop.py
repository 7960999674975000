"""Places, light and weather: everything behind the things.

SPDX-License-Identifier: Apache-2.0
"""

from PIL import Image

from .pen import gradient, mix, shade, spline

PLACES = ("beach", "forest", "city", "mountains", "snow", "desert", "night sky", "lake", "meadow")
# Where the ground meets the sky, as a share of the central square, and how far down water reaches.
HORIZON = {"beach": 0.44, "forest": 0.5, "city": 0.56, "mountains": 0.56, "snow": 0.5, "desert": 0.52,
           "night sky": 0.76, "lake": 0.44, "meadow": 0.5}
SHORE = {"beach": 0.68, "lake": 0.8}

SKY = {
    "sunny": ((66, 140, 224), (180, 220, 246)), "cloudy": ((150, 162, 176), (206, 212, 218)),
    "rain": ((92, 102, 118), (150, 158, 170)), "fog": ((200, 206, 210), (214, 218, 220)),
    "snowfall": ((164, 174, 190), (216, 222, 232)),
}
SUNSET = ((70, 60, 130), (214, 104, 104), (252, 184, 92))
NIGHT = ((10, 14, 44), (32, 42, 92))
GROUND = {
    "beach": ((232, 206, 152), (214, 182, 124)), "forest": ((86, 112, 56), (62, 88, 42)),
    "city": ((126, 128, 134), (92, 94, 102)), "mountains": ((112, 138, 84), (84, 112, 62)),
    "snow": ((244, 248, 252), (218, 228, 240)), "desert": ((226, 172, 100), (204, 142, 76)),
    "night sky": ((44, 52, 70), (28, 34, 50)), "lake": ((116, 146, 82), (88, 118, 62)),
    "meadow": ((140, 184, 84), (100, 150, 58)),
}
WATER = {"beach": ((38, 122, 176), (92, 188, 208)), "lake": ((58, 106, 160), (98, 150, 190))}


def tint_for(light, weather, depth):
    """How light and weather colour a surface; depth 0 is near, 1 the horizon. Things use depth 0."""
    def day(c):
        return c
    f = 0.0
    haze = (206, 211, 214)
    if weather == "fog":
        f = 0.16 + 0.55 * depth
    elif weather == "rain":
        f, haze = 0.08 + 0.25 * depth, (128, 136, 148)
    elif weather == "snowfall":
        f, haze = 0.05 + 0.25 * depth, (214, 220, 230)
    elif weather == "cloudy":
        f, haze = 0.04 + 0.12 * depth, (160, 168, 176)
    if light == "sunset":
        k = (1.0, 0.84, 0.76) if depth == 0 else (0.98, 0.72, 0.64)
        add = (14, 2, 0)
    elif light == "night":
        k = (0.76, 0.77, 0.88) if depth == 0 else (0.34, 0.37, 0.52)
        add = (14, 15, 26) if depth == 0 else (4, 6, 14)
        haze = tuple(v * 0.36 for v in haze)
    elif f:
        k, add = (1, 1, 1), (0, 0, 0)
    else:
        return day

    def apply(c):
        return tuple((c[i] * k[i] + add[i]) * (1 - f) + haze[i] * f for i in range(3))
    return apply


def _cloud(p, x, y, s, col, alpha):
    for dx, dy, q in ((-0.1, 0.0, 0.06), (-0.03, -0.03, 0.075), (0.06, -0.02, 0.065), (0.13, 0.01, 0.045)):
        p.ellipse(x + dx * s, y + dy * s, q * s * 1.4, q * s, col, alpha)
    p.ellipse(x + 0.01 * s, y + 0.02 * s, 0.2 * s, 0.036 * s, col, alpha)


def sky(p, plan, rng, left, right, top, hor):
    """Sky gradient, sun or moon, stars, clouds, in the pen's units; hor is the horizon."""
    light, weather = plan["light"], plan["weather"]
    w, h = p.image.size
    y = p.at((0, hor))[1]
    if light == "night":
        a, b = NIGHT
        if weather != "clear":
            a, b = mix(a, (40, 44, 58), 0.5), mix(b, (62, 68, 86), 0.5)
        gradient(p.image, (0, 0, w, y + 1), ((0, a), (1, b)))
    elif light == "sunset":
        a, b, c = SUNSET
        if weather != "clear":
            a, b, c = mix(a, (110, 100, 120), 0.4), mix(b, (150, 110, 120), 0.4), mix(c, (200, 160, 130), 0.3)
        gradient(p.image, (0, 0, w, y + 1), ((0, a), (0.55, b), (1, c)))
    else:
        a, b = SKY[weather]
        j = rng.uniform(-8, 8)
        gradient(p.image, (0, 0, w, y + 1), ((0, tuple(v + j for v in a)), (1, b)))
    span = right - left
    if light == "night":
        if weather == "clear":
            n = 150 if plan["place"] == "night sky" else 70
            for _ in range(n):
                sx, sy, q = left + span * rng.random(), top + (hor - top) * rng.random(), rng.random()
                p.ellipse(sx, sy, 0.0016 + 0.0024 * q * q, 0.0016 + 0.0024 * q * q, (255, 250, 230), 0.55 + 0.45 * q)
            if plan["place"] == "night sky":
                x0, x1 = rng.uniform(0, 0.4), rng.uniform(0.6, 1)
                for i in range(26):
                    t = i / 25
                    p.ellipse(x0 + (x1 - x0) * t + rng.uniform(-.03, .03), top + (hor - top) * t, 0.1, 0.05,
                              (170, 170, 230), 0.05, turn=50)
            mx, my = rng.uniform(0.12, 0.88), rng.uniform(0.06, 0.16)
            p.glow(mx, my, 0.2, (190, 196, 230), 0.5)
            p.ellipse(mx, my, 0.05, 0.05, (246, 242, 222))
            if rng.random() < 0.6:
                p.ellipse(mx + 0.022, my - 0.012, 0.045, 0.045, mix(NIGHT[0], NIGHT[1], 0.3))
    elif light == "sunset" and weather == "clear":
        sx = rng.uniform(0.15, 0.85)
        sy = hor - rng.uniform(0.03, 0.1)
        p.glow(sx, sy, 0.42, (255, 214, 120), 0.8)
        p.ellipse(sx, sy, 0.065, 0.065, (255, 232, 160))
    elif light == "day" and weather == "sunny":
        sx, sy = rng.uniform(0.08, 0.92), rng.uniform(0.06, 0.14)
        p.glow(sx, sy, 0.25, (255, 250, 210), 0.85)
        p.ellipse(sx, sy, 0.055, 0.055, (255, 246, 180))
    n = {"cloudy": 9, "rain": 8, "snowfall": 4, "fog": 0}.get(weather, rng.choice((0, 1, 2, 3)))
    if light == "night" and weather == "clear":
        n = 0
    for _ in range(n):
        cx, cy = left + span * rng.random(), top + (hor - top) * rng.uniform(0.05, 0.75)
        s = rng.uniform(0.7, 1.5) * (1.25 if weather in ("cloudy", "rain") else 0.8)
        col = (255, 255, 255)
        if weather == "cloudy":
            col = (228, 231, 235) if rng.random() < 0.6 else (178, 186, 196)
        elif weather == "rain":
            col = (112, 120, 132) if rng.random() < 0.6 else (84, 92, 106)
        elif weather == "snowfall":
            col = (190, 198, 210)
        if light == "sunset":
            col = mix(col, (228, 120, 120), 0.55)
        elif light == "night":
            col = shade(mix(col, (60, 66, 100), 0.6), 0.6)
        _cloud(p, cx, cy, s, col, 0.8)


def _ridge(p, rng, left, right, base, height, step, col, snow=None):
    x = left - 0.1
    while x < right + 0.1:
        w, h = step * rng.uniform(0.8, 1.4), height * rng.uniform(0.65, 1.0)
        top = (x + w * rng.uniform(0.45, 0.55), base - h)
        p.poly([(x - w * 0.3, base), top, (x + w * 1.3, base)], col)
        p.poly([top, (x + w * 1.3, base), (top[0] + w * 0.1, base)], shade(col, 0.84))
        if snow:
            p.poly([top, (top[0] - w * 0.235, top[1] + h * 0.3), (top[0] - w * 0.08, top[1] + h * 0.24),
                    (top[0] + 0.01, top[1] + h * 0.34), (top[0] + w * 0.12, top[1] + h * 0.24),
                    (top[0] + w * 0.235, top[1] + h * 0.3)], snow)
        x += w * 0.85


def _pine(p, x, base, h, col):
    p.rect(x - h * 0.03, base - h * 0.16, x + h * 0.03, base, (74, 54, 38))
    for k in range(3):
        w, y = h * (0.24 - 0.05 * k), base - h * (0.12 + 0.25 * k)
        p.poly([(x - w, y), (x + w, y), (x, y - h * 0.42)], shade(col, 0.85 + 0.12 * k))


def _city(p, plan, rng, left, right, hor):
    night = plan["light"] == "night"
    for layer in (0, 1):
        x = left - 0.05
        while x < right:
            w, h = rng.uniform(0.09, 0.17), rng.uniform(0.16, 0.42) * (1.05 - 0.25 * layer)
            base = (146, 150, 162) if layer == 0 else rng.choice(
                ((120, 124, 138), (150, 130, 118), (106, 112, 124), (164, 152, 138)))
            p.rect(x, hor - h, x + w, hor + 0.01, base)
            p.rect(x + w * 0.86, hor - h, x + w, hor + 0.01, shade(base, 0.82))
            cols, rows = 3, max(2, int(h / 0.055))
            keep = p.tint
            for i in range(cols):
                for j in range(rows):
                    lit = rng.random() < (0.6 if night else 0.0)
                    wx, wy = x + w * (0.12 + 0.25 * i), hor - h + 0.022 + j * 0.052
                    if wy > hor - 0.03:
                        continue
                    p.tint = None if lit else keep
                    p.rect(wx, wy, wx + w * 0.15, wy + 0.026, (255, 222, 130) if lit else (196, 212, 226))
            p.tint = keep
            x += w * (1.02 + 0.4 * rng.random() * (layer == 0))


def ground(p, plan, rng, left, right, bottom, hor):
    """The place from the horizon down, with its landmarks."""
    place, light, weather = plan["place"], plan["light"], plan["weather"]
    far, near = tint_for(light, weather, 0.9), tint_for(light, weather, 0.12)
    if light == "night":
        near = tint_for(light, weather, 0.3)
    p.tint = far
    if place == "mountains":
        _ridge(p, rng, left, right, hor + 0.01, 0.42, 0.34, (130, 142, 166), (246, 248, 252))
        _ridge(p, rng, left, right, hor + 0.01, 0.24, 0.28, (92, 112, 116), (240, 244, 250))
    elif place == "city":
        _city(p, plan, rng, left, right, hor)
    elif place == "snow":
        _ridge(p, rng, left, right, hor + 0.01, 0.12, 0.4, (206, 216, 230))
    elif place == "desert":
        x = left
        while x < right:
            w, h = rng.uniform(0.14, 0.26), rng.uniform(0.08, 0.2)
            if rng.random() < 0.55:
                p.poly([(x, hor + 0.01), (x + w * 0.16, hor - h), (x + w * 0.84, hor - h), (x + w, hor + 0.01)], (178, 96, 60))
                p.poly([(x + w * 0.6, hor - h), (x + w * 0.84, hor - h), (x + w, hor + 0.01), (x + w * 0.7, hor + 0.01)],
                       (150, 78, 50))
            x += w * 1.3
    elif place == "lake":
        _ridge(p, rng, left, right, hor + 0.01, 0.15, 0.4, (88, 124, 96))
    elif place == "meadow":
        for _ in range(5):
            x = rng.uniform(left, right)
            p.ellipse(x, hor + 0.05, rng.uniform(0.25, 0.5), rng.uniform(0.08, 0.14), (122, 164, 88))
    elif place == "night sky":
        _ridge(p, rng, left, right, hor + 0.01, 0.08, 0.4, (60, 66, 84))
    w, h = p.image.size
    y = p.at((0, hor))[1]
    a, b = GROUND[place]
    j = rng.uniform(0.95, 1.05)
    gradient(p.image, (0, y, w, h), ((0, tuple(min(255, max(0, v * j)) for v in near(shade(a, 0.97)))), (1, near(b))))
    p.tint = near
    if place in WATER:
        deep, shallow = WATER[place]
        if light == "sunset":
            deep, shallow = mix(deep, (200, 110, 100), 0.45), mix(shallow, (246, 170, 110), 0.5)
        shore = SHORE[place]
        y2 = p.at((0, shore))[1]
        gradient(p.image, (0, y, w, y2), ((0, near(deep)), (1, near(shallow))))
        n = 9
        wave = [(left + (right - left) * i / n, shore + rng.uniform(-0.018, 0.018)) for i in range(n + 1)]
        p.poly(spline(wave, False, 5) + [(right, shore + 0.1), (left, shore + 0.1)], GROUND[place][0])
        if place == "beach":
            p.curve(wave, 0.012, (250, 252, 252), 0.9)
        for _ in range(14):
            x, q = rng.uniform(left, right), rng.uniform(hor + 0.02, shore - 0.03)
            p.line([(x, q), (x + 0.03 + (q - hor) * 0.2, q)], 0.005, (240, 250, 255), 0.5)
    if place == "forest":
        p.tint = tint_for(light, weather, 0.55)
        p.rect(left, hor - 0.05, right, hor + 0.02, (40, 78, 50))
        x = left
        while x < right:
            _pine(p, x, hor + 0.03, rng.uniform(0.32, 0.5), (46, 92, 58))
            x += rng.uniform(0.06, 0.11)
        p.tint = tint_for(light, weather, 0.25 if light != "night" else 0.4)
        for _ in range(6):
            x = rng.choice((rng.uniform(left, left + 0.2), rng.uniform(right - 0.2, right), rng.uniform(left, right)))
            _pine(p, x, hor + 0.08, rng.uniform(0.45, 0.62), (38, 84, 46))
        p.tint = near
    elif place == "city":
        r0 = hor + 0.16
        p.rect(left, r0, right, bottom, (74, 76, 84))
        p.rect(left, r0 - 0.02, right, r0, (176, 178, 182))
        x = left
        while x < right:
            p.rect(x, r0 + 0.17, x + 0.09, r0 + 0.185, (232, 228, 200))
            x += 0.17
    elif place == "meadow":
        for _ in range(46):
            x, q = rng.uniform(left, right), rng.uniform(hor + 0.06, bottom)
            s = 0.006 + 0.01 * (q - hor)
            p.ellipse(x, q, s, s, rng.choice(((250, 246, 230), (244, 214, 90), (230, 150, 190))))
    elif place == "desert":
        for k in range(3):
            q = hor + 0.08 + 0.14 * k
            p.curve([(left, q), (left + 0.4, q - 0.04), (left + 0.8, q + 0.03), (right, q - 0.02)], 0.012, (196, 136, 76), 0.7)
        for _ in range(2):
            x = rng.choice((rng.uniform(left, 0.1), rng.uniform(0.9, right)))
            s = rng.uniform(0.14, 0.2)
            base = hor + rng.uniform(0.05, 0.12)
            col = (70, 122, 70)
            p.line([(x, base), (x, base - s)], s * 0.22, col)
            p.curve([(x, base - s * 0.4), (x + s * 0.36, base - s * 0.44), (x + s * 0.38, base - s * 0.8)], s * 0.15, col)
            p.curve([(x, base - s * 0.3), (x - s * 0.34, base - s * 0.34), (x - s * 0.36, base - s * 0.62)], s * 0.15, col)
    elif place == "snow":
        for _ in range(5):
            x = rng.choice((rng.uniform(left, 0.15), rng.uniform(0.85, right), rng.uniform(left, right)))
            q = hor + rng.uniform(0.0, 0.06)
            s = rng.uniform(0.14, 0.26)
            _pine(p, x, q, s, (96, 128, 122))
            p.poly([(x - s * 0.08, q - s * 0.86), (x + s * 0.08, q - s * 0.86), (x, q - s * 1.04)], (250, 252, 255))
        for k in range(3):
            q = hor + 0.1 + 0.13 * k
            p.curve([(left, q), (0.3, q + 0.03), (0.7, q - 0.02), (right, q + 0.02)], 0.02, (204, 218, 236), 0.6)
    elif place == "beach":
        for _ in range(5):
            x, q = rng.uniform(left, right), rng.uniform(0.8, bottom)
            p.ellipse(x, q, 0.012, 0.008, (246, 226, 206))
    elif place == "mountains":
        for _ in range(7):
            x, q = rng.uniform(left, right), hor + rng.uniform(0.02, 0.1)
            _pine(p, x, q, rng.uniform(0.08, 0.14), (56, 98, 66))
    p.tint = None


def weather_over(p, plan, rng, left, right, top, bottom):
    """Rain, snow and fog in front of everything."""
    weather = plan["weather"]
    dim = 0.75 if plan["light"] == "night" else 1.0
    if weather == "rain":
        for _ in range(110):
            x, y, n = rng.uniform(left, right), rng.uniform(top, bottom), rng.uniform(0.04, 0.075)
            p.line([(x, y), (x - n * 0.3, y + n)], 0.0045, shade((214, 226, 240), dim), 0.6)
    elif weather == "snowfall":
        for _ in range(120):
            x, y, s = rng.uniform(left, right), rng.uniform(top, bottom), rng.uniform(0.005, 0.011)
            p.ellipse(x, y, s, s, shade((252, 253, 255), dim + 0.1 * (dim < 1)), 0.92)
    elif weather == "fog":
        w, h = p.image.size
        veil = Image.new("RGB", (w, h), tuple(int(v * dim) for v in (208, 213, 216)))
        mask = Image.new("L", (1, 8))
        mask.putdata([int(255 * v) for v in (0.05, 0.1, 0.22, 0.4, 0.45, 0.3, 0.16, 0.08)])
        p.image.paste(veil, (0, 0), mask.resize((w, h), Image.BICUBIC))
