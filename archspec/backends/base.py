"""How a backend answers for every operation: by a rule, by lowering it elsewhere, or not, with the reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeAlias, TypeVar

from msgspec import Struct

from archspec.ir.op import Op

AnyOp = TypeVar("AnyOp", bound=Op)
Context = TypeVar("Context")
Operand = TypeVar("Operand")
Result = TypeVar("Result")
Write: TypeAlias = Callable[[AnyOp, Sequence[Operand | None], Context], Result]


@dataclass(frozen=True, slots=True)
class Rule(Generic[Context, Operand, Result]):
    """`write(op, operands, context)` says the operation in the backend's terms; an absent operand is None."""

    write: Write[Any, Operand, Context, Result]


class Lowered(Struct, frozen=True):
    """No rule of its own: `by` says which part of the backend takes the operation apart."""

    by: str


class Unsupported(Struct, frozen=True):
    """The backend does not compute the operation."""

    reason: str


Verdict: TypeAlias = Rule[Context, Operand, Result] | Lowered | Unsupported


class Rules(Generic[Context, Operand, Result]):
    """One backend's verdicts, one per operation class. A second verdict on the same class is an error."""

    def __init__(self, backend: str) -> None:
        self.backend = backend
        self._verdicts: dict[type[Op], Verdict[Context, Operand, Result]] = {}

    def rule(
        self, op: type[AnyOp]
    ) -> Callable[[Write[AnyOp, Operand, Context, Result]], Write[AnyOp, Operand, Context, Result]]:
        """Decorator: the function is the rule for `op`."""

        def register(write: Write[AnyOp, Operand, Context, Result]) -> Write[AnyOp, Operand, Context, Result]:
            self._decide(op, Rule(write))
            return write

        return register

    def lowered(self, op: type[Op], by: str) -> None:
        self._decide(op, Lowered(by))

    def unsupported(self, op: type[Op], reason: str) -> None:
        self._decide(op, Unsupported(reason))

    def verdict(self, op: type[Op]) -> Verdict[Context, Operand, Result]:
        """The verdict on `op`. An operation nobody decided on is unsupported; it never passes."""
        nobody = Unsupported(f"the {self.backend} backend has no rule for '{op.name}'")
        return self._verdicts.get(op, nobody)

    @property
    def decided(self) -> frozenset[type[Op]]:
        """The operations that somebody decided on."""
        return frozenset(self._verdicts)

    def _decide(self, op: type[Op], verdict: Verdict[Context, Operand, Result]) -> None:
        if op in self._verdicts:
            raise ValueError(f"the {self.backend} backend has two verdicts on '{op.name}'")
        self._verdicts[op] = verdict
