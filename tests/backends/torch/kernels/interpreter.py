"""Triton's interpreter: kernels run on a CPU, operation by operation, in numpy.

tests/conftest.py sets TRITON_INTERPRET before anything imports triton; a process interprets or compiles,
never both. Importing this module repairs what the interpreter gets wrong with bfloat16, held as bits of a
whole number: products of matrices multiply these (triton issue 11584), casts from float32 do not round.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

triton = pytest.importorskip("triton", reason="there is no triton for this system")

from triton import language as tl  # noqa: E402 only where there is a triton
from triton.runtime import interpreter  # noqa: E402

if not isinstance(tl.cdiv, interpreter.InterpretedFunction):
    raise RuntimeError(
        "something imported triton before TRITON_INTERPRET=1 was set: tests/conftest.py sets it"
    )

_as_shipped: Any = interpreter.InterpreterBuilder.cast_impl


def widened(bits: np.ndarray) -> np.ndarray:
    """bfloat16 as float32."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def rounded(values: np.ndarray) -> np.ndarray:
    """float32 as bits of bfloat16: the nearest, the even one of two; NaN stays NaN."""
    bits = np.ascontiguousarray(values).view(np.uint32)
    near = (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16
    return np.where(np.isnan(values), 0x7FC0, near).astype(np.uint16)


def _cast(self: Any, src: Any, dst_type: Any) -> Any:
    source, target = src.dtype.scalar, dst_type.scalar
    if source == tl.bfloat16 and target != tl.bfloat16:
        return _cast(self, interpreter.TensorHandle(widened(src.data), tl.float32), dst_type)
    if target == tl.bfloat16 and source != tl.bfloat16:
        return interpreter.TensorHandle(rounded(src.data.astype(np.float32)), target)
    return _as_shipped(self, src, dst_type)


def _dot(self: Any, a: Any, b: Any, d: Any, input_precision: Any, max_num_imprecise_acc: Any) -> Any:
    x, y = (widened(m.data) if m.dtype.scalar == tl.bfloat16 else m.data for m in (a, b))
    return interpreter.TensorHandle(np.matmul(x, y, dtype=d.data.dtype) + d.data, d.dtype.scalar)


interpreter.InterpreterBuilder.cast_impl = _cast
interpreter.InterpreterBuilder.create_dot = _dot
