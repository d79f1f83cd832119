"""`experts`: bodies side by side, each run on those rows alone that give it a weight."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace

from archspec.components.base import Problem
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.errors import Span
from archspec.ir.builder import Builder, Handle
from archspec.ir.ops.elementwise import Arith
from archspec.ir.types import TensorType, is_float
from archspec.lowering.faults import Broken, located
from archspec.lowering.frame import Frame, Maybe
from archspec.lowering.loops import Layer, judge, layer_count, start_of, variants
from archspec.lowering.rowwise import check_rows
from archspec.lowering.values import read_tensor
from archspec.spec.spec import Spec
from archspec.spec.stacks import stacks_of
from archspec.spec.tree import Experts

_ROWS = "rows"


def experts(frame: Frame, step: Experts) -> tuple[Handle, ...]:
    """The sum over experts e of weights[..., e] * body_e(x); e does not run on rows that it has weight 0 on.

    x [..., D], weights [..., experts] -> [..., W]. The body takes rows, [rows, D], and works on each alone.
    """
    span, layers = step.common.span, step.layers
    x = frame.attempt(span, lambda: start_of(frame, step.args))
    count = layer_count(frame, layers)
    gates = frame.attempt(step.weights.span, lambda: _gates(frame, step))
    fits = frame.attempt(step.weights.span, lambda: _check(x, count, gates, step))
    if x is None or count is None or gates is None or not fits:
        judge(frame, layers, count, None)
        raise Broken
    with _inside(frame) as rows:
        given = replace(x, value=replace(x.value, type=_as_rows(x.type, rows)))
        built, schedule = variants(frame, layers, step.common.names[0], int(count), given)
        ends = [_ended(layer, x, gates, rows, span) for layer in built]
    name, builders = step.common.names[0], [builder for builder, _, _ in built]
    _check_alike(ends)
    return (frame.builder.experts(name, builders, ends, schedule, count, (x, gates), rows),)


def _gates(frame: Frame, step: Experts) -> Handle:
    with located(step.weights, "weights"):
        return read_tensor(frame, step.weights)


def _check(x: Maybe, count: Num | None, gates: Maybe, step: Experts) -> bool:
    """Raises `Problem` L070 where gates do not fit, L071 where the body moves stacks."""
    if stacks_of(step):
        hint = "push and pop outside of it"
        raise Problem("L071", "experts see rows of one value, so they cannot push or pop", hint=hint)
    if x is None or count is None or gates is None:
        return False
    lead = x.type.shape[:-1]
    fits = bool(lead) and gates.type.rank == x.type.rank and is_float(gates.type.dtype)
    if not fits or not all(map(n.same, gates.type.shape, (*lead, count))):
        wanted = ", ".join(map(str, (*lead, count))) if lead else f"…, {count}"
        message = f"{count.described()} experts on {x.type} take weights float[{wanted}], not {gates.type}"
        raise Problem("L070", message, hint="one weight for each expert, 0 where it is not chosen")
    if int(count) == 0:
        raise Problem("L070", "there is no expert", hint="write 1 or more")
    return True


@contextmanager
def _inside(frame: Frame) -> Generator[str]:
    """The name of a size that exists only inside, which no other name of the document is."""
    low = frame.lowering
    taken = {*frame.values, *low.settings.values, *low.dims, *_arguments(low.spec)}
    rows = next(name for name in (_ROWS, *(f"{_ROWS}_{i}" for i in range(2, 99))) if name not in taken)
    low.dims[rows] = None
    try:
        yield rows
    finally:
        del low.dims[rows]


def _arguments(spec: Spec) -> list[object]:
    """The names that blocks give to numbers."""
    return [name for block in spec.blocks.values() if block.args for name, _ in block.args.entries]


def _as_rows(type_: TensorType, rows: str) -> TensorType:
    return type_.with_shape(n.symbol(rows), type_.shape[-1])


def _ended(layer: Layer, x: Handle, gates: Handle, rows: str, span: Span) -> Handle:
    """What an expert gives: the end of its body times the gates of its rows.

    Raises `Problem` L071 where that is not one value a row, or one row sees another.
    """
    builder, results, _ = layer
    end, size = results[0].type, n.symbol(rows)
    fits = end.rank == 2 and n.same(end.shape[0], size) and end.dtype == x.type.dtype
    if len(results) != 1 or not fits:
        shown = ", ".join(str(result.type) for result in results)
        message = f"an expert gives {x.type.dtype}[{rows}, width], not {shown}"
        raise Problem("L071", message, hint="look at its last step")
    check_rows(builder.region(results), rows)
    builder.span = span
    gate = builder.gated(gates, gates.type.with_shape(size, n.num(1)))
    _name_after(builder)
    return builder.apply(Arith("mul"), gate, results[0], name="weighted")


def _name_after(builder: Builder) -> None:
    """A body without a name of its own is one expert of several."""
    if builder.component == builder.name.split(".")[0]:
        builder.component = "expert"


def _check_alike(ends: list[Handle]) -> None:
    first = ends[0].type
    for end in ends:
        if not n.same(end.type.shape[-1], first.shape[-1]):
            widths = first.shape[-1].described(), end.type.shape[-1].described()
            message = f"experts are summed, but one gives {widths[0]} features, another {widths[1]}"
            raise Problem("L071", message, hint="give them one width")
