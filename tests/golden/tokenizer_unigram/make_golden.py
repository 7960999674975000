#!/usr/bin/env python3
"""Writes the golden files of this folder with Hugging Face's tokenizers, called as open_clip does.

    python3.11 -m venv ref
    ref/bin/pip install ftfy==6.3.1 regex==2026.11.15 wcwidth numpy sentencepiece==0.2.3 tokenizers==0.23.3 transformers==5.23.0
    ref/bin/pip install --no-deps open_clip_torch==3.3.0
    ref/bin/python tests/golden/tokenizer_unigram/make_golden.py

Without an argument it writes everything. --show N prints string N, its cleaned form and its ids.
--full DIR writes DIR/tokenizer.json, the same pieces behind SentencePiece's own character map (nmt_nfkc,
which is not ours to copy here), for IMS_TEST_UNIGRAM_TOKENIZER=DIR/tokenizer.json.

The model is trained here, on strings of tests/golden/tokenizer beyond the golden ones, and written in
the form that the converter of SentencePiece models gives T5's tokenizers, with a small character map of
our own (RULES).

SPDX-License-Identifier: Apache-2.0
"""
import argparse
import base64
import collections
import importlib.util
import io
import json
import os
import sys
import tempfile

import sentencepiece
import tokenizers
import transformers

HERE = os.path.dirname(os.path.abspath(__file__))
spec = importlib.util.spec_from_file_location("clip_golden", os.path.join(HERE, "..", "tokenizer", "make_golden.py"))
clip = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clip)
canonical = clip.canonical

N_PIECES = 2600
CONTEXT = 64
# What survives the cleaning and is mapped: single characters, deletions, growth, a space that appears,
# sequences, and 'q', which shows that a letter with a mark is replaced as a whole.
RULES = [
    ("\u00aa", "a"), ("\u00b2", "2"), ("\u00bd", "1\u20442"), ("\u2122", "tm"), ("\u00e9", "e"),
    ("\u00a8", " \u0308"), ("\u00b4", " \u0301"), ("\u00ad", ""), ("\u200d", ""), ("\ufe0f", ""), ("\u2026", "..."),
    ("q", "k"), ("x\u0302", "xx"), ("d\u0307", "\u1e0b"), ("\u0e33", "\u0e4d\u0e32"), ("\u3392", "mhz"),
    ("\U0001f642", ":)"), ("\U0001d400", "A"), ("\u0627\u0653", "\u0622"), ("\u0651", ""),
]


def chosen_strings():
    chosen, left_out, n = [], [], 0
    clean = clip.oc.get_clean_fn("canonicalize")
    while len(chosen) < clip.N_STRINGS:
        text = clip.make_string(n)
        (chosen if clean(text) == canonical(text) else left_out).append(n)
        n += 1
    return chosen, left_out


def training_strings(n_characters=700):
    """Without all but the most frequent characters, so that unknown ones are left in the golden strings."""
    texts = [canonical(clip.make_string(n)) for n in range(10 ** 6, 10 ** 6 + 30000)]
    counts = collections.Counter("".join(texts))
    known = {c for c, _ in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:n_characters]}
    return [t for t in ("".join(c for c in t if c in known) for t in texts) if t.strip()]


def train(strings, **options):
    out = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(strings), model_writer=out, pad_id=0, eos_id=1, unk_id=2,
        pad_piece="<pad>", eos_piece="</s>", unk_piece="<unk>", minloglevel=2, num_threads=1,
        max_sentence_length=100000, **options)
    from sentencepiece import sentencepiece_model_pb2 as pb
    proto = pb.ModelProto()
    proto.ParseFromString(out.getvalue())
    return proto


def character_map(rules):
    """The map of these rules, or of nmt_nfkc, compiled by SentencePiece."""
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as f:
        for a, b in rules or []:
            f.write(" ".join(f"{ord(c):X}" for c in a) + "\t" + " ".join(f"{ord(c):X}" for c in b) + "\n")
        f.flush()
        name = {"normalization_rule_tsv": f.name} if rules else {"normalization_rule_name": "nmt_nfkc"}
        proto = train(["a b c"], model_type="char", vocab_size=7, bos_id=-1, **name)
    return proto.normalizer_spec.precompiled_charsmap


def document(pieces, charsmap):
    special = lambda i, t: {"id": i, "content": t, "single_word": False, "lstrip": False, "rstrip": False,
                            "normalized": False, "special": True}
    return {
        "version": "1.0", "truncation": None, "padding": None,
        "added_tokens": [special(i, pieces[i][0]) for i in range(3)],
        "normalizer": {"type": "Sequence", "normalizers": [
            {"type": "Precompiled", "precompiled_charsmap": base64.b64encode(charsmap).decode()},
            {"type": "Strip", "strip_left": False, "strip_right": True},
            {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "\u2581"}]},
        "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
        "post_processor": {"type": "TemplateProcessing",
                           "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "</s>", "type_id": 0}}],
                           "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 0}}],
                           "special_tokens": {"</s>": {"id": "</s>", "ids": [1], "tokens": ["</s>"]}}},
        "decoder": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "first", "split": True},
        "model": {"type": "Unigram", "unk_id": 2, "vocab": pieces, "byte_fallback": False},
    }


