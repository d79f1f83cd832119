"""FLOPs of a forward pass, a decoding step, a step of training.

Conventions: 2 FLOPs per multiply-add of a matrix product, convolution or attention; adding a bias is none.
`full` counts attention between all queries and keys, `exact` only pairs that the mask lets through (causal,
windows). Work on single elements stands apart. A loss is not counted, only the model.
"""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from archspec.analysis.cost import NOTHING, Cost
from archspec.analysis.lines import Line
from archspec.analysis.positions import check_positions
from archspec.analysis.sizes import Sizes
from archspec.analysis.tracing import Tracer, Training
from archspec.dims.poly import Size
from archspec.errors import ArchspecError, Diagnostic, did_you_mean
from archspec.ir.graph import Graph


class Flops(Struct, frozen=True):
    """Every line of a graph at given sizes; `notes` say what was assumed."""

    lines: tuple[Line, ...]
    notes: tuple[str, ...]

    @classmethod
    def of(
        cls,
        graph: Graph,
        sizes: Mapping[str, int],
        *,
        past: int | None = 0,
        training: Training | None = None,
    ) -> Flops:
        """The FLOPs at these sizes; those not given stay symbols. `past` tokens are held (None: a symbol).

        With `past` 0 it is a full forward pass, or the prefill; a step of decoding has 1 for the size that
        streams, and a `past`: what is held from the first step is then not computed again, nor with a symbol.

        Raises ArchspecError: A002 for sizes that do not fit, A003 beyond the positions, A004 for training.
        """
        at = Sizes.of(graph, sizes, past=past)
        check_positions(graph, at)
        root = graph.root
        live = _live(graph, training) if training else (False,) * len(root.outputs)
        given, wanted = (False,) * len(root.inputs), (True,) * len(root.outputs)
        trace = Tracer(at, training).region(root, given, live, wanted)
        return cls(trace.lines, trace.notes)

    @property
    def forward(self) -> Cost:
        return _total([line.forward for line in self.lines])

    @property
    def backward(self) -> Cost:
        """Products that give gradients: two for each forward, but none for what needs no gradient."""
        return _total([line.backward for line in self.lines])

    @property
    def again(self) -> Cost:
        """Products that are computed a second time, under activation checkpointing."""
        return _total([line.again for line in self.lines])

    @property
    def step(self) -> Cost:
        """The products of a step of training."""
        return self.forward.products + self.backward + self.again

    def by_class(self) -> dict[str, Cost]:
        """Forward, by linear, conv, attention, matmul, experts, elementwise."""
        out: dict[str, Cost] = {}
        for line in self.lines:
            out[line.kind] = out.get(line.kind, NOTHING) + line.forward
        return out

    def by_path(self, depth: int | None = None) -> dict[str, Cost]:
        """Forward, by module; with a `depth` modules below it count for the one around them."""
        out: dict[str, Cost] = {}
        for line in self.lines:
            path = ".".join(line.path.split(".")[:depth])
            out[path] = out.get(path, NOTHING) + line.forward
        return out

    def elements(self) -> Size:
        """Operations on single elements."""
        return self.forward.elementwise


def _total(costs: list[Cost]) -> Cost:
    return sum(costs, start=NOTHING)


def _live(graph: Graph, training: Training) -> tuple[bool, ...]:
    """The outputs of the root that the loss reads."""
    names = [name for name, _ in graph.outputs]
    _check(training, names)
    read = {name for loss in graph.losses for name in loss.reads} & set(names)
    chosen = set(training.outputs) if training.outputs is not None else read or set(names)
    values = {value.name for name, value in graph.outputs if name in chosen}
    return tuple(value.name in values for value in graph.root.outputs)


def _check(training: Training, names: list[str]) -> None:
    checkpoint = training.checkpoint
    known = checkpoint > 0 if isinstance(checkpoint, int) else checkpoint in ("none", "selective", "full")
    if not known:
        hint = "one of none, selective, full, or every how many layers"
        raise ArchspecError(Diagnostic("A004", f"unknown checkpointing '{checkpoint}'", None, hint))
    for name in training.outputs or ():
        if name not in names:
            hint = did_you_mean(name, names) or f"outputs: {', '.join(names)}"
            raise ArchspecError(Diagnostic("A004", f"the model has no output '{name}'", None, hint))
