"""Write scenes as files with their truth: plain sets, and the demo library.

SPDX-License-Identifier: Apache-2.0
"""

import datetime
import io
import json
import os
import random
import shutil

from PIL import Image

from . import VERSION, face, queries, scene

# EXIF orientation -> how upright pixels must be stored so that a reader that obeys it shows them upright.
STORE = {1: None, 2: Image.FLIP_LEFT_RIGHT, 3: Image.ROTATE_180, 4: Image.FLIP_TOP_BOTTOM, 5: Image.TRANSPOSE,
         6: Image.ROTATE_90, 7: Image.TRANSVERSE, 8: Image.ROTATE_270}


def write_truth(path, seed, scenes, asked, **more):
    """truth.json, one scene a line, so that differences stay readable."""
    def line(x):
        return json.dumps(x, ensure_ascii=False)
    head = "".join(f'"{k}": {line(v)},\n' for k, v in more.items())
    with open(path, "w", encoding="utf-8") as f:
        f.write(f'{{"seed": {seed}, "version": {VERSION},\n{head}"scenes": [\n' + ",\n".join(map(line, scenes)) +
                '\n],\n"queries": [\n' + ",\n".join(map(line, asked)) + "\n]}\n")


def generate(directory, seed, count, size, suffix, quality, held_out, cast):
    """Scenes 0 .. count-1 of a seed as NNNNN.<suffix>, and truth.json."""
    os.makedirs(directory, exist_ok=True)
    scenes, plans = [], []
    for i in range(count):
        plan = scene.make_plan(seed, i, held_out=held_out, cast=cast)
        image, truth = scene.render(plan, size)
        name = f"{i:05d}.{suffix}"
        save(image, os.path.join(directory, name), quality, b"")
        scenes.append({"file": name, **truth})
        plans.append(plan)
    asked = queries.choose(plans, [s["file"] for s in scenes], seed)
    write_truth(os.path.join(directory, "truth.json"), seed, scenes, asked)


def save(image, path, quality, exif):
    suffix = path.rsplit(".", 1)[1]
    more = {"exif": exif} if exif else {}
    if suffix == "jpg":
        image.save(path, "JPEG", quality=quality, optimize=True, **more)
    elif suffix == "webp":
        image.save(path, "WEBP", quality=quality, method=6, **more)
    elif suffix == "png":
        image.save(path, "PNG", optimize=True, **more)
    else:
        import pillow_heif
        pillow_heif.from_pillow(image).save(path, quality=quality, **more)


def _degrees(value):
    value = abs(value)
    d = int(value)
    m = int((value - d) * 60)
    return (float(d), float(m), round((value - d - m / 60) * 3600, 2))


def exif_bytes(orientation, taken, offset, gps):
    exif = Image.Exif()
    exif[0x010F], exif[0x0110] = "Demo World", "Drawing Pen 1"
    exif[0x0112] = orientation
    exif[0x0131] = "demo_world"
    if taken:
        text = taken.strftime("%Y:%m:%d %H:%M:%S")
        exif[0x0132] = text
        sub = exif.get_ifd(0x8769)
        sub[0x9003], sub[0x9004], sub[0x9011] = text, text, offset
    if gps:
        sub = exif.get_ifd(0x8825)
        sub[1], sub[2] = "N" if gps[0] >= 0 else "S", _degrees(gps[0])
        sub[3], sub[4] = "E" if gps[1] >= 0 else "W", _degrees(gps[1])
    return exif.tobytes()


