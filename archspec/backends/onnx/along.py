"""A region that runs at each position of an axis, as ONNX's `Scan`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import onnx_ir as ir

from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.ir.graph import Call
from archspec.ir.types import TensorType

Tensors = Sequence[Tensor | None]
Run = Callable[[Tape, Tensors], Tensors]
Describe = Callable[[ir.Value, TensorType], None]


def along(node: Call, given: Tensors, tape: Tape, run: Run, describe: Describe) -> list[Tensor]:
    """The last carried values, and what the runs give beside them, stacked.

    `run(tape, inputs)` writes one run.
    """
    at = node.along
    assert at is not None, "it runs along an axis"
    inner = Tape(tape)
    own = [_input(value.name, value.type, inner, describe) for value in node.region.inputs[: at.own]]
    results = [result for result in run(inner, [*own, *given[at.own :]]) if result is not None]
    ends = [inner.one("Identity", result.value, alone=True) for result in results]
    for end, value in zip(ends, node.region.outputs, strict=True):
        describe(end, value.type)
    body = ir.Graph([x.value for x in own], ends, nodes=inner.nodes, name=tape.unique("body"))
    last = tape.op(
        "Scan",
        *(x.value for x in given[: at.own] if x is not None),
        outputs=len(ends),
        body=body,
        num_scan_inputs=at.cut,
        scan_input_axes=[at.axis] * at.cut,
        scan_output_axes=[at.axis] * (len(ends) - at.carried),
    )
    return [Tensor(value.type, made) for value, made in zip(node.outputs, last, strict=True)]


def _input(name: str, type_: TensorType, inner: Tape, describe: Describe) -> Tensor:
    """What a run is given."""
    value = inner.input(name)
    describe(value, type_)
    return Tensor(type_, value)


__all__ = ["along"]
