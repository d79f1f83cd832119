"""What the gate compiles kernels for: one description of each kind of attention."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archspec.backends.torch.kernels.description import Description, Kind, Looked
from archspec.dims.num import num
from archspec.dims.parse import parse
from archspec.ir.tiles.plan import plan

PADDING = Looked("padding", 2, "bool", optional=True)


def _described(
    rule: str | None = None,
    numbers: Mapping[str, int] | None = None,
    tensors: Iterable[Looked] = (),
    score: str | None = None,
    **flags: bool,
) -> Description:
    given = {word: num(value) for word, value in (numbers or {}).items()}
    planned = plan(parse(rule) if rule else None, given, {x.word for x in tensors})
    kinds: tuple[tuple[str, Kind], ...] = tuple((word, "int") for word in given)
    return Description(planned, parse(score) if score else None, tuple(tensors), kinds, **flags)


STRUCTURES: dict[str, Description] = {
    "full": _described(),
    "causal": _described("k <= q"),
    "window": _described("k <= q and q - k < w", {"w": 8}),
    "global": _described(
        "(abs(q - k) <= w or t[b, q] or t[b, k]) and padding[b, k]",
        {"w": 8},
        [Looked("t", 2, "bool"), PADDING],
    ),
    "chunk": _described("k <= q and q // c == k // c", {"c": 8}),
    "prefix": _described("k <= q or k < p", {"p": 8}),
    "documents": _described("k <= q and doc[b, q] == doc[b, k]", tensors=[Looked("doc", 2, "int")]),
    "alibi": _described("k <= q", tensors=[Looked("slopes", 1, "float")], score="slopes[h] * (k - q)"),
    "distances": _described(
        None, {"d": 8}, [Looked("table", 2, "float")], "table[h, max(min(k - q, d), 0 - d) + d]"
    ),
    "softcap": _described("k <= q", capped=True),
    "sinks": _described("k <= q and q - k < w", {"w": 8}, sunk=True),
    "dropout": _described("k <= q", dropped=True),
}
