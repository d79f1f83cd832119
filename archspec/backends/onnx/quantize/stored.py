"""Matrices in fewer bits, each computed when it is written: one at a time is in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Any

import numpy as np
import onnx_ir as ir

Array = np.ndarray[Any, Any]
LEAST = float(np.finfo(np.float32).tiny)


def lazy(name: str, dtype: ir.DataType, shape: Sequence[int], make: Callable[[], Array]) -> ir.LazyTensor:
    """A tensor that `make` gives when it is read."""
    sizes = ir.Shape(shape)
    return ir.LazyTensor(
        lambda: ir.Tensor(make(), dtype=dtype, shape=sizes, name=name), dtype=dtype, shape=sizes, name=name
    )


class Rows8:
    """A matrix in 8 bits and a scale for each of its rows: about `values * scale`, values of -127 to 127."""

    def __init__(self, rows: Callable[[], Array]) -> None:
        self.rows = rows

    @cached_property
    def scale(self) -> Array:
        """float32 [N]; 1 for a row of zeros."""
        most = np.abs(self.rows()).max(axis=1, initial=0)
        return np.where(most > LEAST, most / 127, 1).astype(np.float32)

    def values(self) -> Array:
        """int8 [N, K]."""
        return np.rint(self.rows() / self.scale[:, None]).astype(np.int8)


class Blocks4:
    """A matrix [N, K] in 4 bits, with a scale, and a zero point where asked, for each block of a row.

    As MatMulNBits reads it: value = (bits - zero) * scale, zero 8 where there are no zero points; two values
    to a byte, the first of them in the lower bits.
    https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md#com.microsoft.MatMulNBits
    """

    def __init__(self, rows: Callable[[], Array], block: int, *, zero_points: bool) -> None:
        self.rows, self.block, self.zero_points = rows, block, zero_points

    def packed(self) -> Array:
        """uint8 [N, blocks, block / 2]."""
        blocks = self._blocks()
        scale, zero = self._scale_and_zero(blocks)
        bits = np.clip(np.rint(blocks / scale[..., None]) + zero[..., None], 0, 15).astype(np.uint8)
        return bits[..., 0::2] | (bits[..., 1::2] << 4)

    def scales(self) -> Array:
        """float32 [N, blocks]."""
        return self._scale_and_zero(self._blocks())[0]

    def zeros(self) -> Array:
        """uint8 [N, blocks / 2], two to a byte."""
        zero = self._scale_and_zero(self._blocks())[1].astype(np.uint8)
        even = np.pad(zero, ((0, 0), (0, zero.shape[1] % 2)))
        return even[:, 0::2] | (even[:, 1::2] << 4)

    def _blocks(self) -> Array:
        """The rows as [N, blocks, block], zeros behind their end."""
        rows = self.rows()
        padded = np.pad(rows, ((0, 0), (0, -rows.shape[1] % self.block)))
        return padded.reshape(len(rows), -1, self.block)

    def _scale_and_zero(self, blocks: Array) -> tuple[Array, Array]:
        """Without zero points the number of the largest magnitude is -8, so that all of the range is used."""
        if self.zero_points:
            low, high = blocks.min(axis=2, initial=0), blocks.max(axis=2, initial=0)
            scale = _nonzero((high - low) / 15)
            return scale, np.clip(np.rint(-low / scale), 0, 15)
        places = np.abs(blocks).argmax(axis=2)[..., None]
        most = np.take_along_axis(blocks, places, axis=2)[..., 0]
        return _nonzero(most / -8), np.full(most.shape, 8.0, np.float32)


def _nonzero(scale: Array) -> Array:
    return np.where(np.abs(scale) > LEAST, scale, 1).astype(np.float32)
