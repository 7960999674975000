"""The plain ViT CLIP of open_clip, with its parameter names, in a page.

SPDX-License-Identifier: Apache-2.0
"""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Attention(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.in_proj_weight = nn.Parameter(torch.empty(3 * width, width))
        self.in_proj_bias = nn.Parameter(torch.zeros(3 * width))
        self.out_proj = nn.Linear(width, width)
        nn.init.normal_(self.in_proj_weight, std=width ** -0.5)
        nn.init.zeros_(self.out_proj.bias)

    def forward(self, x, causal):
        b, n, w = x.shape
        qkv = F.linear(x, self.in_proj_weight, self.in_proj_bias)
        q, k, v = qkv.view(b, n, 3, self.heads, w // self.heads).permute(2, 0, 3, 1, 4)
        score = (q * (w // self.heads) ** -0.5) @ k.transpose(-1, -2)
        if causal:
            score = score + torch.full((n, n), -1e4, dtype=score.dtype).triu(1)
        y = score.softmax(-1, dtype=score.dtype) @ v
        return self.out_proj(y.transpose(1, 2).reshape(b, n, w))


class Mlp(nn.Module):
    def __init__(self, width, ratio):
        super().__init__()
        self.c_fc = nn.Linear(width, int(width * ratio))
        self.c_proj = nn.Linear(int(width * ratio), width)

    def forward(self, x):
        return self.c_proj(F.gelu(self.c_fc(x)))


class Block(nn.Module):
    def __init__(self, width, heads, ratio, layers):
        super().__init__()
        self.ln_1, self.ln_2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attn, self.mlp = Attention(width, heads), Mlp(width, ratio)
        std = width ** -0.5 * (2 * layers) ** -0.5
        nn.init.normal_(self.attn.out_proj.weight, std=std)
        nn.init.normal_(self.mlp.c_proj.weight, std=std)
        nn.init.normal_(self.mlp.c_fc.weight, std=(2 * width) ** -0.5)

    def forward(self, x, causal):
        x = x + self.attn(self.ln_1(x), causal)
        return x + self.mlp(self.ln_2(x))


class Transformer(nn.Module):
    def __init__(self, width, layers, heads, ratio):
        super().__init__()
        self.resblocks = nn.ModuleList(Block(width, heads, ratio, layers) for _ in range(layers))


class Visual(nn.Module):
    def __init__(self, cfg, embed):
        super().__init__()
        w, p = cfg["width"], cfg["patch_size"]
        side = cfg["image_size"] // p
        self.conv1 = nn.Conv2d(3, w, p, p, bias=False)
        self.class_embedding = nn.Parameter(torch.randn(w) * w ** -0.5)
        self.positional_embedding = nn.Parameter(torch.randn(side * side + 1, w) * w ** -0.5)
        self.ln_pre, self.ln_post = nn.LayerNorm(w), nn.LayerNorm(w)
        self.transformer = Transformer(w, cfg["layers"], w // cfg["head_width"], cfg.get("mlp_ratio", 4.0))
        self.proj = nn.Parameter(torch.randn(w, embed) * w ** -0.5)

    def forward(self, x, peek=None):
        """Embeddings; with peek=k also the class token before projection and the tokens after block k."""
        p = self.conv1.stride[0]
        x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p)).permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
        x = F.linear(x, self.conv1.weight.flatten(1))  # the same sum as conv1, and faster to train
        x = torch.cat([self.class_embedding.to(x.dtype).expand(x.shape[0], 1, -1), x], 1)
        x = self.ln_pre(x + self.positional_embedding)
        seen = None
        for i, block in enumerate(self.transformer.resblocks):
            x = block(x, False)
            if peek is not None and i + 1 == peek:
                seen = x[:, 1:]
        pooled = self.ln_post(x[:, 0])
        out = pooled @ self.proj
        return out if peek is None else (out, pooled, seen)


class Clip(nn.Module):
    def __init__(self, cfg):
        super().__init__()
        t = cfg["text_cfg"]
        self.visual = Visual(cfg["vision_cfg"], cfg["embed_dim"])
        self.transformer = Transformer(t["width"], t["layers"], t["heads"], t.get("mlp_ratio", 4.0))
        self.token_embedding = nn.Embedding(t["vocab_size"], t["width"])
        self.positional_embedding = nn.Parameter(torch.randn(t["context_length"], t["width"]) * 0.01)
        self.ln_final = nn.LayerNorm(t["width"])
        self.text_projection = nn.Parameter(torch.randn(t["width"], cfg["embed_dim"]) * t["width"] ** -0.5)
        self.logit_scale = nn.Parameter(torch.tensor(math.log(1 / 0.07)))
        nn.init.normal_(self.token_embedding.weight, std=0.02)

    def encode_image(self, x):
        return F.normalize(self.visual(x).float(), dim=-1)

    def encode_text(self, ids):
        x = self.token_embedding(ids) + self.positional_embedding[:ids.shape[1]]
        for block in self.transformer.resblocks:
            x = block(x, True)
        x = self.ln_final(x)[torch.arange(len(ids)), ids.argmax(1)]
        return F.normalize((x @ self.text_projection).float(), dim=-1)


def pad(rows):
    """Token rows as one tensor, padded with 0 to the longest."""
    n = max(len(r) for r in rows)
    return torch.tensor([r + [0] * (n - len(r)) for r in rows])