# The albums of the demo library: folder, first day, days, UTC offset, latitude, longitude, pictures, places, views.
THINGS, FIGURES, CLOSE, GROUP = "things", "figures", "portrait", "group"
ALBUMS = (
    ("2021/beach-trip", "2021-07-10", 9, "+02:00", 39.5712, 2.6466, 18, ("beach",), (THINGS, THINGS, FIGURES, CLOSE, GROUP)),
    ("2021/autumn-forest", "2021-10-16", 3, "+02:00", 48.4632, 8.4111, 13, ("forest",), (THINGS, FIGURES, CLOSE, THINGS)),
    ("2022/ski-week", "2022-02-05", 7, "+01:00", 46.8182, 9.8566, 17, ("snow", "snow", "mountains"), (THINGS, FIGURES, CLOSE, GROUP)),
    ("2022/city-weekend", "2022-05-20", 4, "+02:00", 48.8566, 2.3522, 18, ("city",), (THINGS, THINGS, FIGURES, CLOSE)),
    ("2022/at the lake", "2022-08-12", 10, "+02:00", 45.9870, 9.2572, 15, ("lake",), (THINGS, THINGS, FIGURES, GROUP)),
    ("2023/desert-tour", "2023-03-18", 6, "+01:00", 31.0995, -4.0125, 14, ("desert",), (THINGS, FIGURES, THINGS, CLOSE)),
    ("2023/night-camping", "2023-09-08", 3, "-06:00", 43.8791, -103.4591, 13, ("night sky",), (THINGS, THINGS, FIGURES, CLOSE)),
    ("2023/picnic", "2023-06-03", 1, "+01:00", 51.4479, -2.6023, 12, ("meadow",), (THINGS, GROUP, FIGURES, THINGS)),
    ("2024/mountain-hike", "2024-07-21", 5, "+02:00", 46.5763, 7.9904, 13, ("mountains",), (THINGS, FIGURES, THINGS, CLOSE)),
    ("2024/family", "2024-12-24", 6, "+01:00", 52.5200, 13.4050, 18, ("city", "snow", "forest", "lake", "meadow"), (CLOSE, GROUP, CLOSE)),
)
FAMILY = tuple(range(8))
LIBRARY_SEED = 2024


def library(directory):
    """The demo library: albums with dates, places, formats and orientations as a household has them."""
    rng = random.Random("demo-world/library")
    scenes, plans, index = [], [], 0
    turn = 0
    for folder, first, days, offset, lat, lon, n, places, views in ALBUMS:
        os.makedirs(os.path.join(directory, folder), exist_ok=True)
        moments = sorted(rng.random() for _ in range(n))
        for k in range(n):
            view = views[k % len(views)]
            wish = {"place": places[k % len(places)], "view": view}
            if view != THINGS:
                many = {FIGURES: rng.choice((1, 1, 2)), CLOSE: 1, GROUP: rng.choice((2, 2, 3))}[view]
                turn += 1
                ids = [FAMILY[turn % len(FAMILY)]]
                rest = [i for i in FAMILY if i not in ids]
                ids += rng.sample(rest, many - 1)
                if rng.random() < 0.12:
                    ids[-1] = rng.choice(range(8, 20))
                wish["identities"] = ids
            plan = scene.make_plan(LIBRARY_SEED, index, wish=wish)
            day = datetime.date.fromisoformat(first) + datetime.timedelta(days=int(moments[k] * days))
            hour = {"night": rng.choice((21, 22, 23)), "sunset": rng.choice((18, 19, 20))}.get(plan["light"], rng.randint(9, 16))
            taken = datetime.datetime(day.year, day.month, day.day, hour, rng.randrange(60), rng.randrange(60))
            gps = (round(lat + rng.uniform(-0.03, 0.03), 6), round(lon + rng.uniform(-0.03, 0.03), 6))
            suffix = ("jpg", "jpg", "jpg", "webp", "jpg", "heic", "jpg", "jpg", "png", "jpg", "webp", "jpg")[index % 12]
            size = rng.choice((1280, 1280, 1024, 1024, 960, 800, 800)) if suffix != "png" else rng.choice((480, 560))
            orientation = 1
            if suffix == "jpg":
                orientation = (1, 6, 1, 3, 8, 1, 2, 4, 5, 7)[rng.randrange(10)] if index > 24 else (1, 2, 3, 4, 5, 6, 7, 8)[index % 8]
            elif suffix == "webp":
                orientation = rng.choice((1, 1, 6))
            if suffix == "png":
                name = f"drawing_{index:03d}.png"
            elif suffix == "heic":
                name = f"IMG_{1000 + index}.HEIC"
            elif rng.random() < 0.3:
                name = taken.strftime("%Y%m%d_%H%M%S.") + suffix
            else:
                name = f"IMG_{1000 + index}.{suffix}"
            bare = suffix == "png" and index % 24 == 8
            image, truth = scene.render(plan, size)
            stored = image if STORE[orientation] is None else image.transpose(STORE[orientation])
            path = f"{folder}/{name}"
            exif = b"" if bare else exif_bytes(orientation, taken, offset, gps)
            quality = {"jpg": 66, "webp": 70, "heic": 55, "png": 0}[suffix]
            temporary = os.path.join(directory, folder, f"tmp.{suffix}")
            save(stored, temporary, quality, exif)
            os.replace(temporary, os.path.join(directory, path))
            scenes.append({"file": path, **truth, "format": suffix, "orientation": orientation,
                           "taken_at": None if bare else taken.isoformat() + offset,
                           "gps": None if bare else list(gps), "album": folder})
            plans.append(plan)
            index += 1
    _car_show(directory, scenes, plans)
    _extras(directory, scenes, plans)
    asked = queries.choose(plans, [s["file"] for s in scenes], LIBRARY_SEED, least=5, most=0.3)
    people = [{"identity": i, "files": [s["file"] for s in scenes if any(p["identity"] == i for p in s["people"])]}
              for i in sorted({p["identity"] for s in scenes for p in s["people"]})]
    scenes.append({"file": "corrupt/broken.jpg", "corrupt": True, "caption": None, "things": [], "people": []})
    scenes.sort(key=lambda s: s["file"])
    write_truth(os.path.join(directory, "truth.json"), LIBRARY_SEED, scenes, asked, people=people)


