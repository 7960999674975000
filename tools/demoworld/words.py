"""What can be said about a scene: facts, captions and short queries.

A query is a dict: place, light, weather (each may be missing), things [(kind, colour or None,
count or None, plural)], people {...}, relation. A scene satisfies a query when it has all of the
query's facts; a full caption is a query that says everything.

SPDX-License-Identifier: Apache-2.0
"""

NUMBERS = {1: "one", 2: "two", 3: "three"}

PLACE = {
    "beach": ("on the beach", "at the beach", "on a sandy beach", "by the sea", "at the seaside"),
    "forest": ("in the forest", "in a forest", "in the woods"),
    "city": ("in the city", "in a city", "on a city street", "in town"),
    "mountains": ("in the mountains", "near snowy mountains", "in front of mountains"),
    "snow": ("in the snow", "on a snowy field", "in a snowy landscape"),
    "desert": ("in the desert", "in a desert", "on desert sand"),
    "night sky": ("under the night sky", "under the stars", "under a starry sky"),
    "lake": ("by the lake", "at the lake", "at a lake"),
    "meadow": ("in a meadow", "in the meadow", "in a field of flowers", "on a green meadow"),
}
PLACE_NOUN = {
    "beach": ("a beach", "the beach", "beach", "the seaside", "a sandy beach"),
    "forest": ("a forest", "the forest", "forest", "woods"),
    "city": ("a city", "the city", "city", "a city street", "a town"),
    "mountains": ("mountains", "the mountains", "snowy mountains"),
    "snow": ("a snowy field", "snow", "a snowy landscape"),
    "desert": ("a desert", "the desert", "desert"),
    "night sky": ("the night sky", "a starry sky", "stars", "night sky"),
    "lake": ("a lake", "the lake", "lake"),
    "meadow": ("a meadow", "meadow", "a field of flowers"),
}
BARE = {"beach": "beach", "forest": "forest", "city": "city", "desert": "desert", "lake": "lake",
        "meadow": "meadow"}
LIGHT = {
    "sunset": ("at sunset", "at dusk", "in the evening", "in evening light"),
    "night": ("at night", "after dark", "in the dark", "by night"),
    "day": ("by day", "in daylight", "during the day"),
}
WEATHER = {
    "sunny": ("on a sunny day", "in the sunshine", "in sunny weather", "under a blue sky"),
    "cloudy": ("under a cloudy sky", "on a cloudy day", "under grey clouds", "in cloudy weather"),
    "rain": ("in the rain", "on a rainy day", "in rainy weather"),
    "fog": ("in the fog", "on a foggy day", "in fog", "in the mist"),
    "snowfall": ("in falling snow", "while it is snowing", "during snowfall"),
}
WEATHER_ADJ = {"sunny": "sunny", "cloudy": "cloudy", "rain": "rainy", "fog": "foggy"}
NOUN = {
    "house": ("house",), "car": ("car",), "bus": ("bus",), "boat": ("boat", "sailing boat"),
    "tree": ("tree",), "bicycle": ("bicycle", "bike"), "tent": ("tent",),
    "umbrella": ("umbrella", "parasol"), "dog": ("dog",), "cat": ("cat",), "horse": ("horse",),
    "bird": ("bird",), "balloon": ("balloon", "hot air balloon"), "kite": ("kite",),
}
PREFIX = ("", "", "", "a photo of ", "a picture of ", "a drawing of ", "a photo with ")


def plural(noun):
    return noun + ("es" if noun.endswith("bus") else "s")


def article(word):
    return ("an " if word[0] in "aeiou" else "a ") + word


def scene_facts(scene):
    """All facts of a scene: what any query about it may ask for."""
    out = {f"place:{scene['place']}", f"light:{scene['light']}", f"weather:{scene['weather']}"}
    for g in scene["things"]:
        k, c, n = g["kind"], g["color"], g["count"]
        out |= {f"k:{k}", f"kc:{k}/{c}", f"kn:{k}/{n}", f"knc:{k}/{n}/{c}"}
        if g.get("relation"):
            out.add("rel:{}:{}:{}".format(k, g["relation"][0], g["relation"][1]))
    people = scene["people"]
    if people:
        out |= {"person", f"people:{len(people)}"}
        if len(people) > 1:
            out.add("people:many")
        if scene["view"] in ("portrait", "group"):
            out.add("portrait")
        for p in people:
            out.add(f"shirt:{p['shirt']}")
            if p["hat"]:
                out |= {"hat", f"hat:{p['hat']}"}
            for a in ("glasses", "beard", "smiling"):
                if p[a]:
                    out.add(a)
    return out


