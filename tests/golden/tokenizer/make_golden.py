#!/usr/bin/env python3
"""Writes the golden files of this folder with open_clip's own tokenizer.

    python3.11 -m venv ref
    ref/bin/pip install ftfy==6.3.1 regex==2026.11.15 wcwidth numpy
    ref/bin/pip install --no-deps open_clip_torch==3.3.0
    ref/bin/python tests/golden/tokenizer/make_golden.py

Without an argument it writes everything. --show N prints string N, its cleaned form and its ids;
--steps writes steps.json only; --full DIR writes DIR/tokenizer.json with CLIP's full vocabulary
(1.5 MB), for IMS_TEST_CLIP_TOKENIZER=DIR/tokenizer.json.

Nothing of open_clip's vocabulary is written here: tokenizer.json of this folder holds merges learnt
by train() from the strings below, and the reference class is built from those merges. The strings
themselves are not stored: string N follows from a counter and atoms.txt, in the same way in here
(make_string) and in test_golden.c. Stored is one 64-bit FNV-1a hash per ten strings.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import collections
import gzip
import html
import importlib.util
import json
import os
import platform
import sys
import tempfile
import types
import unicodedata

import ftfy
import ftfy.fixes
import numpy
import regex

HERE = os.path.dirname(os.path.abspath(__file__))
N_STRINGS = 10000
N_MERGES = 2400
MASK = (1 << 64) - 1


# --- the reference, with numpy in place of torch -------------------------------------------------

def load_open_clip():
    torch = types.ModuleType("torch")
    torch.long, torch.Tensor, torch.LongTensor = numpy.int64, numpy.ndarray, numpy.ndarray
    torch.zeros = lambda *shape, dtype: numpy.zeros(shape, dtype)
    torch.tensor = numpy.array
    sys.modules["torch"] = torch
    where = os.path.join(os.path.dirname(ftfy.__file__), "..", "open_clip", "tokenizer.py")
    spec = importlib.util.spec_from_file_location("open_clip_tokenizer", where)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oc = load_open_clip()


def tokenizer_of(merges):
    with tempfile.NamedTemporaryFile(suffix=".gz") as f:
        f.write(gzip.compress(("\n".join(["#"] + merges)).encode()))
        f.flush()
        return oc.SimpleTokenizer(bpe_path=f.name)


def write_tokenizer_json(path, tok, merges):
    vocab = {t: i for t, i in tok.encoder.items() if i < tok.sot_token_id}
    added = [{"id": tok.sot_token_id, "content": "<|startoftext|>", "special": True},
             {"id": tok.eot_token_id, "content": "<|endoftext|>", "special": True}]
    doc = {"version": "1.0", "added_tokens": added,
           "model": {"type": "BPE", "unk_token": "<|endoftext|>", "continuing_subword_prefix": "",
                     "end_of_word_suffix": "</w>", "vocab": vocab, "merges": merges}}
    with open(path, "w", encoding="utf-8") as f:
        json.dump(doc, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def full_merges():
    lines = gzip.open(oc.default_bpe()).read().decode().split("\n")
    return lines[1:49152 - 256 - 2 + 1]


# --- the strings --------------------------------------------------------------------------------

def mix(x):
    x = (x + 0x9E3779B97F4A7C15) & MASK
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) & MASK
    return x ^ (x >> 31)


def draw(n, k, below):
    return mix((n << 20) + k) % below


def read_atoms():
    atoms = []
    with open(os.path.join(HERE, "atoms.txt"), encoding="ascii") as f:
        for line in f:
            if line.startswith('"'):
                atoms.append(json.loads(line))
            elif line.startswith("range "):
                atoms.append(tuple(int(x, 16) for x in line.split()[1:]))
    return atoms


ATOMS = read_atoms()
GAPS = ["", "", " ", " ", " ", " ", "  ", "\n"]


def make_string(n):
    count = 60 if n % 50 == 0 else 1 + draw(n, 0, 10)
    out = []
    for k in range(count):
        atom = ATOMS[draw(n, 16 * k + 1, len(ATOMS))]
        if isinstance(atom, str):
            out.append(atom)
        else:
            for m in range(1 + draw(n, 16 * k + 2, 4)):
                out.append(chr(atom[0] + draw(n, 16 * k + 4 + m, atom[1] - atom[0] + 1)))
        out.append(GAPS[draw(n, 16 * k + 3, len(GAPS))])
    return "".join(out)


def context_of(n):
    return 77 if n % 4 == 0 else 400


def clean_without_heuristics(text):
    text = ftfy.fix_text(text, fix_encoding=False)
    return oc.whitespace_clean(html.unescape(html.unescape(text)).strip()).lower()


def canonical(text):
    """SigLIP's cleaning, also without the mojibake heuristics."""
    text = ftfy.fix_text(text, fix_encoding=False)
    return oc.canonicalize_text(html.unescape(html.unescape(text)).strip())


def chosen_strings():
    """The first N_STRINGS counters whose string the mojibake heuristics leave alone; the others."""
    chosen, left_out, n = [], [], 0
    while len(chosen) < N_STRINGS:
        text = make_string(n)
        same = oc._clean_lower(text) == clean_without_heuristics(text)
        (chosen if same else left_out).append(n)
        n += 1
    return chosen, left_out


# --- hashes ---------------------------------------------------------------------------------------

FNV_START = 0xCBF29CE484222325


def fnv(data, h=FNV_START):
    for byte in data:
        h = ((h ^ byte) * 0x100000001B3) & MASK
    return h


