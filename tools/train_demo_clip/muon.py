"""Muon: momentum whose matrix updates are made orthogonal; fewer steps than AdamW for small transformers.

SPDX-License-Identifier: Apache-2.0
"""

import torch


def orthogonal(g, steps=5):
    """Roughly the nearest orthogonal matrix, by a quintic Newton-Schulz iteration; g is [n, rows, cols]."""
    x = g.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return (x.mT if tall else x).float()


class Muon(torch.optim.Optimizer):
    """For the weight matrices of transformer blocks; a joint query-key-value matrix is taken as three."""

    def __init__(self, params, lr, momentum=0.95, weight_decay=0.0):
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            m = group["momentum"]
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if "mean" not in state:
                    state["mean"] = torch.zeros_like(p)
                state["mean"].lerp_(p.grad, 1 - m)
                g = p.grad.lerp(state["mean"], m)
                rows, cols = p.shape
                parts = 3 if rows == 3 * cols else 1
                u = orthogonal(g.view(parts, rows // parts, cols))
                u *= max(1.0, rows / parts / cols) ** 0.5
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(u.view_as(p), alpha=-group["lr"])
