"""What a component is, and the place it is lowered into."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import ClassVar

from msgspec import Struct

from archspec.components.fields import Fields
from archspec.dims import num as n
from archspec.dims.num import Num
from archspec.ir.builder import Builder, Handle, Results
from archspec.ir.types import TensorType

COMPONENTS: dict[str, type[Component]] = {}


class Problem(Exception):
    """A component cannot be lowered: code, message, the field at fault, hint."""

    def __init__(self, code: str, message: str, field: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.code, self.message, self.field, self.hint = code, message, field, hint


class Place(Struct, frozen=True):
    """Where a component goes: the region being built, the step's name, and the size that streams.

    `names`: all of the step's, where it names several results.
    """

    builder: Builder
    name: str
    stream: str | None = None
    anonymous: bool = False
    names: tuple[str, ...] = ()

    def results(self, count: int) -> tuple[str, ...]:
        """What several results are called: as the step says, where it names as many."""
        return self.names if len(self.names) == count else (self.name,) * count

    @property
    def past(self) -> Num:
        """Tokens already seen along the streamed size; 0 where nothing streams."""
        return n.symbol("past") if self.stream else n.num(0)

    def streams(self, size: Num) -> bool:
        """Whether `size` is the one that grows while decoding."""
        return self.stream is not None and n.same(size, n.symbol(self.stream))

    def seen(self, size: Num) -> Num:
        """Tokens already seen along an axis of this size."""
        return self.past if self.streams(size) else n.num(0)

    def inside(self, builder: Builder, name: str) -> Place:
        return Place(builder, name, self.stream)

    @property
    def value_name(self) -> str:
        """What the result is called: the step's name, or `x` where nobody gave it one."""
        return "x" if self.anonymous else self.name

    def module(
        self, component: str, body: Callable[[Builder, Results], Sequence[Handle]], *inputs: Handle
    ) -> Results:
        """A region named after the step, whose inputs are called `x`, `y`, ..."""
        child = self.builder.child(self.name, component)
        inner = tuple(child.receive(x, name) for x, name in zip(inputs, _ports(inputs), strict=True))
        return self.builder.finish(child, body(child, inner), label=self.value_name)


def _ports(inputs: Sequence[Handle]) -> tuple[str, ...]:
    return ("x", *(h.value.name for h in inputs[1:])) if inputs else ()


class Component(Fields, frozen=True):
    """A word of the language. Fields are its arguments; `lower` writes it as operations.

    `source`: the word makes a value instead of changing the one that flows (it needs no `x`).
    """

    words: ClassVar[tuple[str, ...]] = ()
    source: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__()
        COMPONENTS.update(dict.fromkeys(cls.words, cls))

    def lower(self, at: Place, *inputs: Handle) -> Results:
        raise AssertionError(f"{type(self).__name__} lowers to nothing")


def last(type_: TensorType) -> Num:
    """The width of a value: its last size."""
    if not type_.shape:
        raise Problem("T005", "a scalar has no width")
    return type_.shape[-1]
