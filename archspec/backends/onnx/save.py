"""Writing a model: its nodes in one file, its weights in it or in a second one, tensor by tensor."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import onnx_ir as ir
from msgspec import Struct
from onnx_ir.serde import SerdeError

from archspec.errors import ArchspecError, Diagnostic

MESSAGE_LIMIT = 2**31 - 2**20
"""Bytes that a file may have: protobuf ends at 2 GiB. What is kept free is room for nodes and names."""
INLINE = 2**26
"""Bytes of weights up to which they stand in the model's own file, unless the caller says otherwise."""
SMALL = 1024
"""Bytes of a tensor up to which it stands with the nodes, beside weights in a file of their own."""


ALIGNED = 64
"""Where a tensor begins in a file of weights, in multiples of bytes: a line of a cache."""


class Port(Struct, frozen=True):
    """An input or output: `shape` has a name for each size that is known only at run time."""

    name: str
    dtype: str
    shape: tuple[int | str, ...]

    def __str__(self) -> str:
        return f"{self.name} {self.dtype}[{', '.join(map(str, self.shape))}]"


class Written(Struct, frozen=True):
    """A model as it was written. `size`: bytes of its files; `held`: of weights left in a checkpoint."""

    files: tuple[str, ...]
    size: int
    held: int
    opset: int
    nodes: int
    inputs: tuple[Port, ...]
    outputs: tuple[Port, ...]


def save(model: ir.Model, folder: Path, name: str, *, external: bool | None = None) -> Written:
    """Writes the model to `folder` as `name`, and weights to `<name>_data` if they stand alone.

    `external`: whether they do; None for more than 64 MiB. Tensors that lie in a checkpoint stay there.
    Raises ArchspecError O011 where a file would be too large, OSError, and what reading a weight raises.
    """
    own = sum(tensor.nbytes for tensor in tensors(model) if not isinstance(tensor, ir.ExternalTensor))
    held = sum(tensor.nbytes for tensor in tensors(model) if isinstance(tensor, ir.ExternalTensor))
    apart = not held and (own > INLINE if external is None else external)
    if own > MESSAGE_LIMIT and not apart:
        hint = "leave the weights in a file of their own" if not held else "export in the checkpoint's dtype"
        message = f"{name} would hold {own:,} bytes of weights, and such a file ends at 2 GiB"
        raise ArchspecError(Diagnostic("O011", message, None, hint))
    folder.mkdir(parents=True, exist_ok=True)
    data = f"{name}_data"
    with _apart(model, folder, data) if apart else nullcontext(), _uncovered():
        ir.save(model, folder / name)
    files = tuple(file for file in (name, data) if (folder / file).exists())
    size = sum((folder / file).stat().st_size for file in files)
    nodes = sum(1 for _ in model.graph.all_nodes())
    return Written(
        files,
        size,
        held,
        model.opset_imports[""],
        nodes,
        _ports(model.graph.inputs),
        _ports(model.graph.outputs),
    )


@contextmanager
def _apart(model: ir.Model, folder: Path, name: str) -> Generator[None]:
    """Writes large tensors to a file, one at a time; inside, the model refers to them there.

    Not by `tofile` of numpy, which onnx_ir uses: on a full disk it loses what it buffers, and says nothing.
    """
    values = [value for value in _initialized(model) if _of(value).nbytes > SMALL]
    before = [_of(value) for value in values]
    with (folder / name).open("wb") as file:
        for value in values:
            file.write(bytes(-file.tell() % ALIGNED))
            value.const_value = _written(_of(value), value.name or "", file, name)
    try:
        yield
    finally:
        for value, tensor in zip(values, before, strict=True):
            value.const_value = tensor


def _written(tensor: ir.TensorProtocol, name: str, file: BinaryIO, location: str) -> ir.ExternalTensor:
    offset = file.tell()
    shape = ir.Shape(tensor.shape.numpy())
    if tensor.dtype.bitwidth < 8:
        file.write(tensor.tobytes())
    else:
        array: np.ndarray[Any, Any] = np.ascontiguousarray(tensor.numpy())
        file.write(array.reshape(-1).view(np.uint8).data)
    length = file.tell() - offset
    return ir.ExternalTensor(location, offset, length, tensor.dtype, shape=shape, name=name)


@contextmanager
def _uncovered() -> Generator[None]:
    """What was raised while a tensor was read, without what onnx_ir wraps around it."""
    try:
        yield
    except SerdeError as error:
        cause: BaseException | None = error
        while isinstance(cause, SerdeError):
            cause = cause.__cause__
        raise cause or error from None


def _initialized(model: ir.Model) -> Iterator[ir.Value]:
    values = (value for graph in model.graphs() for value in graph.initializers.values())
    return (value for value in values if value.const_value is not None)


def _of(value: ir.Value) -> ir.TensorProtocol:
    assert value.const_value is not None, "an initializer has a value"
    return value.const_value


def tensors(model: ir.Model) -> Iterator[ir.TensorProtocol]:
    """The weights and constants of a model."""
    return (_of(value) for value in _initialized(model))


def _ports(values: Sequence[ir.Value]) -> tuple[Port, ...]:
    return tuple(_port(value) for value in values)


def _port(value: ir.Value) -> Port:
    sizes = value.shape if value.shape is not None else ()
    shape = tuple(size if isinstance(size, int) else str(size.value) for size in sizes)
    return Port(value.name or "", value.dtype.name.lower() if value.dtype is not None else "", shape)
