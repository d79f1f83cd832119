"""What is in scope while a body is lowered."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias

from archspec.components.base import Place
from archspec.dims.num import Num, Value
from archspec.dims.num import symbol
from archspec.ir.builder import Builder, Handle
from archspec.lowering.faults import Broken
from archspec.spec.node import Node
from archspec.spec.tree import Step

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering

Maybe: TypeAlias = "Handle | None"


@dataclass(slots=True)
class LoopIndex:
    """The index of the loop around a body; `read` once anything looked at it."""

    value: Num
    read: bool = False


@dataclass(slots=True)
class Frame:
    """Names in scope. A tensor that failed is None: whoever reads it is left out quietly.

    `vary` holds replacements for this body's steps, by dotted path; `used` the paths that found one.
    """

    lowering: Lowering
    builder: Builder
    values: dict[str, Value]
    tensors: dict[str, Maybe]
    stacks: dict[str, list[Handle]]
    x: Maybe = None
    fresh: bool = True
    index: LoopIndex | None = None
    steps: dict[str, Step] = field(default_factory=dict)
    vary: dict[str, Node] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)

    def place(self, name: str) -> Place:
        return Place(self.builder, name, self.lowering.stream)

    def child(self, builder: Builder) -> Frame:
        """The scope of a body inside this one: sees all of it, adds to none."""
        return replace(
            self, builder=builder, values=dict(self.values), tensors=dict(self.tensors), steps={}, vary={}, used=set()
        )

    def running(self) -> Handle:
        """The value that flows.

        Raises `KeyError` where nothing flows yet, `Broken` where it failed.
        """
        if self.x is None:
            raise KeyError if self.fresh else Broken
        return self.x

    def flow(self, x: Maybe) -> None:
        self.x, self.fresh = x, False

    def value(self, name: str) -> Value:
        """A number, word or list by name; raises KeyError with the names known."""
        if name == "i" and self.index is not None:
            self.index.read = True
            return self.index.value
        if name == "width" and self.x is not None and self.x.type.shape:
            return self.x.type.shape[-1]
        if name in self.values:
            return self.values[name]
        if name == "past":
            return self.place("").past
        if name in self.lowering.dims:
            return symbol(name)
        if name in self.lowering.settings.failed:
            raise Broken
        raise KeyError(tuple(self.values))

    def tensor(self, name: str) -> Handle:
        """A tensor by name; raises KeyError with the names known."""
        if name == "_":
            return self.running()
        if name in self.tensors:
            found = self.tensors[name]
            if found is None:
                raise Broken
            return found
        raise KeyError(tuple(self.tensors))