def query_facts(q):
    """The facts that a scene must have to satisfy the query."""
    out = set()
    for key in ("place", "light", "weather"):
        if q.get(key):
            out.add(f"{key}:{q[key]}")
    for k, c, n, _ in q.get("things", ()):
        if c and n:
            out.add(f"knc:{k}/{n}/{c}")
        elif n:
            out.add(f"kn:{k}/{n}")
        elif c:
            out.add(f"kc:{k}/{c}")
        else:
            out.add(f"k:{k}")
    if q.get("relation"):
        out.add("rel:{}:{}:{}".format(*q["relation"]))
    p = q.get("people")
    if p:
        out.add("person")
        if p.get("portrait"):
            out.add("portrait")
        if p.get("count", 1) > 1:
            out.add(f"people:{p['count']}")
        if p.get("many"):
            out.add("people:many")
        for one in p.get("each", ()):
            if one.get("shirt"):
                out.add(f"shirt:{one['shirt']}")
            if one.get("hat"):
                out.add("hat" if one["hat"] is True else f"hat:{one['hat']}")
            for a in ("glasses", "beard", "smiling"):
                if one.get(a):
                    out.add(a)
    return out


def _pick(rng, options):
    return options[0] if rng is None else rng.choice(options)


def _thing(rng, thing):
    kind, color, count, many = thing
    noun = _pick(rng, NOUN[kind]) if rng is None or rng.random() < 0.3 else NOUN[kind][0]
    name = f"{color} {noun}" if color else noun
    if count and count > 1:
        return f"{NUMBERS[count]} {plural(name)}"
    if many:
        return plural(name)
    if count == 1 and rng and rng.random() < 0.5:
        return f"one {name}"
    return article(name) if rng is None or rng.random() < 0.85 else name


def _look(rng, one):
    """'in a red shirt with glasses and a blue hat'"""
    having = []
    if one.get("glasses"):
        having.append("glasses")
    if one.get("beard"):
        having.append("a beard")
    if one.get("hat"):
        having.append("a hat" if one["hat"] is True else article(one["hat"] + " hat"))
    if rng:
        rng.shuffle(having)
    joined = " and ".join([", ".join(having[:-1]), having[-1]]) if len(having) > 1 else "".join(having)
    having = ""
    if joined:
        having = _pick(rng, ("with ", "wearing ")) + joined if not one.get("beard") else "with " + joined
    shirt = ""
    if one.get("shirt"):
        shirt = _pick(rng, ("in ", "wearing ")) + article(one["shirt"] + " shirt")
    parts = [x for x in (having, shirt) if x]
    if rng and rng.random() < 0.5:
        parts.reverse()
    return " ".join(parts)


def _people(rng, p):
    n, each = p.get("count", 1), p.get("each", ())
    if p.get("many"):
        text = _pick(rng, ("people", "a group of people"))
    elif n > 1:
        text = f"{NUMBERS[n]} people"
        if rng and p.get("portrait") and rng.random() < 0.2:
            text = f"a group of {NUMBERS[n]} people"
    else:
        one = each[0] if each else {}
        noun = "person" if rng is None or rng.random() < 0.8 else "face" if p.get("portrait") else "person"
        text = " ".join(x for x in (article("smiling " + noun if one.get("smiling") else noun), _look(rng, one)) if x)
    if n > 1 and each:
        said = []
        for one in each:
            look = _look(rng, one)
            said.append(" ".join(x for x in ("one", "smiling" if one.get("smiling") else "", look) if x))
        text += ", " + ", ".join(said[:-1]) + (" and " if len(said) > 1 else "") + said[-1]
    if p.get("portrait"):
        text = _pick(rng, ("a portrait of ", "a close portrait of ", "a portrait of ")) + text
    return text


