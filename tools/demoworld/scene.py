"""A scene: planned from a seed alone, then drawn at any size.

All that matters lies in the central square of the picture, in units of its side.

SPDX-License-Identifier: Apache-2.0
"""

import random

from PIL import Image, ImageFilter

from . import backdrop, face, words
from .pen import Pen
from .things import COLORS, HELD_OUT, KINDS, PAINT, vary

ASPECTS = {"landscape": (4, 3), "portrait": (3, 4), "square": (1, 1)}
WEATHERS = {
    "day": (("sunny", 40), ("cloudy", 22), ("rain", 14), ("fog", 12), ("snowfall", 12)),
    "sunset": (("clear", 70), ("cloudy", 30)),
    "night": (("clear", 62), ("rain", 20), ("snowfall", 18)),
}
# Held-out pairs are drawn more often than chance would, so that a few hundred scenes test each.
RARE_SHARE = 0.15
NO_SNOWFALL = ("beach", "desert")


def _weighted(rng, pairs):
    u = rng.random() * sum(w for _, w in pairs)
    for value, w in pairs:
        u -= w
        if u < 0:
            return value
    return pairs[-1][0]


def _person(rng, number, close, taken):
    """Somebody as they look in this scene; nobody else in it wears the same colour."""
    pose = face.random_pose(rng)
    shirt = rng.choice([c for c in PAINT if c not in taken])
    taken.append(shirt)
    one = {"identity": number, "shirt": shirt, "hat": None, "glasses": False, "beard": False,
           "smiling": False, "pose": pose}
    pose["shirt"] = vary(rng, one["shirt"])
    pose["trousers"] = rng.choice(((52, 60, 92), (66, 62, 58), (110, 98, 80), (44, 46, 52)))
    pose["swing"] = rng.uniform(-1, 1)
    if rng.random() < 0.32:
        one["hat"] = rng.choice([c for c in PAINT if c != one["shirt"]])
        pose["hat"] = (rng.choice(("cap", "beanie", "brim")), vary(rng, one["hat"]))
    if close:
        if rng.random() < 0.34:
            one["glasses"] = True
            pose["glasses"] = rng.choice(((26, 26, 30), (120, 40, 40), (40, 60, 120), (90, 62, 40)))
        if rng.random() < 0.28:
            one["beard"] = True
            pose["beard"] = "full" if rng.random() < 0.8 else "moustache"
            if pose["beard"] == "moustache":
                one["beard"] = False
        one["smiling"] = pose["smile"]
    else:
        pose["yaw"] *= 0.6
        pose["roll"] *= 0.4
    return one


def make_plan(seed, index, held_out=True, cast=None, wish=None):
    """Decide everything about scene `index` of the world `seed`.

    held_out: may the held-out colour-thing pairs appear. cast: identities to choose people from.
    wish: a dict of decisions taken beforehand (view, place, light, weather, identities, aspect).
    """
    rng = random.Random(f"demo-world/scene/{seed}/{index}")
    wish = wish or {}
    cast = cast or range(face.GALLERY)
    place = wish.get("place") or rng.choice(backdrop.PLACES)
    light = wish.get("light") or _weighted(rng, (("day", 52), ("sunset", 22), ("night", 26)))
    if place == "night sky":
        light = "night"
    elif place in wish.get("never", ()):
        place = "meadow"
    weather = wish.get("weather") or _weighted(rng, WEATHERS[light])
    if place == "night sky":
        weather = "clear"
    if weather == "snowfall" and place in NO_SNOWFALL:
        weather = "cloudy" if light == "day" else "clear"
    view = wish.get("view") or _weighted(rng, (("things", 58), ("figures", 15), ("portrait", 17), ("group", 10)))
    scene = {"seed": seed, "index": index, "place": place, "light": light, "weather": weather, "view": view,
             "aspect": wish.get("aspect") or _weighted(rng, (("landscape", 60), ("portrait", 25), ("square", 15))),
             "things": [], "people": []}

    def kinds(where):
        out = [k for k, v in KINDS.items() if v[4] in where and k not in {g["kind"] for g in scene["things"]}]
        if place == "forest":
            out = [k for k in out if k != "tree"]
        if place in ("snow", "night sky"):
            out = [k for k in out if k != "umbrella"]
        return out

    def add(where, most):
        kind = rng.choice(kinds(where))
        colors = [c for c in KINDS[kind][5] if held_out or (c, kind) not in HELD_OUT]
        color = rng.choice(colors)
        rare = [c for c, k in HELD_OUT if k == kind]
        if rng.random() < RARE_SHARE and rare and held_out:
            color = rare[0]
        count = _weighted(rng, ((1, 55), (2, 27), (3, 18)))
        scene["things"].append({"kind": kind, "color": color, "count": min(count, most)})

    def low():
        if place in backdrop.WATER and rng.random() < 0.6:
            return ("water",)
        return ("ground",)

    shirts = []
    if view == "things":
        n = _weighted(rng, ((1, 24), (2, 46), (3, 30)))
        skies = 1 if rng.random() < (0.62 if n > 1 else 0.35) else 0
        for i in range(n - skies):
            used = {KINDS[g["kind"]][4] for g in scene["things"]}
            add(low() if "water" not in used else ("ground",), 3 if n - skies < 3 else 1)
        if skies:
            add(("sky",), 3)
    elif view == "figures":
        ids = wish.get("identities") or rng.sample(list(cast), _weighted(rng, ((1, 60), (2, 28), (3, 12))))
        scene["people"] = [_person(rng, i, False, shirts) for i in ids]
        if rng.random() < 0.6:
            add(low(), 1 if len(ids) > 1 else 2)
        if rng.random() < 0.35:
            add(("sky",), 2)
    else:
        ids = wish.get("identities")
        if not ids:
            ids = rng.sample(list(cast), 1 if view == "portrait" else _weighted(rng, ((2, 62), (3, 38))))
        scene["people"] = [_person(rng, i, True, shirts) for i in ids]
        if view == "portrait" and rng.random() < 0.5:
            add(("sky",) if rng.random() < 0.4 else low(), 1)
    _lay_out(scene, rng)
    return scene


