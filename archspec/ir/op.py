"""What an operation is: an immutable description that knows the types it takes and gives."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, ClassVar, TypeAlias, get_type_hints

from msgspec import Struct

from archspec.dims import num as n
from archspec.dims.num import Num, NumError
from archspec.ir.types import DTYPES, ShapeError, TensorType, require

Mixed: TypeAlias = tuple[Sequence[int], ...]
REGISTRY: dict[str, type[Op]] = {}

# What an operation does, and so how it is counted: multiplies and adds matrices, computes each element of its
# result, folds the elements of its first operand, only moves elements, makes some from nothing, keeps some.
WORK = ("product", "elementwise", "reduction", "movement", "source", "state")


class Op(Struct, frozen=True):
    """The base of all operations. Fields of a subclass are its attributes; operands are given to `infer`.

    `infer` takes one type per operand (None for an absent optional one), checks them, and returns the
    result types. It raises `ShapeError`. Its parameters say which operands there are: one with a default
    may be missing, one annotated `TensorType | None` may be absent.
    """

    name: ClassVar[str] = ""
    work: ClassVar[str] = ""  # one of `WORK`; an operation of the language states it

    def __init_subclass__(cls) -> None:
        """A class variable `dialect` marks a backend's own operation, which is not part of the language."""
        cls.name = re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()
        if "dialect" not in cls.__dict__:
            REGISTRY[cls.name] = cls

    def infer(self, *types: Any, **_: Any) -> tuple[TensorType, ...]:
        raise AssertionError(f"{type(self).__name__} states no types")

    def mixes(self, *types: Any, **_: Any) -> Mixed:
        """For each operand the axes along which a result depends on elements at other places than its own.

        What is not stated here has none; an axis may count from the end.
        """
        return ()

    def flops(self, *types: Any, **_: Any) -> Num:
        """FLOPs of the products in it, 2 per multiply-add; adding a bias is not counted."""
        if self.work not in WORK or self.work == "product":
            raise AssertionError(f"{type(self).__name__} states no FLOPs")
        return n.num(0)

    def backward_flops(self, needed: Sequence[bool], *types: Any, **_: Any) -> Num:
        """FLOPs of the products that give the gradients of the operands that are `needed`.

        A product of two operands gives each one's gradient by a product of the same size.
        """
        return sum(needed[:2]) * self.flops(*types)

    def elementwise(self, *types: Any, **_: Any) -> Num:
        """Operations on single elements, apart from products, as when evaluating.

        One for each element of the first result (`elementwise`) or of the first operand (`reduction`), unless
        a class says otherwise: a function such as exp counts as one, a comparison too; moving is none.
        """
        if self.work == "elementwise":
            return n.product(self.infer(*types)[0].shape)
        if self.work == "reduction":
            return n.product(types[0].shape)
        if self.work not in WORK:
            raise AssertionError(f"{type(self).__name__} states no work")
        return n.num(0)

    def attributes(self) -> tuple[tuple[str, object], ...]:
        """Attribute names and values, in the order they are declared."""
        return tuple((name, getattr(self, name)) for name in self.__struct_fields__)


def result_types(op: Op, operands: Sequence[TensorType | None]) -> tuple[TensorType, ...]:
    """`op.infer(*operands)` for operands of any number and kind.

    Raises `ShapeError`, whatever is wrong.
    """
    _require_fit(op, operands)
    for x in operands:
        require(x is None or x.dtype in DTYPES, "T010", f"{op.name}: {x} has an unknown dtype")
    try:
        return op.infer(*operands)
    except NumError as error:
        raise ShapeError("T014", f"{op.name}: {error}") from None


def mixed(op: Op, operands: Sequence[TensorType | None]) -> Iterator[tuple[TensorType, int]]:
    """The operands that `op` mixes, each with an axis along which it does."""
    for x, axes in zip(operands, op.mixes(*operands), strict=False):
        if x is not None:
            yield from ((x, axis % x.rank) for axis in axes)


def _require_fit(op: Op, operands: Sequence[TensorType | None]) -> None:
    least, most, absent = _operands(type(op))
    expected = (
        f"{least}" if most == least else f"{least} to {most}" if most is not None else f"{least} or more"
    )
    fits = least <= len(operands) and (most is None or len(operands) <= most)
    require(fits, "T013", f"{op.name} takes {expected} operands, not {len(operands)}")
    for position, operand in enumerate(operands):
        may_be_absent = absent[min(position, len(absent) - 1)]
        require(
            operand is not None or may_be_absent,
            "T013",
            f"{op.name}: operand {position + 1} may not be absent",
        )


@cache
def _operands(kind: type[Op]) -> tuple[int, int | None, tuple[bool, ...]]:
    """The least and most operands, and for each whether it may be absent."""
    hints = get_type_hints(kind.infer)
    given = [p for p in inspect.signature(kind.infer).parameters.values() if p.name != "self"]
    open_ended = any(p.kind is p.VAR_POSITIONAL for p in given)
    least = sum(p.default is p.empty and p.kind is not p.VAR_POSITIONAL for p in given)
    absent = tuple(hints[p.name] != TensorType for p in given)
    return least, None if open_ended else len(given), absent
