"""Two ways to compute the same, of which one runs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import onnx_ir as ir

from archspec.backends.onnx.place import Place
from archspec.backends.onnx.tape import Tape

Way = Callable[[Place], Sequence[ir.Value]]


def either(condition: ir.Value, then: Way, orelse: Way, place: Place, name: str) -> tuple[ir.Value, ...]:
    """`then` where the condition, a boolean [1], is true at run time, else `orelse`."""
    bodies = [_body(way, place, word) for word, way in (("then", then), ("else", orelse))]
    return place.tape.op(
        "If", condition, outputs=len(bodies[0].outputs), alone=True, name=name,
        then_branch=bodies[0], else_branch=bodies[1],
    )  # fmt: skip


def _body(way: Way, place: Place, name: str) -> ir.Graph:
    inner = Tape(place.tape, branch=True)
    ends = [inner.one("Identity", value) for value in way(replace(place, tape=inner))]
    return ir.Graph([], ends, nodes=inner.nodes, name=place.tape.unique(name))