def _car_show(directory, scenes, plans):
    """Four pictures with red cars, so that the first query anybody types finds something."""
    folder, index = "2024/car-show", 10000
    os.makedirs(os.path.join(directory, folder), exist_ok=True)
    for k in range(4):
        while True:
            plan = scene.make_plan(LIBRARY_SEED, index, wish={"place": ("city", "beach", "meadow", "city")[k], "view": THINGS})
            index += 1
            if {("car", "red")} <= {(g["kind"], g["color"]) for g in plan["things"]}:
                break
        taken = datetime.datetime(2024, 9, 14, 10 + 2 * k, 7 * k)
        gps, path = (48.7758 + 0.004 * k, 9.1829), f"{folder}/IMG_{2000 + k}.webp"
        image, truth = scene.render(plan, 800)
        save(image, os.path.join(directory, path), 60, exif_bytes(1, taken, "+02:00", gps))
        scenes.append({"file": path, **truth, "format": "webp", "orientation": 1, "taken_at": taken.isoformat() + "+02:00",
                       "gps": [round(v, 6) for v in gps], "album": folder})
        plans.append(plan)


def _extras(directory, scenes, plans):
    """Exact copies in another folder, re-encoded near copies, and one file that no reader can open."""
    os.makedirs(os.path.join(directory, "backup/phone"), exist_ok=True)
    jpegs = [i for i, s in enumerate(scenes) if s["format"] == "jpg" and s["width"] <= 1024]
    for n, i in enumerate(jpegs[2:60:12]):
        s = scenes[i]
        name = os.path.basename(s["file"])
        if n < 3:
            path = f"backup/phone/{name}"
            shutil.copyfile(os.path.join(directory, s["file"]), os.path.join(directory, path))
            scenes.append({**s, "file": path, "duplicate_of": s["file"], "album": "backup/phone"})
            plans.append(plans[i])
        else:
            path = "backup/phone/" + name.rsplit(".", 1)[0] + "-small.jpg"
            image, truth = scene.render(plans[i], 480)
            save(image, os.path.join(directory, path), 60, b"")
            scenes.append({"file": path, **truth, "format": "jpg", "orientation": 1, "taken_at": None, "gps": None,
                           "album": "backup/phone", "near_duplicate_of": s["file"]})
            plans.append(plans[i])
    os.makedirs(os.path.join(directory, "corrupt"), exist_ok=True)
    raw = io.BytesIO()
    scene.render(plans[0], 320)[0].save(raw, "JPEG", quality=60)
    # Cut within the tables, before any pixel: even a lenient reader has nothing to show.
    with open(os.path.join(directory, "corrupt/broken.jpg"), "wb") as f:
        f.write(raw.getvalue()[:420])


def cast(name):
    return {"gallery": range(face.GALLERY), "train": range(1000, 3000)}[name]
