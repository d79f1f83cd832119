"""References written in Markdown: a few lines of plain torch over the inputs and the module's own weights."""

import ast
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]


class Words:
    """The short words of references: layers that look up their weights, and attention as it is defined."""

    def __init__(self, w: Weights) -> None:
        self.w = w

    def linear(self, x: Tensor, name: str) -> Tensor:
        return F.linear(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"))

    def layernorm(self, x: Tensor, name: str, eps: float = 1e-5) -> Tensor:
        return F.layer_norm(x, x.shape[-1:], self.w.get(f"{name}.weight"), self.w.get(f"{name}.bias"), eps)

    def rmsnorm(self, x: Tensor, name: str, eps: float = 1e-6) -> Tensor:
        return x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * self.w.get(f"{name}.weight", 1)

    def conv(self, x: Tensor, name: str, **how: Any) -> Tensor:
        kind = (F.conv1d, F.conv2d, F.conv3d)[x.dim() - 3]
        return kind(x, self.w[f"{name}.weight"], self.w.get(f"{name}.bias"), **how)

    @staticmethod
    def split(x: Tensor, heads: int) -> Tensor:
        """[B, S, H * E] -> [B, H, S, E]."""
        return x.view(*x.shape[:2], heads, -1).transpose(1, 2)

    @staticmethod
    def merge(x: Tensor) -> Tensor:
        return x.transpose(1, 2).flatten(2)

    @staticmethod
    def scores(q: Tensor, k: Tensor, scale: float | None = None) -> Tensor:
        k = k.repeat_interleave(q.shape[1] // k.shape[1], 1)
        return q @ k.transpose(-2, -1) * (q.shape[-1] ** -0.5 if scale is None else scale)

    @staticmethod
    def attend(scores: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
        if mask is not None:
            scores = scores.masked_fill(~mask.expand_as(scores), -math.inf)
        return scores.softmax(-1) @ v.repeat_interleave(scores.shape[1] // v.shape[1], 1)

    def attention(self, x: Tensor, name: str, heads: int, mask: Tensor | None = None) -> Tensor:
        """Plain multi-head self-attention with separate projections."""
        q, k, v = (self.split(self.linear(x, f"{name}.{part}"), heads) for part in "qkv")
        return self.linear(self.merge(self.attend(self.scores(q, k), v, mask)), f"{name}.out")

    @staticmethod
    def causal(queries: int) -> Tensor:
        return torch.ones(queries, queries).tril().bool()


def compute(text: str, w: Weights, inputs: Mapping[str, Tensor | None]) -> Any:
    """What the lines give: the value of the last one."""
    tree = ast.parse(text)
    last = tree.body[-1]
    assert isinstance(last, ast.Expr), "the last line of a reference is its result"
    tree.body[-1] = ast.copy_location(ast.Assign([ast.Name("result", ast.Store())], last.value), last)
    words = Words(w)
    names: dict[str, Any] = {name: getattr(words, name) for name in dir(words) if not name.startswith("_")}
    names |= {"torch": torch, "F": F, "math": math, "w": w, **inputs}
    exec(compile(ast.fix_missing_locations(tree), "<reference>", "exec"), names)
    return names["result"]


Reference = Callable[[Weights, Mapping[str, Tensor | None]], Any]
