"""A call of generated kernels in a forward method."""

from __future__ import annotations

from archspec.backends.torch.code import PRODUCT, Code
from archspec.backends.torch.dialect import AttendByKernel
from archspec.backends.torch.forward import Body
from archspec.dims import num as n
from archspec.ir.graph import Apply


def attend_by_kernel(body: Body, node: Apply, op: AttendByKernel) -> None:
    """`window_attention(q, k, v, padding, window, start=past)`."""
    name = body.module.parts.kernel(op.module, op.description.plan.rule)
    code = body.settle(node.inputs, lambda: Code(f"{name}({', '.join(_arguments(body, node, op))})"))
    body.give(node.outputs, code, node.inputs)


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
