"""Parameters as tensors of a file: read one at a time when they are written, or left where they lie."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir
from msgspec import Struct

from archspec.backends.onnx.place import DTYPES
from archspec.errors import Diagnostic, WeightsError
from archspec.ir.graph import Param

Array: TypeAlias = np.ndarray[Any, Any]
LARGEST_HALF = 65504.0


class Bytes(Struct, frozen=True):
    """A tensor in a file that is there. `file` is the path from the folder of the model."""

    file: str
    offset: int
    length: int
    shape: tuple[int, ...]
    dtype: ir.DataType


def dtype_of(param: Param, dtype: str) -> ir.DataType:
    """What a parameter is stored in, in a model of this dtype."""
    own = param.value.type.dtype
    return DTYPES[dtype if own == "float" else own]


def lazily(name: str, param: Param, dtype: str, read: Callable[[], Array]) -> ir.LazyTensor:
    """A parameter that is read, and cast, when it is written, and then forgotten.

    Raises WeightsError O010, then, where a number is too large for float16.
    """
    wanted = dtype_of(param, dtype)
    shape = ir.Shape([int(size) for size in param.value.type.shape])

    def made() -> ir.TensorProtocol:
        return ir.Tensor(_cast(read(), wanted, name), dtype=wanted, shape=shape, name=name)

    return ir.LazyTensor(made, dtype=wanted, shape=shape, name=name)


def _cast(array: Array, wanted: ir.DataType, name: str) -> Array:
    if array.dtype == wanted.numpy():
        return array
    if wanted == ir.DataType.FLOAT16:
        most = np.abs(array).max(initial=0)
        if np.isfinite(most) and most > LARGEST_HALF:
            message = f"'{name}' holds {float(most):g}, and float16 reaches {LARGEST_HALF:g}"
            raise WeightsError(Diagnostic("O010", message, None, "export in bfloat16 or float32"))
    return array.astype(wanted.numpy())


def in_place(name: str, at: Bytes, folder: Path) -> ir.ExternalTensor:
    """A tensor whose bytes stay in a file beside the model, or below it."""
    shape = ir.Shape(at.shape)
    return ir.ExternalTensor(at.file, at.offset, at.length, at.dtype, shape=shape, name=name, base_dir=folder)