def phrase(q, rng=None):
    """The query in words. Without rng: the plainest wording; with it: one of many."""
    subject = []
    things = [_thing(rng, t) for t in q.get("things", ())]
    if q.get("people"):
        subject.append(_people(rng, q["people"]))
    rel = q.get("relation")
    if rel and len(things) >= 2:
        words = {"left": ("to the left of", "left of"), "right": ("to the right of", "right of"),
                 "above": ("above", "over"), "next": ("next to", "beside")}[rel[1]]
        i = [t[0] for t in q["things"]].index(rel[0])
        j = [t[0] for t in q["things"]].index(rel[2])
        rest = [t for k, t in enumerate(things) if k not in (i, j)]
        subject.append(f"{things[i]} {_pick(rng, words)} {things[j]}")
        subject += rest
    else:
        if rng:
            rng.shuffle(things)
        subject += things
    if len(subject) > 2:
        said = ", ".join(subject[:-1]) + " and " + subject[-1]
    elif len(subject) == 2:
        link = " and "
        if q.get("people") and q["people"].get("count", 1) == 1:
            link = _pick(rng, (" with ", " and ", " next to "))
        said = link.join(subject)
    else:
        said = "".join(subject)

    place, light, weather = q.get("place"), q.get("light"), q.get("weather")
    around = []
    if place and said:
        around.append(_pick(rng, PLACE[place]))
    elif place:
        if weather in WEATHER_ADJ and place in BARE and rng and rng.random() < 0.4:
            said = article(WEATHER_ADJ[weather] + " " + BARE[place])
            weather = None
        else:
            said = _pick(rng, PLACE_NOUN[place])
    if light and light != "day" or light and not weather:
        around.append(_pick(rng, LIGHT[light]))
    if weather and weather != "clear":
        around.append(_pick(rng, WEATHER[weather]))
    if not said:
        text = " ".join(around)
        if rng and len(around) == 1 and rng.random() < 0.5:
            short = {"sunset": ("sunset", "a sunset", "dusk"), "night": ("night", "a night scene"),
                     "day": ("daylight", "day")}.get(light) or \
                    {"sunny": ("sunshine", "sunny weather"), "cloudy": ("clouds", "cloudy sky"),
                     "rain": ("rain", "a rainy day"), "fog": ("fog", "mist"), "snowfall": ("snowfall", "falling snow")}.get(weather)
            text = rng.choice(short) if short else text
        return text
    if rng and len(around) > 1 and rng.random() < 0.4:
        rng.shuffle(around)
    if rng and around and rng.random() < 0.18:
        return " ".join(around) + ", " + said
    return (_pick(rng, PREFIX) + said + " " + " ".join(around)).strip()


def full_query(scene):
    """The query that says everything about the scene."""
    q = {"place": scene["place"], "light": scene["light"], "weather": scene["weather"], "things": []}
    for g in scene["things"]:
        q["things"].append((g["kind"], g["color"], g["count"] if g["count"] > 1 else None, False))
    for g in scene["things"]:
        if g.get("relation") and not q.get("relation"):
            q["relation"] = (g["kind"],) + tuple(g["relation"])
    if scene["people"]:
        q["people"] = {"count": len(scene["people"]), "portrait": scene["view"] in ("portrait", "group"),
                       "each": [{k: p[k] for k in ("shirt", "hat", "glasses", "beard", "smiling")}
                                for p in scene["people"]]}
    if scene["place"] == "night sky":
        q["light"] = None
    return q


def short_query(scene, rng):
    """A short query that this scene satisfies, of a random sort."""
    q = {}
    things, people = scene["things"], scene["people"]
    sort = rng.random()
    if people and (sort < 0.45 or not things and sort < 0.7):
        p = {}
        if len(people) > 1 and rng.random() < 0.4:
            p = {"count": len(people)} if rng.random() < 0.7 else {"many": True}
        else:
            one = rng.choice(people)
            traits = [k for k in ("shirt", "hat", "glasses", "beard", "smiling") if one[k]]
            each = {}
            if rng.random() < 0.8:
                k = rng.choice(traits)
                each[k] = True if k == "hat" and rng.random() < 0.4 else one[k]
            p = {"each": [each]}
        if scene["view"] in ("portrait", "group") and rng.random() < 0.2:
            p["portrait"] = True
        q["people"] = p
        if things and rng.random() < 0.2:
            q["things"] = [(rng.choice(things)["kind"], None, None, False)]
    elif things and sort < 0.86:
        g = rng.choice(things)
        u = rng.random()
        color = g["color"] if u < 0.7 else None
        count = g["count"] if rng.random() < 0.3 else None
        q["things"] = [(g["kind"], color, count, not count and rng.random() < 0.3)]
        if len(things) > 1 and rng.random() < 0.15:
            h = rng.choice([t for t in things if t is not g])
            q["things"].append((h["kind"], h["color"] if rng.random() < 0.6 else None, None, False))
    else:
        u = rng.random()
        q["place"] = scene["place"] if u < 0.8 else None
        if u > 0.4:
            if scene["place"] != "night sky" or u > 0.8:
                q["light"] = scene["light"] if scene["light"] != "day" or rng.random() < 0.3 else None
                if not q["light"] or rng.random() < 0.3:
                    q["weather"] = scene["weather"] if scene["weather"] != "clear" else None
        if not query_facts(q):
            q["place"] = scene["place"]
        return q
    u = rng.random()
    if u < 0.3:
        q["place"] = scene["place"]
    elif u < 0.5:
        q["light"] = scene["light"] if scene["light"] != "day" or rng.random() < 0.3 else None
        if not q["light"] and scene["weather"] != "clear":
            q["weather"] = scene["weather"]
    elif u < 0.56 and scene["place"] != "night sky":
        q["place"], q["light"] = scene["place"], scene["light"] if scene["light"] != "day" else None
    return q
