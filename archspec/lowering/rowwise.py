"""Whether a body works on each row alone: then it gives a row the same, whichever rows stand beside it."""

from __future__ import annotations

from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.num import Num
from archspec.errors import Diagnostic, LoweringError
from archspec.ir.graph import Apply, Call, Region
from archspec.ir.op import Op, mixed
from archspec.ir.ops.contract import Einsum
from archspec.ir.ops.norm import BatchNorm
from archspec.ir.ops.source import Iota
from archspec.ir.ops.state import Append, Hold
from archspec.ir.types import TensorType

_ALONG = "'recur' goes from row to row, but an expert is given each row alone"
_HINT = "what looks at several tokens stands before 'experts' or behind it"


def check_rows(region: Region, rows: str) -> None:
    """Raises `LoweringError` L071 at the operation by which one row may see another.

    `rows` is the size along which they stand. It may only be the first axis of a value, and stay it.
    """
    for node in region.nodes:
        if isinstance(node, Apply) and not _alone(node, rows):
            message = f"'{node.op.name}' looks at several rows, but an expert is given each row alone"
            raise LoweringError(Diagnostic("L071", message, node.span, _HINT))
        if isinstance(node, Call) and node.along and node.along.axis == 0:
            raise LoweringError(Diagnostic("L071", _ALONG, node.span, _HINT))
        for inner in node.regions:
            check_rows(inner, rows)


def _alone(node: Apply, rows: str) -> bool:
    given = [value.type for value in node.inputs if value is not None]
    made = [value.type for value in node.outputs]
    if any(_reads(type_, rows) and not _leads(type_, rows) for type_ in (*given, *made)):
        return False
    if isinstance(node.op, Append | Hold):
        return False
    if not any(_leads(type_, rows) for type_ in given):
        return not (isinstance(node.op, Iota) and _leads(made[0], rows))
    return all(_leads(type_, rows) for type_ in made) and not _mixes(node.op, given, rows)


def _mixes(op: Op, given: list[TensorType], rows: str) -> bool:
    """Whether an operation that keeps the first axis moves things along it."""
    if isinstance(op, Einsum):
        terms, _, result = op.equation.replace(" ", "").partition("->")
        pairs = zip(terms.split(","), given, strict=True)
        return any(term[0] != result[0] for term, type_ in pairs if _leads(type_, rows))
    return isinstance(op, BatchNorm) or any(axis == 0 and _leads(x, rows) for x, axis in mixed(op, given))


def _reads(type_: TensorType, rows: str) -> bool:
    return any(_depends(size, rows) for size in type_.shape)


def _depends(size: Num, rows: str) -> bool:
    return isinstance(size.value, poly.Poly) and rows in poly.symbols(size.value)


def _leads(type_: TensorType, rows: str) -> bool:
    """Whether the rows stand along the first axis, and along no other."""
    if not type_.shape or not n.same(type_.shape[0], n.symbol(rows)):
        return False
    return not any(_depends(size, rows) for size in type_.shape[1:])
