"""What is in scope while a body is lowered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, TypeAlias, TypeVar

from archspec.components.base import Place, Problem
from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Binary, Expr, Literal, Name, children, names_in
from archspec.dims.num import Num, Value, symbol
from archspec.errors import LoweringError, Span
from archspec.ir.builder import Builder, Handle
from archspec.ir.graph import Init
from archspec.lowering.faults import FAULTS, Broken, diagnose
from archspec.spec.node import Node
from archspec.spec.tree import Step

if TYPE_CHECKING:
    from archspec.lowering.lower import Lowering

Maybe: TypeAlias = "Handle | None"
Vary: TypeAlias = dict[str, tuple[Span, Node]]
T = TypeVar("T")


@dataclass(slots=True)
class LoopIndex:
    """The index of the loop around a body; `read` once anything looked at it."""

    value: Num
    read: bool = False


@dataclass(slots=True)
class Pushed:
    """What lies on a stack, and where it was pushed."""

    value: Maybe
    span: Span


@dataclass(slots=True)
class Frame:
    """Names in scope. A tensor that failed is None: whoever reads it is left out quietly.

    `failed` are names of values that have none, because what should give them was reported; then this body is
    not `whole`, and gives nothing.
    `closed`: in a block that sees neither params, defaults nor sizes of the document.
    `left_out` are optional inputs of a block that this use of it was not given; they are null.
    `starts` are the arguments of a block that say how weights start.
    `vary` holds replacements for this body's steps, by dotted path, each with where that path is written;
    `used` the paths that found one; `outside` the tensors of the caller, which a block does not see.
    """

    lowering: Lowering
    builder: Builder
    values: dict[str, Value]
    tensors: dict[str, Maybe]
    stacks: dict[str, list[Pushed]]
    x: Maybe = None
    fresh: bool = True
    index: LoopIndex | None = None
    failed: frozenset[str] = frozenset()
    whole: bool = True
    closed: bool = False
    outside: frozenset[str] = frozenset()
    left_out: frozenset[str] = frozenset()
    starts: dict[str, Init] = field(default_factory=dict[str, "Init"])
    steps: dict[str, Step] = field(default_factory=dict[str, "Step"])
    vary: Vary = field(default_factory=dict[str, tuple[Span, Node]])
    used: set[str] = field(default_factory=set[str])

    @property
    def dims(self) -> Mapping[str, None]:
        """The sizes of inputs that have a meaning here."""
        return {} if self.closed else self.lowering.dims

    def place(self, name: str, *, anonymous: bool = False) -> Place:
        return Place(self.builder, name, self.lowering.stream, anonymous)

    def child(self, builder: Builder) -> Frame:
        """The scope of a body inside this one: sees all of it, adds to none."""
        return replace(
            self,
            builder=builder,
            values=dict(self.values),
            tensors=dict(self.tensors),
            steps={},
            vary={},
            used=set(),
        )

    def attempt(self, span: Span, read: Callable[[], T]) -> T | None:
        """What `read` gives; None where it fails, the reason reported, so that the rest is still judged."""
        try:
            return read()
        except Broken:
            return None
        except LoweringError as error:
            self.lowering.report(error)
        except FAULTS as fault:
            self.lowering.report(LoweringError(diagnose(fault, span)))
        return None

    def knows(self, name: str) -> bool:
        """Whether a name stands for anything here, be it broken."""
        return self._has_failed(name) or name in self.tensors or name in self.options()

    def _has_failed(self, name: str) -> bool:
        """Whether a name that means nothing here would, had all been read."""
        low = self.lowering
        return not low.whole or name in self.failed or name in low.settings.failed

    def flowing(self) -> Maybe:
        """The value that flows, None where it failed.

        Raises `Problem` L003 where nothing flows yet.
        """
        if self.fresh:
            known = [name for name, tensor in self.tensors.items() if tensor is not None]
            hint = (
                f"name one: 'in: {known[0]}'" if known else "start with an op that makes one, such as param"
            )
            raise Problem("L003", "no value flows here yet", hint=hint)
        return self.x

    def running(self) -> Handle:
        """The value that flows.

        Raises `Problem` L003 where nothing flows yet, `Broken` where it failed.
        """
        x = self.flowing()
        if x is None:
            raise Broken
        return x

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
        if name in self.left_out:
            return None
        if name == "past":
            return self.place("").past
        if name in self.dims:
            return symbol(name)
        broken = name == "width" and self.x is None and not self.fresh
        if broken or self._has_failed(name):
            raise Broken
        raise KeyError(self.options())

    def evaluate(self, expr: Expr) -> Value:
        """A number, word, boolean or list that is decided before the model runs.

        Raises `EvalError`, `Broken`.
        """
        tensors = [word for word in names_in(expr) if self._means_tensor(word.id)]
        if tensors:
            self._only_given(expr, tensors)
        given = {word.id for word in tensors}
        return evaluate(expr, lambda name: True if name in given else self.value(name))

    def _means_tensor(self, name: str) -> bool:
        return name in self.tensors and name not in self.failed and name not in self.options()

    def _only_given(self, expr: Expr, tensors: list[Name]) -> None:
        """Checks that nothing of tensors is read but whether they are there, and that this is known.

        Raises `EvalError` N005, `Broken`.
        """
        computed = {id(word) for word in _computed_with(expr)}
        for word in tensors:
            if id(word) in computed:
                message = f"'{word.id}' is a tensor, known only when the model runs"
                raise EvalError("N005", message, word, "numbers follow from params")
            if self.tensor(word.id).value.optional:
                message = f"whether '{word.id}' is given is known only when the model runs"
                hint = f"hand it on as it is, or read 'otherwise({word.id}, …)'"
                raise EvalError("N005", message, word, hint)

    def is_null(self, name: object) -> bool:
        """Whether a word stands for nothing at all: an input left out, or an argument that is null."""
        if not isinstance(name, str) or name in self.tensors:
            return False
        return name in self.left_out or (name in self.values and self.values[name] is None)

    def options(self) -> tuple[str, ...]:
        """The names that stand for a number, a word or a list here."""
        extra = (*(["i"] if self.index else []), *(["width"] if self.x is not None else []))
        return (*self.values, *extra, *self.dims)

    def why_unknown(self, name: str) -> str | None:
        """Why a tensor that exists elsewhere is not here."""
        condition = self.lowering.absent.get(name)
        if condition:
            return f"'{name}' is there only when {condition}"
        if self.closed and name in self.lowering.settings.nodes:
            return f"a closed block sees no params: declare '{name}' under 'args'"
        outside = f"a block sees only its own inputs: declare '{name}' under 'in'"
        return outside if name in self.outside else None

    def tensor(self, name: str) -> Handle:
        """A tensor by name; raises KeyError with the names known."""
        if name == "_":
            return self.running()
        if name in self.tensors:
            found = self.tensors[name]
            if found is None:
                raise Broken
            return found
        raise KeyError(tuple(name for name, tensor in self.tensors.items() if tensor is not None))


def _computed_with(expr: Expr) -> Iterator[Name]:
    """The names whose values an expression needs; not those that it compares with null."""
    match expr:
        case Name():
            yield expr
        case Binary(op="==" | "!=", left=Name(), right=Literal(value=None)):
            return
        case _:
            for child in children(expr):
                yield from _computed_with(child)
