"""Write and read a model directory as open_clip lays it out.

SPDX-License-Identifier: Apache-2.0
"""

import json
import os

from safetensors.torch import load_file, save_file


def save(out, cfg, state, tok_json, mean, std):
    os.makedirs(out, exist_ok=True)
    config = {"model_cfg": cfg, "preprocess_cfg": {"mean": list(mean), "std": list(std), "interpolation": "bicubic",
                                                   "resize_mode": "shortest"}}
    with open(os.path.join(out, "open_clip_config.json"), "w", encoding="utf-8") as f:
        json.dump(config, f, indent=2)
        f.write("\n")
    with open(os.path.join(out, "tokenizer.json"), "w", encoding="utf-8") as f:
        json.dump(tok_json, f, ensure_ascii=False, indent=1)
        f.write("\n")
    save_file({k: v.half().contiguous() for k, v in state.items()}, os.path.join(out, "open_clip_model.safetensors"),
              metadata={"format": "pt"})


def load(path):
    """The weights as float32; they are stored as float16."""
    return {k: v.float() for k, v in load_file(os.path.join(path, "open_clip_model.safetensors")).items()}


def load_config(path):
    with open(os.path.join(path, "open_clip_config.json"), encoding="utf-8") as f:
        return json.load(f)

