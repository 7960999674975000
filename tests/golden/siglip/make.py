#!/usr/bin/env python3
"""Writes the expected embeddings of SigLIP models with generated weights, computed by open_clip and timm.

Usage: make.py [NAME ...]
Needs torch, open_clip_torch, timm, safetensors, numpy and tokenizers; the versions used are written into
the files. Weights and pictures come from the generator of tests/golden/clip/make.py. timm's towers come in
their true sizes only, so "reduced" in a configuration overrides arguments of timm's own class; all that a
tower's name stands for besides (activation, pooling, norms) stays timm's.
"""
import importlib.util
import json
import pathlib
import sys

HERE = pathlib.Path(__file__).resolve().parent
spec = importlib.util.spec_from_file_location("clip_make", HERE.parent / "clip" / "make.py")
clip = importlib.util.module_from_spec(spec)
spec.loader.exec_module(clip)

# element type of the weights, number of pictures, tokenizer, padding
PLAN = {
    "siglip": ("F32", 4, "tokenizer_unigram", "</s>"),
    "siglip2": ("BF16", 4, "tokenizer_gemma", "<pad>"),
    "vit_b_16_siglip": ("F32", 3, "tokenizer_unigram", "</s>"),
}
# One is short, one is cut; the others fill much of the context, as padding makes short texts alike.
CAPTIONS = ["A red car!", "boats at night, seen from the old harbour wall",
            "a snowy mountain with two trees and a hut; in front of it people on skis who wave their hands",
            "people on a sunny beach " * 20,
            "\u65e5\u672c\u8a9e \u7a4d na\u00efve \U0001f642 \u0645\u0631\u062d\u0628\u0627 \u0433\u043e\u0440\u043e\u0434 1234567890 &eacute;&Uuml;"]


def build(full):
    import open_clip.model as m
    import timm
    cfg = dict(full["model_cfg"])
    cfg.pop("custom_text")
    reduced = dict(full.get("reduced", {}))
    create = timm.create_model

    def create_reduced(name, **kwargs):
        return create(name, **{**kwargs, **reduced, **({"img_size": tuple(reduced["img_size"])} if reduced else {})})

    timm.create_model = create_reduced
    try:
        return m.CustomTextCLIP(embed_dim=reduced.get("embed_dim", cfg["embed_dim"]), init_logit_bias=cfg["init_logit_bias"],
                                vision_cfg=m.CLIPVisionCfg(**cfg["vision_cfg"]),
                                text_cfg=m.CLIPTextCfg(**cfg["text_cfg"])).eval()
    finally:
        timm.create_model = create


def encode(name, captions, context, pad):
    """As HFTokenizer of open_clip: canonicalized, cut behind the end token's place, padded."""
    import numpy as np
    from open_clip.tokenizer import get_clean_fn
    from tokenizers import Tokenizer
    t = Tokenizer.from_file(str(HERE.parent / name / "tokenizer.json"))
    t.enable_truncation(context)
    t.enable_padding(length=context, pad_id=t.token_to_id(pad), pad_token=pad)
    clean = get_clean_fn("canonicalize")
    return np.array([t.encode(clean(c)).ids for c in captions], np.int64)


def main():
    import timm
    import tokenizers
    import torch
    torch.set_num_threads(2)
    for name in sys.argv[1:] or sorted(PLAN):
        dtype, n_pictures, tokenizer, pad = PLAN[name]
        full = json.loads((HERE / f"{name}.config.json").read_text())
        model = build(full)
        state = model.state_dict()
        model.load_state_dict({k: clip.tensor(k, list(v.shape), dtype) for k, v in state.items()})
        h, w = model.visual.trunk.patch_embed.img_size
        ids = encode(tokenizer, CAPTIONS, full["model_cfg"]["text_cfg"]["context_length"], pad)
        image_e, text_e = clip.expect(model, full, clip.pictures(name, n_pictures, h, w), ids)
        print(name, "tensors", len(state), "largest cosine between pictures %.3f, between texts %.3f"
              % (clip.largest_cosine(image_e), clip.largest_cosine(text_e)))
        assert clip.largest_cosine(image_e) < 0.9 and clip.largest_cosine(text_e) < 0.9, "inputs too alike to tell errors"
        clip.write(name, {"made_by": f"{clip.versions()}, timm {timm.__version__}, tokenizers {tokenizers.__version__}",
                          "dtype": dtype, "n_tensors": len(state), "n_pictures": n_pictures, "captions": CAPTIONS,
                          "ids": [[int(i) for i in row[:list(row).index(1) + 1]] for row in ids],
                          "image_embeddings": image_e, "text_embeddings": text_e}, HERE)


if __name__ == "__main__":
    main()
