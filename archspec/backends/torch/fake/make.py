"""Results of operations: new ones, views, and what is noted of both."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from archspec.backends.torch.fake import layout
from archspec.backends.torch.fake.dtypes import DType
from archspec.backends.torch.fake.layout import Ints
from archspec.backends.torch.fake.node import Node, noted
from archspec.backends.torch.fake.run import Kernel, Run, current
from archspec.backends.torch.fake.storage import Storage
from archspec.backends.torch.fake.tensor import Tensor

Saves = Sequence[tuple[str, Tensor | None]]


def needs_grad(*operands: Any) -> bool:
    """Whether something computed from these gets a gradient."""
    return current().grad and any(isinstance(x, Tensor) and x.requires_grad for x in operands)


def made(
    name: str,
    operands: Sequence[Tensor],
    shape: Sequence[int],
    dtype: DType,
    *,
    strides: Ints | None = None,
    saves: Saves = (),
    flops: int = 0,
    backward: int = 0,
    read: int | None = None,
    differentiable: bool = True,
    detail: Any = None,
) -> Tensor:
    """The new result of an operation. What is saved and is None is the result itself.

    `flops`, `backward`: FLOPs of products, 2 per multiply-add, forward and in the backward pass. `read`:
    bytes, where an operation does not read all of its operands. `detail`: what its gradient needs to know.
    """
    run, shape = current(), tuple(shape)
    strides = layout.contiguous(shape) if strides is None else strides
    learns = (
        differentiable and run.grad and dtype.is_floating_point and any(x.requires_grad for x in operands)
    )
    if run.enough is not None:
        operands_saved = len(saves) if learns and not any(x is None for _, x in saves) else 0
        run.counting = run.counting and run.packed + operands_saved < run.enough
    storage = Storage(math.prod(shape) * dtype.itemsize, "activation", run if run.counting else None, name)
    out = Tensor(shape, strides, dtype, storage)
    if run.counting:
        ran(run, name, operands, out, flops, read)
    before, run.flops = run.flops, run.flops + flops
    if learns:
        remember(out, name, operands, saves, backward, detail)
        if saves:  # operands are saved before it runs, a result after
            run.needed = run.flops if any(x is None for _, x in saves) else before
    return out


def ran(
    run: Run, name: str, operands: Sequence[Tensor], out: Tensor, flops: int = 0, read: int | None = None
) -> None:
    """The operation is noted, with what it reads and writes."""
    if read is None:
        read = 0
        for x in operands:
            read += x.touched
    run.kernels.append(Kernel(name, run.place, flops, read, out.nbytes, out.dtype.name))


def remember(
    out: Tensor, name: str, operands: Sequence[Tensor], saves: Saves, backward: int = 0, detail: Any = None
) -> Node:
    """`out` gets a gradient by way of its operands, which needs what is saved."""
    kept = [(reason, out if x is None else x) for reason, x in saves]
    out.node = noted(current(), name, operands, kept, backward, detail)
    out.slot, out.requires_grad = 0, True
    return out.node


def view(name: str, x: Tensor, shape: Sequence[int], strides: Ints, detail: Any = None) -> Tensor:
    """The same storage under another shape."""
    out = Tensor(shape, strides, x.dtype, x.storage)
    out.filled = x.filled
    if x.requires_grad and current().grad:
        remember(out, name, (x,), (), 0, detail)
    return out


def axes_of(x: Tensor, axes: Any) -> list[int]:
    """Axes from 0 up."""
    given = range(x.dim()) if axes is None else layout.each(axes, 1)
    return [axis % max(x.dim(), 1) for axis in given]