def _lay_out(scene, rng):
    """Give every item its place: (x, y of its foot, scale, turn, mirrored)."""
    place, view = scene["place"], scene["view"]
    hor = backdrop.HORIZON[place]
    low = [g for g in scene["things"] if KINDS[g["kind"]][4] != "sky"]
    high = [g for g in scene["things"] if KINDS[g["kind"]][4] == "sky"]
    cells = [("thing", g) for g in low]
    scene["slots"] = []
    close = view in ("portrait", "group")
    if view == "figures":
        cells.append(("people", scene["people"]))
    rng.shuffle(cells)
    heavy = [1 + 0.35 * ((c[1]["count"] if c[0] == "thing" else len(c[1])) - 1) for c in cells]
    head_x = 0.5
    if view == "portrait":
        head_x = rng.uniform(0.44, 0.56)
        if low:
            head_x = rng.choice((0.3, 0.7)) + rng.uniform(-0.02, 0.02)
    x = 0.03
    for (sort, group), weight in zip(cells, heavy):
        w = 0.94 * weight / sum(heavy)
        x0, x1 = x, x + w
        x = x1
        if close:
            x0, x1 = (0.56, 0.99) if head_x < 0.5 else (0.01, 0.44)
        if sort == "people":
            _place_people(scene, group, x0, x1, rng)
        else:
            _place_things(scene, group, x0, x1, hor, rng)
    for g in high:
        kind = g["kind"]
        n, size = g["count"], KINDS[kind][3] * (1.0, 0.86, 0.74)[g["count"] - 1] * rng.uniform(0.92, 1.1)
        h = size * KINDS[kind][2]
        x0, x1 = 0.06, 0.94
        if view == "figures":
            size *= 0.85
            h *= 0.85
        if close:
            size *= 0.9
            x0, x1 = (0.66, 0.96) if head_x < 0.52 else (0.04, 0.34)
        step = (x1 - x0) / n
        for i in range(n):
            cx = x0 + step * (i + 0.5) + rng.uniform(-0.5, 0.5) * max(0, step - size * KINDS[kind][1])
            room = max(0.02, hor - 0.02 - h)
            y = 0.03 + h + rng.random() * min(room, {"things": 0.2, "figures": 0.02}.get(view, 0.08))
            scene["slots"].append(("thing", g, (cx, y, size, rng.uniform(-10, 10), rng.random() < 0.5)))
    if view == "portrait":
        s = rng.uniform(0.5, 0.58) if not scene["things"] else rng.uniform(0.44, 0.5)
        y = rng.uniform(0.48, 0.52)
        scene["slots"].append(("head", scene["people"][0], (head_x, y, s, 0, False)))
    elif view == "group":
        n = len(scene["people"])
        s = (rng.uniform(0.36, 0.4) if n == 2 else rng.uniform(0.28, 0.31))
        xs = [0.27, 0.73] if n == 2 else [0.19, 0.5, 0.81]
        spots = []
        for i, person in enumerate(scene["people"]):
            y = 0.5 + rng.uniform(-0.05, 0.05) - (0.04 if n == 3 and i == 1 else 0)
            spots.append(("head", person, (xs[i] + rng.uniform(-0.02, 0.02), y, s * rng.uniform(0.96, 1.04), 0, False)))
        spots.sort(key=lambda q: q[2][1])
        scene["slots"] += spots
    order = {"thing": 0, "figure": 0, "head": 2}
    sky = {k for k in KINDS if KINDS[k][4] == "sky"}
    scene["slots"].sort(key=lambda q: (order[q[0]] + (-1 if q[0] == "thing" and q[1]["kind"] in sky else 0), q[2][1]))
    _relate(scene)


