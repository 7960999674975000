#!/usr/bin/env python3
"""Writes the golden files of this folder with Hugging Face's tokenizers, called as open_clip does.

The environment is that of tests/golden/tokenizer_unigram/make_golden.py. Without an argument it writes
everything. --show N prints string N, its cleaned form and its ids.
--large DIR writes DIR/tokenizer.json with as many tokens and merges as SigLIP 2's has, made of nothing, to
measure how long a file of that size takes.

The model is a SentencePiece byte-pair model with bytes to fall back on, trained here on strings of
tests/golden/tokenizer beyond the golden ones, in the form that the converter for Gemma's tokenizers gives.

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import importlib.util
import itertools
import json
import os
import sys

from transformers.convert_slow_tokenizer import generate_merges

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("unigram_golden", os.path.join(HERE, "..", "tokenizer_unigram", "make_golden.py"))
unigram = importlib.util.module_from_spec(spec)
spec.loader.exec_module(unigram)

N_PIECES = 2400
LARGE_TOKENS = 256000
LARGE_MERGES = 580604


def document(vocab, merges, runs):
    added = lambda i, t, special: {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                                   "normalized": False, "special": special}
    tokens = [added(vocab[t], t, True) for t in ("<pad>", "<eos>", "<bos>", "<unk>")]
    tokens += [added(len(vocab) + i, t, False) for i, t in enumerate(runs)]
    return {
        "version": "1.0", "truncation": None, "padding": None, "added_tokens": tokens,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": "\u2581"},
        "pre_tokenizer": {"type": "Split", "pattern": {"String": " "}, "behavior": "MergedWithPrevious", "invert": False},
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<eos>", "type_id": 0}}],
                           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                           "special_tokens": {"<eos>": {"id": "<eos>", "ids": [1], "tokens": ["<eos>"]}}},
        "decoder": {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "\u2581"}, "content": " "},
                                                     {"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {"type": "BPE", "dropout": None, "unk_token": "<unk>", "continuing_subword_prefix": None,
                  "end_of_word_suffix": None, "fuse_unk": True, "byte_fallback": True, "ignore_merges": False,
                  "vocab": vocab, "merges": merges},
    }


def small():
    proto = unigram.train(unigram.training_strings(500), model_type="bpe", vocab_size=N_PIECES, bos_id=-1,
                          character_coverage=1.0, byte_fallback=True, normalization_rule_name="identity")
    names = ["<pad>", "<eos>", "<bos>", "<unk>"]
    scores = [(t, 0.0) for t in names] + [(p.piece, p.score) for p in proto.pieces[3:]]
    vocab = {t: i for i, (t, _) in enumerate(scores)}
    assert len(vocab) == len(scores)
    merges = generate_merges(vocab, dict(scores))
    # U+2581 in a text: two of them are a token of their own, four another one
    runs = [t for t in ("\u2581" * 2, "\u2581" * 4, "\n\n", "<mask>") if t not in vocab]
    return document(vocab, [list(m) for m in merges], runs)


def hash_of(text):
    return unigram.clip.fnv(text.encode()) >> 20


def shuffled():
    """Merges in an order that no training gives: a merge may make a pair that should have come before it, and
    a token is made in several ways. Here the order of work shows."""
    draw = unigram.clip.draw
    vocab = {t: i for i, t in enumerate(["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(0x80, 0x100)])}
    for c in "abc\u2581":
        vocab[c] = len(vocab)
    letters = "ab\u2581"
    made = [t for n, share in ((2, 80), (3, 60), (4, 40)) for t in map("".join, itertools.product(letters, repeat=n))
            if draw(hash_of(t), 0, 100) < share]
    for t in made:
        vocab[t] = len(vocab)
    merges = [[t[:k], t[k:]] for t in made for k in range(1, len(t)) if t[:k] in vocab and t[k:] in vocab]
    merges = [m for _, m in sorted((draw(i, 2, 1 << 30), m) for i, m in enumerate(merges))]
    texts = ["".join("aabb c "[draw(n, 10 + k, 7)] for k in range(5 + draw(n, 3, 40))) for n in range(200)]
    return document(vocab, merges, []), texts


def large():
    """Every token of two and more characters is made by two or three merges, as in the original."""
    letters = "abcdefghijklmnopqrstuvwxyz\u2581\u00e4\u043f\u0432\u65e5\u672c"
    vocab = {t: i for i, t in enumerate(["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{b:02X}>" for b in range(256)])}
    for c in letters:
        vocab[c] = len(vocab)
    tokens, merges, n = [], [], 0
    while len(vocab) < LARGE_TOKENS:
        length = 2 + unigram.clip.draw(n, 0, 7)
        t = "".join(letters[unigram.clip.draw(n, 1 + k, len(letters))] for k in range(length))
        for k in range(2, length + 1):
            vocab.setdefault(t[:k], len(vocab))
            vocab.setdefault(t[length - k:], len(vocab))
        n += 1
    for t in list(vocab)[260 + len(letters):]:
        merges += [[t[:k], t[k:]] for k in range(1, len(t)) if t[:k] in vocab and t[k:] in vocab]
    return document(vocab, merges[:LARGE_MERGES], [])


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--show", type=int)
    args.add_argument("--large")
    args = args.parse_args()
    path = os.path.join(HERE, "tokenizer.json")
    if args.show is not None:
        unigram.show(args.show, unigram.reference(path, "<pad>", "<eos>"))
    elif args.large:
        with open(os.path.join(args.large, "tokenizer.json"), "w", encoding="utf-8") as f:
            json.dump(large(), f, ensure_ascii=False, indent=2)  # as tokenizers itself writes
    else:
        unigram.write(path, small())
        unigram.write_ids(os.path.join(HERE, "ids.txt"), unigram.reference(path, "<pad>", "<eos>"),
                          "tokenizer.json of this folder")
        doc, texts = shuffled()
        other = os.path.join(HERE, "shuffled.json")
        unigram.write(other, doc)
        unigram.write_cases(os.path.join(HERE, "shuffled_cases.json"), unigram.reference(other, "<pad>", "<eos>"), texts)
        unigram.write_cases(os.path.join(HERE, "cases.json"), unigram.reference(path, "<pad>", "<eos>"))


if __name__ == "__main__":
    main()
