"""CLIP's byte-pair tokenizer, small: learns merges from captions, reads and writes tokenizer.json.

SPDX-License-Identifier: Apache-2.0
"""

import json
import re
import unicodedata
from collections import Counter

PIECES = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
START, END = "<|startoftext|>", "<|endoftext|>"
# What PIECES means for the plain text that captions are made of; the reference splits any language.
_ASCII = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:_|[^\s\w])+")


def byte_symbols():
    """The 256 printable stand-ins for bytes, in id order, and the map from byte to stand-in."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table, order, extra = {b: chr(b) for b in plain}, list(plain), 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + extra)
            order.append(b)
            extra += 1
    return [table[b] for b in order], table


SYMBOLS, TABLE = byte_symbols()


def split(text):
    """The pieces of a text, as tuples of symbols whose last one ends the word."""
    text = " ".join(unicodedata.normalize("NFC", text).lower().split())
    out = []
    for piece in _ASCII.findall(text):
        s = [TABLE[b] for b in piece.encode("utf-8")]
        s[-1] += "</w>"
        out.append(tuple(s))
    return out


def join(word, pair):
    """The word with all occurrences of the pair merged, left to right."""
    out, i = [], 0
    while i < len(word):
        if i + 1 < len(word) and (word[i], word[i + 1]) == pair:
            out.append(word[i] + word[i + 1])
            i += 2
        else:
            out.append(word[i])
            i += 1
    return tuple(out)


def learn(texts, limit):
    """Up to `limit` merges; the commonest pair first, ties broken by the symbols."""
    words = Counter(w for t in texts for w in split(t))
    merges = []
    while len(merges) < limit:
        pairs = Counter()
        for w, n in words.items():
            for pair in zip(w, w[1:]):
                pairs[pair] += n
        if not pairs:
            break
        best = min(pairs, key=lambda q: (-pairs[q], q))
        merges.append(best)
        words = Counter({join(w, best): n for w, n in words.items()})
    return merges


def to_json(merges):
    """tokenizer.json as Hugging Face writes it for CLIP."""
    tokens = SYMBOLS + [s + "</w>" for s in SYMBOLS] + [a + b for a, b in merges] + [START, END]
    n = len(tokens)

    def special(i, text):
        return {"id": i, "content": text, "single_word": False, "lstrip": False, "rstrip": False,
                "normalized": False, "special": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(n - 2, START), special(n - 1, END)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "NFC"}, {"type": "Replace", "pattern": {"Regex": r"\s+"}, "content": " "},
            {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": PIECES}, "behavior": "Removed", "invert": True},
            {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}]},
        "post_processor": {"type": "RobertaProcessing", "sep": [END, n - 1], "cls": [START, n - 2],
                           "trim_offsets": False, "add_prefix_space": False},
        "decoder": {"type": "ByteLevel", "add_prefix_space": True, "trim_offsets": True, "use_regex": True},
        "model": {"type": "BPE", "dropout": None, "unk_token": END, "continuing_subword_prefix": "",
                  "end_of_word_suffix": "</w>", "fuse_unk": False, "byte_fallback": False,
                  "vocab": {t: i for i, t in enumerate(tokens)},
                  "merges": [f"{a} {b}" for a, b in merges]},
    }


class Tokenizer:
    def __init__(self, data, context):
        self.vocab = data["model"]["vocab"]
        merges = [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in data["model"]["merges"]]
        self.rank = {m: i for i, m in enumerate(merges)}
        self.start, self.end = self.vocab[START], self.vocab[END]
        self.context, self.cache, self.words = context, {}, {}

    @classmethod
    def open(cls, path, context):
        with open(path, encoding="utf-8") as f:
            return cls(json.load(f), context)

    def _word(self, w):
        if w not in self.words:
            s = w
            while len(s) > 1:
                pair = min(zip(s, s[1:]), key=lambda q: self.rank.get(q, 1 << 30))
                if pair not in self.rank:
                    break
                s = join(s, pair)
            self.words[w] = [self.vocab[t] for t in s]
        return self.words[w]

    def encode(self, text):
        """Ids with start and end, cut to the context as CLIP does."""
        if text not in self.cache:
            ids = [self.start] + [i for w in split(text) for i in self._word(w)] + [self.end]
            if len(ids) > self.context:
                ids = ids[:self.context - 1] + [self.end]
            if len(self.cache) > 400000:
                self.cache.clear()
            self.cache[text] = ids
        return self.cache[text]