def _place_things(scene, g, x0, x1, hor, rng):
    kind, n = g["kind"], g["count"]
    wide = x1 - x0
    size = KINDS[kind][3] * (1.0, 0.84, 0.72)[n - 1] * rng.uniform(0.94, 1.12)
    item = size * KINDS[kind][1]
    most = wide * 1.02 if n == 1 else wide * (0.6 if n == 2 else 0.5)
    if item > most:
        size *= most / item
        item = most
    front = 0.95 if scene["place"] != "night sky" else 0.97
    if KINDS[kind][4] == "water":
        shore = backdrop.SHORE[scene["place"]]
        top, bottom = hor + 0.1, shore - 0.03
    else:
        top = max(hor + 0.12, backdrop.SHORE.get(scene["place"], 0) + 0.08)
        bottom = front
        if KINDS[kind][3] < 0.31:
            top = max(top, 0.78)
        top = min(top, bottom - 0.1)
    rows = [rng.uniform(top, bottom) for _ in range(n)]
    if n > 1:
        # Neighbours stand at different depths so that they may overlap a little.
        gap = (bottom - top)
        rows = [top + gap * ((i % 2) * 0.75 + 0.2 * rng.random()) for i in range(n)]
        if rng.random() < 0.5:
            rows = [top + bottom - y for y in rows]
    step = (wide - item) / max(1, n - 1) if n > 1 else 0
    start = x0 + item / 2
    if n == 1:
        start = x0 + wide / 2 + rng.uniform(-0.5, 0.5) * max(0, wide - item)
    flip = rng.random() < 0.5
    for i in range(n):
        cx = start + step * i
        scene["slots"].append(("thing", g, (cx, rows[i], size, rng.uniform(-2, 2), flip)))


def _place_people(scene, people, x0, x1, rng):
    n = len(people)
    tall = rng.uniform(0.5, 0.58) * (1, 0.95, 0.9)[n - 1]
    step = (x1 - x0) / n
    tall = min(tall, step / 0.34 * 1.05)
    for i, person in enumerate(people):
        cx = x0 + step * (i + 0.5)
        scene["slots"].append(("figure", person, (cx, rng.uniform(0.9, 0.965), tall * rng.uniform(0.96, 1.03), 0, False)))


def _relate(scene):
    """Name how the first group lies to the second, when that is plain to see."""
    if len(scene["things"]) < 2:
        return
    mid = {}
    for g in scene["things"]:
        spots = [q[2] for q in scene["slots"] if q[1] is g]
        mid[g["kind"]] = (min(s[0] for s in spots), max(s[0] for s in spots), KINDS[g["kind"]][4] == "sky")
    low = [g["kind"] for g in scene["things"] if not mid[g["kind"]][2]]
    high = [g["kind"] for g in scene["things"] if mid[g["kind"]][2]]
    if len(low) >= 2:
        a, b = low[0], low[1]
        if mid[a][1] < mid[b][0]:
            rel = "left"
        elif mid[b][1] < mid[a][0]:
            rel = "right"
        else:
            rel = "next"
    elif high and low:
        a, b, rel = high[0], low[0], "above"
    else:
        return
    next(g for g in scene["things"] if g["kind"] == a)["relation"] = (rel, b)