def write_ids(name, tok, chosen, left_out, about):
    lines = [f"# {about}", f"# {versions()}",
             "# skip N: the mojibake heuristics of ftfy change string N; "
             "hash: ids of ten strings in turn"]
    lines += [f"skip {n}" for n in left_out]
    for i in range(0, len(chosen), 10):
        h = FNV_START
        for n in chosen[i:i + 10]:
            ids = tok(make_string(n), context_length=context_of(n))[0]
            h = fnv(ids.astype("<i4").tobytes(), h)
        lines.append(f"{h:016x}")
    with open(os.path.join(HERE, name), "w") as f:
        f.write("\n".join(lines) + "\n")


def write_codepoints():
    """Every code point between two letters, cleaned; one hash per 4096."""
    lines = [f"# 'a' + code point + 'b', cleaned without the mojibake heuristics; {versions()}",
             "# the hash of 4096 of them in UTF-8, each with a newline behind it; "
             "surrogates are left out"]
    for block in range(0, 0x110000, 4096):
        h = FNV_START
        for cp in range(block, block + 4096):
            if not 0xD800 <= cp <= 0xDFFF:
                h = fnv((clean_without_heuristics("a" + chr(cp) + "b") + "\n").encode(), h)
        lines.append(f"{h:016x}")
    with open(os.path.join(HERE, "codepoints.txt"), "w") as f:
        f.write("\n".join(lines) + "\n")


# --- cases by hand: the steps one by one ----------------------------------------------------------

def write_steps():
    with open(os.path.join(HERE, "steps_input.json"), encoding="ascii") as f:
        inputs = json.load(f)
    steps = {
        "unescape": html.unescape,
        "unescape_careful": ftfy.fixes.unescape_html,
        "terminal": ftfy.fixes.remove_terminal_escapes,
        "controls": ftfy.fixes.remove_control_chars,
        "nfc": lambda t: unicodedata.normalize("NFC", t),
        "spaces": lambda t: " ".join(t.split()),
        "lower": str.lower,
        "fix": lambda t: ftfy.fix_text(t, fix_encoding=False),
        "clean": clean_without_heuristics,
        "canonicalize": canonical,
        "split": None,
    }
    pattern = oc.SimpleTokenizer().pat
    out = {"made with": versions()}
    for step, texts in inputs.items():
        if step == "split":
            out[step] = [[t, regex.findall(pattern, t)] for t in texts]
        else:
            out[step] = [[t, steps[step](t)] for t in texts]
    with open(os.path.join(HERE, "steps.json"), "w", encoding="ascii") as f:
        rows = [f'"{k}": ' + (json.dumps(v) if isinstance(v, str) else
                              "[\n" + ",\n".join(json.dumps(r) for r in v) + "\n]")
                for k, v in out.items()]
        f.write("{\n" + ",\n".join(rows) + "\n}\n")


def versions():
    return (f"Python {platform.python_version()}, ftfy {ftfy.__version__}, "
            f"regex {regex.__version__}, open_clip_torch 3.3.0")


# --- the small vocabulary -------------------------------------------------------------------------

def train(tok):
    """Byte-pair merges learnt from 30,000 strings beyond the golden ones."""
    counts = collections.Counter()
    for n in range(10 ** 6, 10 ** 6 + 30000):
        for piece in regex.findall(tok.pat, clean_without_heuristics(make_string(n))):
            symbols = [tok.byte_encoder[b] for b in piece.encode()]
            symbols[-1] += "</w>"
            counts[tuple(symbols)] += 1
    words = [[list(w), c] for w, c in sorted(counts.items())]
    pairs, where = collections.Counter(), collections.defaultdict(set)
    for i, (w, c) in enumerate(words):
        for pair in zip(w, w[1:]):
            pairs[pair] += c
            where[pair].add(i)
    known = set(tok.byte_encoder.values())
    merges = []
    while len(merges) < N_MERGES:
        (a, b), _ = max(pairs.items(), key=lambda item: (item[1], item[0]))
        if a + b in known:  # the reference class cannot hold one token twice
            del pairs[a, b]
            continue
        known.add(a + b)
        merges.append(f"{a} {b}")
        for i in sorted(where.pop((a, b))):
            w, c = words[i]
            for pair in zip(w, w[1:]):
                pairs[pair] -= c
            k = 0
            while k < len(w) - 1:
                if w[k] == a and w[k + 1] == b:
                    w[k:k + 2] = [a + b]
                k += 1
            for pair in zip(w, w[1:]):
                pairs[pair] += c
                where[pair].add(i)
        del pairs[a, b]
    return merges


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--show", type=int)
    args.add_argument("--full")
    args.add_argument("--steps", action="store_true", help="write steps.json only")
    args = args.parse_args()
    full = oc.SimpleTokenizer()
    if args.full:
        write_tokenizer_json(os.path.join(args.full, "tokenizer.json"), full, full_merges())
        return
    if args.steps:
        write_steps()
        return
    if args.show is not None:
        merges = json.load(open(os.path.join(HERE, "tokenizer.json")))["model"]["merges"]
        text = make_string(args.show)
        print(ascii(text), ascii(clean_without_heuristics(text)), sep="\n")
        for tok in (tokenizer_of(merges), full):
            print(tok(text, context_length=context_of(args.show))[0].tolist())
        return

    merges = train(full)
    small = tokenizer_of(merges)
    write_tokenizer_json(os.path.join(HERE, "tokenizer.json"), small, merges)
    chosen, left_out = chosen_strings()
    print(f"{len(left_out)} strings left out before {N_STRINGS} were found")
    write_ids("ids_small.txt", small, chosen, left_out, "tokenizer.json of this folder")
    write_ids("ids_full.txt", full, chosen, left_out, "CLIP's full vocabulary of 49,408 tokens")
    write_codepoints()
    write_steps()


if __name__ == "__main__":
    main()
