"""A scan and what is around it, in a forward method: a function of one piece, and the loop over pieces."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from archspec.backends.torch.code import Code
from archspec.backends.torch.dialect import InPieces
from archspec.backends.torch.forward import Body, shape_text
from archspec.backends.torch.layout import fits, statement, wrapped
from archspec.backends.torch.ops.write import is_name
from archspec.backends.torch.scope import Pending
from archspec.ir.graph import Apply, Node, Value
from archspec.ir.ops.recurrence import Scan
from archspec.ir.types import TensorType

Write = Callable[[Body, Sequence[Node]], None]


def pieces(body: Body, node: Apply, op: InPieces, write: Write) -> None:
    """`def piece(u, state): …` and `y, last = in_pieces(piece, (u,), state, 1)`."""
    given = [value for value in node.inputs if value is not None]
    cut, first, whole = given[: op.cut], given[op.cut], given[op.cut + 1 :]
    for value in whole:
        code = body.operand(value)
        if value.name in body.pending and code is not None and not is_name(code):
            body.materialise(value)
    body.flush()
    name = body.variables.choose("piece")
    body.variables.blocked.add(name)
    body.lines += ["", *_comment(body, op), *_function(body, op, (cut, whole), name, write), ""]
    body.module.parts.require("runtime:scan.in_pieces")

    def call() -> Code:
        parts = ", ".join(body.text(value) for value in cut) + ("," if len(cut) == 1 else "")
        return Code(f"in_pieces({name}, ({parts}), {body.text(first)}, {op.dim})")

    body.give(node.outputs, body.settle((*cut, first), call), node.inputs)


def _comment(body: Body, op: InPieces) -> list[str]:
    shape, rest = f"# {shape_text(_widest(op))},", f"for a piece of axis {op.dim} at a time"
    lines = [f"{shape} {rest}"] if fits(f"{shape} {rest}", body.indent) else [shape, f"# {rest}"]
    return [" " * body.indent + line for line in lines]


def _widest(op: InPieces) -> TensorType:
    """The type of all states."""
    return next(n.outputs[0].type for n in op.region.nodes if isinstance(n, Apply) and isinstance(n.op, Scan))


def _function(
    body: Body, op: InPieces, outer: tuple[Sequence[Value], Sequence[Value]], name: str, write: Write
) -> list[str]:
    """The lines of the function: what is cut, and the state, come in; the result and the state go out."""
    region, (cut, whole) = op.region, outer
    inner = Body(body.module, region, body.indent + 4)
    inner.begin((), region.nodes, region.outputs)
    for value in whole:
        text = body.text(value)
        inner.pending[value.name] = Pending(Code(text), (), 0)
        inner.variables.blocked.add(text)
    names: list[str] = []
    for value in region.inputs:
        known = body.text(value) if value in cut else ""
        names.append(known if known.isidentifier() else inner.variables.choose(value.name))
        inner.variables.bind(names[-1], value)
    write(inner, region.nodes)
    head = wrapped(
        f"def {name}(", [f"{word}: Tensor" for word in names], ") -> tuple[Tensor, Tensor]:", body.indent
    )
    return [
        *head,
        *inner.lines,
        *statement("return ", ", ".join(inner.results(region.outputs)), inner.indent),
    ]