def write(path, doc):
    with open(path, "w", encoding="utf-8") as f:
        json.dump(doc, f, ensure_ascii=False, separators=(",", ":"))
        f.write("\n")


def reference(path, pad, eos):
    """As HFTokenizer of open_clip calls it."""
    fast = transformers.PreTrainedTokenizerFast(tokenizer_file=path, pad_token=pad, eos_token=eos, unk_token="<unk>")

    def ids(text):
        return fast(text, return_tensors="np", max_length=CONTEXT, padding="max_length", truncation=True).input_ids[0]
    return ids


def versions():
    return f"{clip.versions()}, tokenizers {tokenizers.__version__}, transformers {transformers.__version__}, sentencepiece {sentencepiece.__version__}"


def write_ids(path, ids, about):
    chosen, left_out = chosen_strings()
    n_unknown = 0
    lines = [f"# {about}", f"# {versions()}",
             "# skip N: the mojibake heuristics of ftfy change string N; hash: ids of ten strings in turn"]
    lines += [f"skip {n}" for n in left_out]
    for i in range(0, len(chosen), 10):
        h = clip.FNV_START
        for n in chosen[i:i + 10]:
            row = ids(canonical(clip.make_string(n)))
            assert len(row) == CONTEXT, (n, len(row))
            n_unknown += int((row == 2).sum())
            h = clip.fnv(row.astype("<i4").tobytes(), h)
        lines.append(f"{h:016x}")
    with open(path, "w") as f:
        f.write("\n".join(lines) + "\n")
    print(f"{path}: {len(left_out)} strings left out, {n_unknown} times id 2")


# What the strings by number do not have: U+2581 itself, spaces that mapping brings in, marks on mapped letters,
# nothing at all, deletions at the ends, and a text that is cut.
CASES = [
    "", " ", "...", "a", "\u2581", "\u2581\u2581", "a\u2581b", "a \u2581 b", "a\u2581\u2581b", "\u2581\u2581\u2581", "a \u2581\u2581\u2581\u2581\u2581 b",
    "\u2581a", "a\u2581", "a \u00a8 b", "\u00a8", "a\u00a8", "a\u00b4 \u00b4b", "q\u030c", "q", "aqa", "\u00e9\u0323", "x\u0302", "x\u0303", "d\u0323\u0307",
    "\u00ad", "\u00ada", "a\u00ad", "\u200d\u200da \ufe0f", "\U0001f642\u200d\U0001f642", "\u00bd\u00bd", "\u0e04\u0e33", "\u3392 \u2122",
    "the_the-the", "It's A PHOTO, of   a Dog!", "\u0627\u0653 \u0628\u0651", "<pad></s><unk>", "&lt;pad&gt; &amp;eacute;",
    "\U000e0001\U000f0000", "\u4e00\u4e01\u4e02 \u9fff\u9ffe", "a" * 300, "the photo " * 100, "\u2581" * 50, "\u03a3\u0391\u03a3", "\u1e9e\u0130",
]


def write_cases(path, ids, cases=CASES):
    """The text, and its ids up to the first end token."""
    rows = []
    for text in cases:
        row = ids(canonical(text)).tolist()
        rows.append(json.dumps([text, row[:row.index(1) + 1]], separators=(",", ":")))
    with open(path, "w") as f:
        f.write("[\n" + ",\n".join(rows) + "\n]\n")


def show(n, *references):
    print(ascii(clip.make_string(n)), ascii(canonical(clip.make_string(n))), sep="\n")
    for ids in references:
        print(ids(canonical(clip.make_string(n))).tolist())


def main():
    args = argparse.ArgumentParser()
    args.add_argument("--show", type=int)
    args.add_argument("--full")
    args = args.parse_args()
    small = os.path.join(HERE, "tokenizer.json")
    if args.show is not None:
        show(args.show, reference(small, "</s>", "</s>"))
        return
    with tempfile.TemporaryDirectory() as tmp:
        full = os.path.join(args.full or tmp, "tokenizer.json")
        if args.full:
            doc = json.load(open(small, encoding="utf-8"))
            write(full, document(doc["model"]["vocab"], character_map(None)))
            return
        proto = train(training_strings(), model_type="unigram", vocab_size=N_PIECES, bos_id=-1, character_coverage=1.0,
                      normalization_rule_name="identity")
        pieces = [[p.piece, round(p.score, 6)] for p in proto.pieces]
        write(small, document(pieces, character_map(RULES)))
        write(full, document(pieces, character_map(None)))
        write_ids(os.path.join(HERE, "ids.txt"), reference(small, "</s>", "</s>"), "tokenizer.json of this folder")
        write_cases(os.path.join(HERE, "cases.json"), reference(small, "</s>", "</s>"))
        write_ids(os.path.join(HERE, "ids_nfkc.txt"), reference(full, "</s>", "</s>"),
                  "the same pieces behind SentencePiece's nmt_nfkc map (--full)")


if __name__ == "__main__":
    main()
