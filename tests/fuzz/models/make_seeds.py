#!/usr/bin/env python3
"""Writes the seeds of fuzz_clip_model: a configuration, a zero byte, a safetensors header.

The target adds (first byte of the file) MiB to the length of the file, so data need not be here.
"""
import json
import pathlib
import struct

HERE = pathlib.Path(__file__).resolve().parent / "clip"


def blocks(prefix, width, mlp, layers):
    for i in range(layers):
        p = f"{prefix}transformer.resblocks.{i}."
        for name, shape in (("ln_1.weight", [width]), ("ln_1.bias", [width]),
                            ("attn.in_proj_weight", [3 * width, width]), ("attn.in_proj_bias", [3 * width]),
                            ("attn.out_proj.weight", [width, width]), ("attn.out_proj.bias", [width]),
                            ("ln_2.weight", [width]), ("ln_2.bias", [width]),
                            ("mlp.c_fc.weight", [mlp, width]), ("mlp.c_fc.bias", [mlp]),
                            ("mlp.c_proj.weight", [width, mlp]), ("mlp.c_proj.bias", [width])):
            yield p + name, shape


def header(tensors, dtype, size):
    out, at = {"__metadata__": {"format": "pt"}}, 0
    for name, shape in tensors:
        n = size
        for d in shape:
            n *= d
        out[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + n]}
        at += n
    return out, at


def seed(name, config, tensors, dtype="F32", size=4):
    _, data = header(tensors, dtype, size)
    # the length's first byte is also the number of MiB the target adds, which hold all the data
    n_mib = (data >> 20) + 1
    assert n_mib < 256
    head, total = header(tensors + [("filler", [((n_mib << 20) - data) // size])], dtype, size)
    text = json.dumps(head, separators=(",", ":")).encode()
    text += b" " * ((n_mib - len(text)) % 256)
    assert total == n_mib << 20
    (HERE / name).write_bytes(json.dumps(config, separators=(",", ":")).encode() + b"\0"
                              + struct.pack("<Q", len(text)) + text)


def towers(prefix=""):
    return ([("visual.class_embedding", [4]), ("visual.positional_embedding", [5, 4]),
             ("visual.conv1.weight", [4, 3, 2, 2]), ("visual.ln_pre.weight", [4]), ("visual.ln_pre.bias", [4])]
            + list(blocks("visual.", 4, 16, 1))
            + [("visual.ln_post.weight", [4]), ("visual.ln_post.bias", [4]), ("visual.proj", [4, 2]),
               (prefix + "positional_embedding", [6, 4]), (prefix + "token_embedding.weight", [9, 4])]
            + list(blocks(prefix, 4, 16, 1))
            + [(prefix + "ln_final.weight", [4]), (prefix + "ln_final.bias", [4]),
               (prefix + "text_projection", [4, 2])])


def siglip():
    """vit_base_patch32_siglip_256 with a small text tower."""
    w, mlp = 768, 3072
    trunk = [("pos_embed", [1, 64, w]), ("patch_embed.proj.weight", [w, 3, 32, 32]), ("patch_embed.proj.bias", [w]),
             ("norm.weight", [w]), ("norm.bias", [w])]
    for i in range(12):
        trunk += [(f"blocks.{i}.{n}", s) for n, s in (
            ("norm1.weight", [w]), ("norm1.bias", [w]), ("attn.qkv.weight", [3 * w, w]), ("attn.qkv.bias", [3 * w]),
            ("attn.proj.weight", [w, w]), ("attn.proj.bias", [w]), ("norm2.weight", [w]), ("norm2.bias", [w]),
            ("mlp.fc1.weight", [mlp, w]), ("mlp.fc1.bias", [mlp]), ("mlp.fc2.weight", [w, mlp]), ("mlp.fc2.bias", [w]))]
    trunk += [(f"attn_pool.{n}", s) for n, s in (
        ("latent", [1, 1, w]), ("q.weight", [w, w]), ("q.bias", [w]), ("kv.weight", [2 * w, w]), ("kv.bias", [2 * w]),
        ("proj.weight", [w, w]), ("proj.bias", [w]), ("norm.weight", [w]), ("norm.bias", [w]),
        ("mlp.fc1.weight", [mlp, w]), ("mlp.fc1.bias", [mlp]), ("mlp.fc2.weight", [w, mlp]), ("mlp.fc2.bias", [w]))]
    text = ([("text.positional_embedding", [6, 4]), ("text.token_embedding.weight", [9, 4])] + list(blocks("text.", 4, 16, 1))
            + [("text.ln_final.weight", [4]), ("text.ln_final.bias", [4]), ("text.text_projection.weight", [w, 4]),
               ("text.text_projection.bias", [w])])
    vision = {"image_size": 256, "timm_model_name": "vit_base_patch32_siglip_256", "timm_pool": "map", "timm_proj": "none"}
    text_cfg = {"context_length": 6, "vocab_size": 9, "width": 4, "heads": 2, "layers": 1, "no_causal_mask": True,
                "proj_bias": True, "pool_type": "last", "tokenizer_kwargs": {"clean": "canonicalize"}}
    return ({"model_cfg": {"embed_dim": w, "custom_text": True, "vision_cfg": vision, "text_cfg": text_cfg}},
            [("visual.trunk." + n, s) for n, s in trunk] + text)


def config(**more):
    vision = {"image_size": 4, "patch_size": 2, "width": 4, "head_width": 2, "layers": 1}
    text = {"context_length": 6, "vocab_size": 9, "width": 4, "heads": 2, "layers": 1}
    return {"model_cfg": {"embed_dim": 2, "vision_cfg": vision, "text_cfg": text, **more},
            "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5], "size": 4,
                               "interpolation": "bicubic", "resize_mode": "squash", "mode": "RGB"}}


def main():
    HERE.mkdir(exist_ok=True)
    seed("sound", config(), towers())
    seed("half_quick", config(quick_gelu=True, custom_text=True), towers("text."), "F16", 2)
    seed("siglip", *siglip(), "F16", 2)
    seed("missing", config(), towers()[3:])
    (HERE / "empty").write_bytes(b"")
    (HERE / "no_header").write_bytes(b"{}\0\x02\0\0\0\0\0\0\0{}")
    (HERE / "long_length").write_bytes(b"{}\0" + b"\xff" * 8 + b"{}")


if __name__ == "__main__":
    main()