def render(scene, long_side, supersample=2):
    """Draw the scene with this many pixels on its long side.

    Returns (image, truth): truth has a pixel box per thing and box and points per person.
    """
    aw, ah = ASPECTS[scene["aspect"]]
    m = max(aw, ah)
    w, h = round(long_side * aw / m), round(long_side * ah / m)
    ss = supersample
    image = Image.new("RGB", (w * ss, h * ss))
    side = min(w, h) * ss
    ox, oy = (w * ss - side) / 2, (h * ss - side) / 2
    p = Pen(image, side, (ox, oy))
    left, right = -ox / side - 0.02, 1 + ox / side + 0.02
    top, bottom = -oy / side - 0.02, 1 + oy / side + 0.02
    rng = random.Random(f"demo-world/paint/{scene['seed']}/{scene['index']}")
    hor = backdrop.HORIZON[scene["place"]]
    backdrop.sky(p, scene, rng, left, right, top, hor)
    backdrop.ground(p, scene, rng, left, right, bottom, hor)
    close = scene["view"] in ("portrait", "group")
    tint = backdrop.tint_for(scene["light"], scene["weather"], 0)
    boxes, people = {}, {}
    blurred = False
    for sort, what, (x, y, size, turn, flip) in scene["slots"]:
        draws = random.Random(f"demo-world/item/{scene['seed']}/{scene['index']}/{x:.6f}")
        p.tint = None
        if sort == "head" and not blurred:
            image.paste(image.filter(ImageFilter.GaussianBlur(side * 0.004)))
            blurred = True
        if sort == "thing":
            kind = what["kind"]
            if KINDS[kind][4] == "ground":
                p.ellipse(x, y, size * KINDS[kind][1] * 0.5, size * 0.05, (20, 20, 30), 0.28)
            elif KINDS[kind][4] == "water":
                p.ellipse(x, y + size * 0.04, size * 0.42, size * 0.035, (240, 250, 255), 0.35)
            p.tint = tint
            p.push(x, y, size, turn, flip)
            p.begin_box()
            KINDS[kind][0](p, vary(draws, what["color"]), draws)
            boxes.setdefault(kind, []).append(p.end_box())
            p.pop()
        else:
            who = face.identity(what["identity"])
            if sort == "figure":
                p.ellipse(x, y, size * 0.17, size * 0.022, (20, 20, 30), 0.3)
            p.tint = tint
            p.push(x, y, size)
            draw = face.draw_figure if sort == "figure" else face.draw_head
            people[id(what)] = draw(p, who, what["pose"])
            p.pop()
        p.tint = None
    backdrop.weather_over(p, scene, rng, left, right, top, bottom)
    if ss > 1:
        image = image.resize((w, h), Image.BOX if ss == 2 else Image.LANCZOS)
    return image, _truth(scene, boxes, people, ss, w, h, close)


def _clip(box, ss, w, h):
    x0, y0 = max(0.0, box[0] / ss), max(0.0, box[1] / ss)
    x1, y1 = min(float(w), box[2] / ss), min(float(h), box[3] / ss)
    return [round(x0, 1), round(y0, 1), round(x1 - x0, 1), round(y1 - y0, 1)]


def _truth(scene, boxes, people, ss, w, h, close):
    things = []
    for g in scene["things"]:
        each = [_clip(b, ss, w, h) for b in boxes[g["kind"]]]
        x0, y0 = min(b[0] for b in each), min(b[1] for b in each)
        x1, y1 = max(b[0] + b[2] for b in each), max(b[1] + b[3] for b in each)
        t = {"kind": g["kind"], "color": g["color"], "count": g["count"],
             "box": [x0, y0, round(x1 - x0, 1), round(y1 - y0, 1)], "boxes": each}
        if g.get("relation"):
            t["relation"] = list(g["relation"])
        things.append(t)
    out = []
    for one in scene["people"]:
        box, points = people[id(one)]
        out.append({"identity": one["identity"], "box": _clip(box, ss, w, h),
                    "points": [[round(x / ss, 1), round(y / ss, 1)] for x, y in points],
                    "shirt": one["shirt"], "hat": one["hat"], "glasses": one["glasses"], "beard": one["beard"],
                    "smiling": one["smiling"]})
    return {"caption": words.phrase(words.full_query(scene)), "width": w, "height": h, "view": scene["view"],
            "place": scene["place"], "light": scene["light"], "weather": scene["weather"], "things": things,
            "people": out}
