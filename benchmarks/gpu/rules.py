"""Rules and scores as functions of torch: one text serves the reference, which sees all pairs at once, and
FlexAttention's `mask_mod` and `score_mod`, which see one."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Mapping
from functools import reduce
from typing import Any

import torch
from torch import Tensor

Places = Callable[..., Any]  # of b, h, q, k
_BITS: dict[type[ast.boolop], type[ast.operator]] = {ast.And: ast.BitAnd, ast.Or: ast.BitOr}


def function(text: str, scope: Mapping[str, Any]) -> Places:
    """The function of b, h, q, k that a text is; `scope` holds the numbers and tables that it names.

    What it names are variables of an outer function, as FlexAttention expects of tables.
    """
    known = {"abs": torch.abs, "min": _smaller, "max": _larger, "where": _where, "exp": torch.exp, **scope}
    body = _Elementwise().visit(ast.parse(text, mode="eval").body)
    inner = ast.Lambda(_parameters("bhqk"), body)
    tree = ast.fix_missing_locations(ast.Expression(ast.Lambda(_parameters(known), inner)))
    return eval(compile(tree, f"<{text}>", "eval"))(**known)


def _parameters(names: Iterable[str]) -> ast.arguments:
    return ast.arguments(
        posonlyargs=[], args=[ast.arg(x) for x in names], kwonlyargs=[], kw_defaults=[], defaults=[]
    )


class _Elementwise(ast.NodeTransformer):
    """`and`, `or`, `not` and `x if t else y` of tensors."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        op = _BITS[type(node.op)]()
        return reduce(lambda a, b: ast.BinOp(a, op, b), [self.visit(x) for x in node.values])

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        return ast.UnaryOp(ast.Invert(), node.operand) if isinstance(node.op, ast.Not) else node

    def visit_IfExp(self, node: ast.IfExp) -> ast.expr:
        parts: list[ast.expr] = [self.visit(x) for x in (node.test, node.body, node.orelse)]
        return ast.Call(ast.Name("where", ast.Load()), parts, [])


def _smaller(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.minimum(a, b)
    return torch.clamp(a, max=b) if isinstance(a, Tensor) else torch.clamp(b, max=a)


def _larger(a: Any, b: Any) -> Any:
    if isinstance(a, Tensor) and isinstance(b, Tensor):
        return torch.maximum(a, b)
    return torch.clamp(a, min=b) if isinstance(a, Tensor) else torch.clamp(b, min=a)


def _where(test: Tensor, then: Any, orelse: Any) -> Tensor:
    return torch.where(test, then, orelse)


def places(
    sizes: tuple[int, int, int, int], start: int, device: torch.device, first: int = 0
) -> list[Tensor]:
    """b, h, q, k of `sizes` pairs, from the query `first` on, as tensors that broadcast."""
    ranges = [torch.arange(x, device=device) for x in sizes]
    ranges[2] = ranges[2] + start + first
    return [x.view([-1 if axis == own else 1 for axis in range(4)]) for own, x in enumerate(ranges)]
