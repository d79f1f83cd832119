"""The sizes a report is made for: run-time sizes as numbers, or left as symbols."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from archspec.dims import poly
from archspec.dims.num import Num
from archspec.dims.poly import Poly, Size
from archspec.errors import ArchspecError, Collector, Diagnostic, did_you_mean
from archspec.ir.graph import Graph
from archspec.ir.types import TensorType

PAST = "past"


@dataclass(frozen=True, slots=True)
class Sizes:
    """A number for each run-time size of a graph that has one; the others stay symbols.

    `past` is how many tokens are held already: 0 in a full forward.
    """

    values: Mapping[str, int]
    known: dict[Poly, Size] = field(default_factory=dict[Poly, Size], compare=False)

    @classmethod
    def of(cls, graph: Graph, given: Mapping[str, int], *, past: int | None = 0) -> Sizes:
        """`past` None leaves it a symbol.

        Raises ArchspecError A002 for a size that the model does not have, or that is not positive.
        """
        found = Collector()
        for name, value in given.items():
            _check(graph, name, value, found)
        if past is not None and past < 0:
            found.add("A002", f"{past} tokens cannot be held", None, "0 or more")
        found.raise_if_any(ArchspecError)
        return cls(dict(given) if past is None else {**given, PAST: past})

    @property
    def cached(self) -> bool:
        """Whether tokens are held already, so that what is computed once is there."""
        return self.values.get(PAST, 1) > 0

    def size(self, number: Num) -> Size:
        """The number at these sizes. Raises ArchspecError A002 where it divides by zero."""
        value = number.size
        return self._at(value) if isinstance(value, Poly) else value

    def _at(self, value: Poly) -> Size:
        if value not in self.known:
            try:
                self.known[value] = poly.evaluate(value, self.values)
            except ZeroDivisionError:
                raise _refused(f"{poly.show(value)} divides by zero at these sizes") from None
        return self.known[value]

    def type(self, type_: TensorType) -> TensorType:
        """The type at these sizes, sizes written as before."""
        if all(size.static for size in type_.shape):
            return type_
        return type_.with_shape(*(Num(self.size(s), s.expr) for s in type_.shape))


def number(size: Size, what: str) -> int:
    """A total as a number. Raises ArchspecError A001, which names the sizes that were not given."""
    if isinstance(size, int):
        return size
    missing = sorted(poly.symbols(size))
    hint = f"give {', '.join(f'{name}=…' for name in missing)}"
    raise ArchspecError(Diagnostic("A001", f"{what} depends on {', '.join(missing)}", None, hint))


def _check(graph: Graph, name: str, value: int, found: Collector) -> None:
    if name not in graph.dims:
        hint = did_you_mean(name, graph.dims) or f"sizes: {', '.join(graph.dims) or 'none'}"
        found.add("A002", f"{graph.name} has no size '{name}'", None, hint)
    elif value < 1:
        found.add("A002", f"{name} is {value}", None, "a size is 1 or more")


def _refused(message: str) -> ArchspecError:
    return ArchspecError(Diagnostic("A002", message))
