"""The triplet loss, its gradient and Adam as PyTorch computes them, in float64: writes golden.txt.

    python3 tests/golden/projection/make.py        (torch 1.13 or newer)

SPDX-License-Identifier: Apache-2.0
"""

import os

import torch

DIM, N, MARGIN = 24, 14, 0.2
PERSONS = [0, 0, 0, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4]
RATE, STEPS = 0.01, 5


def mined(cosines, hard):
    """[(anchor, positive, negative)]: the nearest negative, for semi-hard of those beyond the positive."""
    out = []
    distance = 1 - cosines
    for a in range(N):
        for p in range(N):
            if p == a or PERSONS[p] != PERSONS[a]:
                continue
            able = [n for n in range(N) if PERSONS[n] != PERSONS[a] and
                    (hard or distance[a, n] > distance[a, p])]
            if not able:
                continue
            n = min(able, key=lambda j: float(distance[a, j]))
            if distance[a, p] - distance[a, n] + MARGIN > 0:
                out.append((a, p, n))
    return out


def loss_of(weights, x, hard):
    y = torch.nn.functional.normalize(x @ weights.T)
    triplets = mined((y @ y.T).detach(), hard)
    a, p, n = (y[[t[i] for t in triplets]] for i in range(3))
    d = torch.nn.functional.triplet_margin_with_distance_loss(
        a, p, n, distance_function=lambda u, v: 1 - (u * v).sum(1), margin=MARGIN)
    return d, len(triplets)


def main():
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    centres = torch.randn(5, DIM)
    x = torch.nn.functional.normalize(centres[PERSONS] + 0.9 * torch.randn(N, DIM)).float().double()
    weights = (torch.eye(DIM) + 0.15 * torch.randn(DIM, DIM)).float().double()
    out = [("vectors", x), ("weights", weights)]
    for hard in (False, True):
        w = weights.clone().requires_grad_()
        loss, count = loss_of(w, x, hard)
        loss.backward()
        word = "hard" if hard else "semi_hard"
        out += [(word + "_loss", loss), (word + "_triplets", torch.tensor(float(count))), (word + "_gradient", w.grad)]
    w = weights.clone().requires_grad_()
    optimiser = torch.optim.Adam([w], lr=RATE)
    for step in range(STEPS):
        optimiser.zero_grad()
        loss, _ = loss_of(w, x, hard=step % 2 == 1)
        loss.backward()
        optimiser.step()
    state = optimiser.state[w]
    out += [("trained", w), ("first", state["exp_avg"]), ("second", state["exp_avg_sq"])]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "golden.txt")
    with open(path, "w", encoding="ascii") as f:
        f.write(f"# torch {torch.__version__}, {DIM} dimensions, {N} vectors, margin {MARGIN}\n")
        for name, value in out:
            flat = value.detach().reshape(-1)
            f.write(f"{name} {len(flat)}\n" + " ".join(f"{v:.9g}" for v in flat.tolist()) + "\n")


if __name__ == "__main__":
    main()
