"""Mixtures of experts."""

import torch
from torch import Tensor


def mixture(
    experts: torch.nn.ModuleList, width: int, x: Tensor, gates: Tensor, *shared: Tensor | int | None
) -> Tensor:
    """The sum over e of experts[e](x, gates[..., e]); an expert computes only rows whose gate is not 0.

    x [..., D], gates [..., experts] -> [..., width]; `shared` is handed to every expert.
    """
    rows, weights = x.flatten(0, -2), gates.flatten(0, -2)
    out = torch.zeros(rows.shape[0], width, dtype=torch.promote_types(x.dtype, gates.dtype), device=x.device)
    chosen = list(range(len(experts)))
    if not torch.compiler.is_compiling():  # a traced graph has a place for every expert
        chosen = [int(e) for e in weights.any(0).nonzero()]
    for e in chosen:
        mine = weights[:, e].nonzero().squeeze(1)
        y = experts[e](rows[mine], weights[mine, e, None], *shared)
        out.index_add_(0, mine, y.to(out.dtype))  # autocast computes in another dtype
    return out.view(*x.shape[:-1], width)
