"""Short queries over a set of scenes, with the files that truly satisfy each.

SPDX-License-Identifier: Apache-2.0
"""

import random

from . import words
from .things import HELD_OUT


def choose(scenes, names, seed, least=6, most=0.25, per_sort=9):
    """Queries of several sorts that between `least` scenes and a share `most` of them satisfy."""
    rng = random.Random(f"demo-world/queries/{seed}")
    facts = [words.scene_facts(s) for s in scenes]
    sorts = {}

    def offer(sort, q, text=None):
        want = words.query_facts(q)
        hits = [names[i] for i, f in enumerate(facts) if want <= f]
        if least <= len(hits) <= most * len(scenes):
            text = text or words.phrase(q)
            if text not in sorts.setdefault(sort, {}):
                sorts[sort][text] = hits

    kinds = sorted({g["kind"] for s in scenes for g in s["things"]})
    pairs = sorted({(g["kind"], g["color"]) for s in scenes for g in s["things"]})
    places = sorted({s["place"] for s in scenes})
    for p in places:
        offer("place", {"place": p})
        for light in ("sunset", "night"):
            if p != "night sky":
                offer("place and light", {"place": p, "light": light})
        for w in ("rain", "fog", "snowfall", "cloudy", "sunny"):
            offer("place and weather", {"place": p, "weather": w})
    for k in kinds:
        offer("thing", {"things": [(k, None, None, True)]})
        for n in (2, 3):
            offer("count", {"things": [(k, None, n, True)]})
        for p in places:
            offer("thing and place", {"things": [(k, None, None, False)], "place": p})
        for light in ("sunset", "night"):
            offer("thing and light", {"things": [(k, None, None, True)], "light": light})
        for w in ("rain", "fog", "snowfall"):
            offer("thing and weather", {"things": [(k, None, None, False)], "weather": w})
    for k, c in pairs:
        offer("held-out pair" if (c, k) in HELD_OUT else "thing in a colour", {"things": [(k, c, None, False)]})
    for one in ({"glasses": True}, {"beard": True}, {"hat": True}, {"smiling": True}):
        offer("person", {"people": {"each": [one]}})
    for c in sorted({p["shirt"] for s in scenes for p in s["people"]}):
        offer("person", {"people": {"each": [{"shirt": c}]}})
    for n in (2, 3):
        offer("person", {"people": {"count": n}})
    for p in places:
        offer("person and place", {"people": {"each": [{}]}, "place": p})
        offer("person and place", {"people": {"each": [{"glasses": True}]}, "place": p})
    out = []
    for sort in sorted(sorts):
        texts = sorted(sorts[sort])
        rng.shuffle(texts)
        out += [{"text": t, "sort": sort, "relevant": sorts[sort][t]} for t in sorted(texts[:per_sort])]
    return out
