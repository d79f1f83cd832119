"""A call of generated kernels in a forward method."""

from __future__ import annotations

from archspec.backends.torch.code import PRODUCT, Code
from archspec.backends.torch.dialect import AttendByKernel, AttendWhere
from archspec.backends.torch.forward import Body
from archspec.dims import num as n
from archspec.ir.graph import Apply


def attend_by_kernel(body: Body, node: Apply, op: AttendByKernel) -> None:
    """`window_attention(q, k, v, padding, window, start=past)`."""
    code = body.settle(node.inputs, lambda: _called(body, node, op))
    body.give(node.outputs, code, node.inputs)


def attend_where(body: Body, node: Apply, op: AttendWhere) -> None:
    """`if self.window is None:` one file of kernels, else the other."""
    for value in node.inputs:
        if value is not None and value.name in body.pending and not body.owns(value):
            body.materialise(value)
    calls = [_called(body, node, each).text for each in (op.absent, op.there)]
    body.variables.read(body.reads(node.inputs))
    name = body.new(node.outputs[0])
    for head, call in zip(
        (f"if self.{body.module.attribute(op.word)} is None:", "else:"), calls, strict=True
    ):
        body.line(head)
        body.indent += 4
        body.write(name, call)
        body.indent -= 4


def _called(body: Body, node: Apply, op: AttendByKernel) -> Code:
    name = body.module.parts.kernel(op.module, op.description.plan.rule)
    return Code(f"{name}({', '.join(_arguments(body, node, op))})")


def _arguments(body: Body, node: Apply, op: AttendByKernel) -> list[str]:
    """Operands, numbers, and the options that are not at their defaults."""
    looked = len(op.description.tensors)
    texts = ["None" if x is None else body.text(x) for x in node.inputs]
    given = [*texts[: 3 + looked], *(body.number(x).text for x in op.numbers), *texts[3 + looked :]]
    if op.softcap is not None:
        given.append(body.number(op.softcap).text)
    if op.description.dropped:
        given.append(f"dropout_p={body.number(op.dropout).inside(PRODUCT)} * self.training")
    if op.start.value != 0:
        given.append(f"start={body.number(op.start).text}")
    q = node.inputs[0]
    assert q is not None, "attention without queries"
    default = q.type.shape[3].real ** -0.5 == op.scale.real and not n.reads(op.scale)
    return given if default else [*given, f"scale={body.number(op.scale).text}"]
