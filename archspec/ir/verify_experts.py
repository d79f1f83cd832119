"""Rules of experts: gates fit what is mixed, and each expert takes rows of it."""

from __future__ import annotations

from archspec.dims import num as n
from archspec.ir.graph import Repeat
from archspec.ir.types import TensorType, is_float
from archspec.ir.verify_names import Findings, check_identifiers, shown


def as_rows(type_: TensorType, rows: str) -> TensorType:
    """[..., D] as [rows, D]."""
    return type_.with_shape(n.symbol(rows), type_.shape[-1])


def inside_types(node: Repeat, found: Findings) -> tuple[TensorType, ...] | None:
    """What each layer takes, where that is not the types of the node's inputs: rows, and their gates.

    Adds I123 where the inputs or results are not those of experts.
    """
    if node.rows is None:
        return None
    check_identifiers(found, "run-time size", [node.rows], node.span)
    given = tuple(value.type for value in node.inputs)
    if len(given) < 2 or len(node.outputs) != 1 or not _fit(given[0], given[1], node):
        problem = f"experts '{node.name}' take {shown(given[:2])} for {shown([v.type for v in node.outputs])}"
        found.add("I123", f"{problem}, not [..., D] and gates [..., {node.count}] for [..., W]", node.span)
        return None
    gate = given[1].with_shape(n.symbol(node.rows), n.num(1))
    return (as_rows(given[0], node.rows), gate, *given[2:])


def _fit(x: TensorType, gates: TensorType, node: Repeat) -> bool:
    lead, out = x.shape[:-1], node.outputs[0].type.shape[:-1]
    same = x.rank == gates.rank > 1 and lead == gates.shape[:-1] == out
    return same and n.same(gates.shape[-1], node.count) and is_float(gates.dtype) and not node.shared
