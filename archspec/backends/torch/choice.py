"""Which implementation an attention gets where it is left to us, and why."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from archspec.backends.torch.mask_rules import is_causal
from archspec.dims.expr import Expr, write
from archspec.errors import Diagnostic, UnsupportedError, did_you_mean
from archspec.ir.graph import Value
from archspec.ir.ops.attention import Attention
from archspec.ir.tiles.plan import plan

Kind = Literal["capped", "short", "narrow", "scored", "masked", "plain"]

FEW = 128  # keys: one tile or two, whatever the mask

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
    return "plain" if op.mask is None or write(op.mask) in ("k <= q", "q >= k") else "masked"


def _is_narrow(rule: Expr, op: Attention) -> bool:
    """Whether tiles are left out which a causal mask visits."""
    segments = plan(rule, dict(op.names)).queries.segments
    first = segments[0].begin if segments else None
    begins_later = first is not None and write(first) != "0"
    by_data = any(x.test is not None and "q" in write(x.test) for x in segments)
    return begins_later or by_data or (not is_causal(rule) and len(segments) > 3)
