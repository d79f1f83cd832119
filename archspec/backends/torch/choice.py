"""Which implementation an attention gets where it is left to us, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from archspec.backends.torch.mask_rules import CAUSAL, is_causal
from archspec.dims.expr import Expr, write
from archspec.errors import Diagnostic, UnsupportedError, did_you_mean
from archspec.ir.graph import Apply, Graph, Value, walk
from archspec.ir.ops.attention import Attention
from archspec.ir.tiles.plan import plan

Kind = Literal["capped", "short", "narrow", "scored", "masked", "plain"]

FEW = 128  # keys: one tile or two, whatever the mask

IMPLEMENTATIONS = ("auto", "eager", "flex", "sdpa", "triton")
Pick = Callable[[Attention, Sequence[Value | None]], str]
"""Which implementation computes an attention with these operands."""

TABLE = Path(__file__).parent / "choices.yaml"


class Choice(Struct, frozen=True, forbid_unknown_fields=True):
    """An implementation, why it was picked, and what was measured: against what, on what, when."""

    use: str
    why: str
    measured: str | None = None

    def __str__(self) -> str:
        return f"{self.use}: {self.why} ({self.measured or 'not measured'})"


@cache
def _table() -> dict[str, dict[Kind, Choice]]:
    return msgspec.yaml.decode(TABLE.read_bytes(), type=dict[str, dict[Kind, Choice]])


def picker(attention: str, device: str) -> Pick:
    """The implementation itself, or with `auto` what suits each attention on the device.

    Raises UnsupportedError U001 for an unknown implementation, U005 for an unknown device.
    """
    if attention not in IMPLEMENTATIONS:
        hint = did_you_mean(attention, IMPLEMENTATIONS) or f"one of: {', '.join(IMPLEMENTATIONS)}"
        raise UnsupportedError(Diagnostic("U001", f"no attention implementation '{attention}'", None, hint))
    if attention == "auto":
        return lambda op, inputs: choice(op, inputs, device).use
    return lambda op, inputs: attention


class Picked(Struct, frozen=True):
    """What `auto` picks for an attention that runs so many times; `rule` says which pairs count."""

    path: str
    runs: int
    rule: str
    choice: Choice

    def __str__(self) -> str:
        often = f" × {self.runs}" if self.runs > 1 else ""
        return f"{self.choice.use} in {self.path}{often}, where {self.rule}: {self.choice.why}"


def choices(graph: Graph, device: str) -> tuple[Picked, ...]:
    """What `auto` picks for each attention; those that only numbers tell apart are one.

    Raises UnsupportedError U005.
    """
    found: dict[tuple[str, str, Choice], int] = {}
    for path, region, runs in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Apply) and isinstance(node.op, Attention):
                rule = "all pairs count" if node.op.mask is None else write(node.op.mask)
                key = path or "model", rule, choice(node.op, node.inputs, device)
                found[key] = found.get(key, 0) + runs
    return tuple(Picked(path, runs, rule, picked) for (path, rule, picked), runs in found.items())


def choice(op: Attention, inputs: Sequence[Value | None], device: str) -> Choice:
    """What the table picks for an attention on `cpu` or `cuda`.

    Raises UnsupportedError U005 for another device.
    """
    if device not in _table():
        hint = did_you_mean(device, _table()) or f"one of: {', '.join(_table())}"
        raise UnsupportedError(Diagnostic("U005", f"attention=auto knows no device '{device}'", None, hint))
    return _table()[device][kind(op, inputs)]


def kind(op: Attention, inputs: Sequence[Value | None]) -> Kind:
    """What distinguishes an attention for who computes it."""
    added = any(x is not None for x in inputs[3:5])
    if op.softcap is not None:
        return "capped"
    keys = inputs[1].type.shape[2].value if inputs[1] is not None else None
    if isinstance(keys, int) and keys <= FEW:
        return "short"
    if op.mask is not None and _is_narrow(op.mask, op):
        return "narrow"
    if added or op.score is not None:
        return "scored"
    return "plain" if op.mask is None or write(op.mask) in CAUSAL else "masked"


def _is_narrow(rule: Expr, op: Attention) -> bool:
    """Whether tiles are left out which a causal mask visits."""
    segments = plan(rule, dict(op.names)).queries.segments
    first = segments[0].begin if segments else None
    begins_later = first is not None and write(first) != "0"
    by_data = any(x.test is not None and "q" in write(x.test) for x in segments)
    return begins_later or by_data or (not is_causal(rule) and len(segments) > 3)
