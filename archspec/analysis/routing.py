"""How many rows reach the experts of a mixture, as far as its gates say."""

from __future__ import annotations

from msgspec import Struct

from archspec.analysis.sizes import Sizes
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.dims.poly import Size
from archspec.ir.graph import Apply, Call, Region, Repeat, Value
from archspec.ir.op import Op
from archspec.ir.ops.elementwise import Arith, Scalar, Where
from archspec.ir.ops.shape import Reshape, Scatter
from archspec.ir.ops.source import Cast


class Routing(Struct, frozen=True):
    """`chosen` experts run for each row of `rows`; with `at_most`, some of them may be left out."""

    rows: Size
    chosen: Num
    at_most: bool
    dense: bool

    @property
    def note(self) -> str | None:
        if self.dense:
            return (
                "the gates do not say how many experts a row takes: every expert is taken to run on every row"
            )
        return (
            "experts have limited room: rows that find none are counted all the same"
            if self.at_most
            else None
        )


def routing(node: Repeat, region: Region, sizes: Sizes) -> Routing:
    """The routing of `node`, a mixture of experts in `region`.

    Gates that `scatter` puts among the experts are as many for a row as indices were given.
    """
    x, gates = node.inputs[:2]
    rows = sizes.size(n.product(x.type.shape[:-1]))
    scatter, limited = _scatter(gates, region)
    if scatter is None:
        return Routing(rows, node.count, at_most=False, dense=True)
    index = scatter.inputs[1]
    assert index is not None, "the verifier admits no absent index"
    return Routing(rows, index.type.shape[-1], at_most=limited, dense=False)


def _scatter(value: Value, region: Region) -> tuple[Apply | None, bool]:
    """The `scatter` that a value comes from, and whether what lies between may have made gates 0."""
    limited = False
    while True:
        node = next((node for node in region.nodes if value in node.outputs), None)
        if isinstance(node, Call):
            value, region = node.region.outputs[node.outputs.index(value)], node.region
            continue
        if not isinstance(node, Apply) or isinstance(node.op, Scatter):
            return (node if isinstance(node, Apply) else None), limited
        onward = _onward(node.op)
        if onward is None:
            return None, False
        limited = limited or isinstance(node.op, Where | Arith)
        following = node.inputs[onward]
        if following is None:
            return None, False
        value = following


def _onward(op: Op) -> int | None:
    """Which operand's zeros are zeros of the result."""
    if isinstance(op, Cast | Reshape) or (isinstance(op, Scalar) and op.fn in ("mul", "div") and not op.flip):
        return 0
    if isinstance(op, Where):
        return 1
    return 0 if isinstance(op, Arith) and op.fn in ("mul", "div") else None
