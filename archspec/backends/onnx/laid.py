"""An array whose operations are written as nodes.

What a recipe of a weight map does to arrays, it does to these as well: a tensor that lies in a checkpoint in
another form than ours becomes ours in the graph, and its bytes stay where they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx_ir as ir

from archspec.backends.onnx.tape import Tape


@dataclass(frozen=True, slots=True)
class Laid:
    """`value` with its axes in the order `axes`; `lengths` are those of `value`."""

    tape: Tape
    value: ir.Value
    dtype: ir.DataType
    lengths: tuple[int, ...]
    axes: tuple[int, ...]

    @classmethod
    def of(cls, tape: Tape, value: ir.Value, dtype: ir.DataType, shape: Sequence[int]) -> Laid:
        return cls(tape, value, dtype, tuple(shape), tuple(range(len(shape))))

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.lengths[axis] for axis in self.axes)

    def swapaxes(self, a: int, b: int) -> Laid:
        axes = list(self.axes)
        axes[a], axes[b] = axes[b], axes[a]
        return replace(self, axes=tuple(axes))

    def reshape(self, shape: Sequence[int]) -> Laid:
        after = self.tape.integers(*shape)
        return Laid.of(self.tape, self.tape.one("Reshape", self.written(), after), self.dtype, shape)

    def __getitem__(self, rows: slice | int | list[int]) -> Laid:
        """Rows of the first axis; one row is an array with an axis less."""
        axis = self.axes[0]
        if isinstance(rows, int):
            row = self.tape.constant(np.array(rows, dtype=np.int64))
            value = self.tape.one("Gather", self.value, row, axis=axis)
            axes = tuple(each - (each > axis) for each in self.axes[1:])
            lengths = (*self.lengths[:axis], *self.lengths[axis + 1 :])
            return replace(self, value=value, lengths=lengths, axes=axes)
        start, stop, _ = rows.indices(self.lengths[axis]) if isinstance(rows, slice) else (0, len(rows), 1)
        if isinstance(rows, slice):
            ends = (self.tape.integers(x) for x in (start, stop, axis))
            value = self.tape.one("Slice", self.value, *ends)
        else:
            value = self.tape.one("Gather", self.value, self.tape.integers(*rows), axis=axis)
        lengths = (*self.lengths[:axis], stop - start, *self.lengths[axis + 1 :])
        return replace(self, value=value, lengths=lengths)

    def written(self) -> ir.Value:
        """The array as a value, its axes in their order."""
        if self.axes == tuple(range(len(self.axes))):
            return self.value
        return self.tape.one("Transpose", self.value, perm=self.axes)


@dataclass(frozen=True, slots=True)
class Arrays:
    """What recipes need of numpy, for such arrays."""

    tape: Tape

    def concatenate(self, arrays: list[Laid], axis: int, /) -> Laid:
        value = self.tape.one("Concat", *(each.written() for each in arrays), axis=axis)
        shape = list(arrays[0].shape)
        shape[axis] = sum(each.shape[axis] for each in arrays)
        return Laid.of(self.tape, value, arrays[0].dtype, shape)

    def stack(self, arrays: list[Laid], axis: int, /) -> Laid:
        place = self.tape.integers(axis)
        each = [self.tape.one("Unsqueeze", array.written(), place) for array in arrays]
        shape = list(arrays[0].shape)
        shape.insert(axis, len(arrays))
        return Laid.of(self.tape, self.tape.one("Concat", *each, axis=axis), arrays[0].dtype, shape)
