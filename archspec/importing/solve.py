"""Params from equations. Each step takes an equation with the fewest params that are not known yet.

One unknown: the values that may solve it are tried, and those that do are kept. More than one: an unknown
takes the values it is known to take. Several values are several branches, so every solution is found.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

from msgspec import Struct

from archspec.dims.evaluate import EvalError, evaluate
from archspec.dims.expr import Expr, Name
from archspec.dims.num import Value
from archspec.importing.domain import Domains
from archspec.importing.equations import Equation, Known
from archspec.importing.fields import reads
from archspec.importing.harmless import table
from archspec.importing.roots import roots

MAX_SOLUTIONS = 16
MAX_STEPS = 20_000


class Contradiction(Struct, frozen=True):
    """An equation that cannot hold, with what was known and the param it would have told, if any."""

    equation: Equation
    known: Known
    unknown: str | None


class Solver:
    """The equations of one file over the params of one spec."""

    def __init__(self, domains: Domains, equations: tuple[Equation, ...]) -> None:
        self.domains, self.equations = domains, equations
        self.steps = 0

    def solutions(self) -> list[Known]:
        """Every choice of params that satisfies all equations, each once; at most `MAX_SOLUTIONS`."""
        every = list(islice(self._search({}, self.equations), MAX_SOLUTIONS))
        return [known for number, known in enumerate(every) if known not in every[:number]]

    def contradictions(self) -> Iterator[Contradiction]:
        """What does not hold when each equation is taken in turn, the first solution of each for granted."""
        known: Known = {}
        pending = self.equations
        while pending:
            chosen, pending = _next(pending, known)
            unknown = _unknown(chosen, known)
            if len(unknown) > 1:
                known[unknown[0]] = self.domains.of(unknown[0])[0]
                pending = (chosen, *pending)
            elif unknown and (values := self._values(chosen, unknown[0], known)):
                known[unknown[0]] = values[0]
            elif unknown or not holds(chosen, known):
                yield Contradiction(chosen, dict(known), unknown[0] if unknown else None)

    def _search(self, known: Known, pending: tuple[Equation, ...]) -> Iterator[Known]:
        self.steps += 1
        if not pending or self.steps > MAX_STEPS:
            yield from () if pending else (known,)
            return
        chosen, rest = _next(pending, known)
        unknown = _unknown(chosen, known)
        if not unknown:
            yield from self._search(known, rest) if holds(chosen, known) else ()
        elif len(unknown) == 1:
            for value in self._values(chosen, unknown[0], known):
                yield from self._search({**known, unknown[0]: value}, rest)
        else:
            for value in self.domains.of(unknown[0]):
                yield from self._search({**known, unknown[0]: value}, pending)

    def _values(self, equation: Equation, name: str, known: Known) -> list[Value]:
        """The values of one param that solve an equation, those that the spec speaks of first."""
        given = (value for value in _proposed(equation, name, known) if self.domains.allows(name, value))
        spoken = self.domains.of(name)
        proposed = sorted(dict.fromkeys((*given, *spoken)), key=lambda value: value not in spoken)
        return [value for value in proposed if holds(equation, {**known, name: value})]


def _next(pending: tuple[Equation, ...], known: Known) -> tuple[Equation, tuple[Equation, ...]]:
    """The equation to take now: fewest unknowns, then plain params first; and the others."""

    def rank(number: int) -> tuple[int, bool]:
        equation = pending[number]
        return len(_unknown(equation, known)), not isinstance(equation.left, Name)

    best = min(range(len(pending)), key=rank)
    return pending[best], (*pending[:best], *pending[best + 1 :])


def _unknown(equation: Equation, known: Known) -> list[str]:
    return [name for name in reads(equation.left, equation.right) if name not in known]


def _proposed(equation: Equation, name: str, known: Known) -> list[Value]:
    def value_of(expr: Expr) -> Value:
        return evaluate(expr, known.__getitem__)

    left, right = equation.left, equation.right
    try:
        if name in reads(right):
            return [] if name in reads(left) else list(roots(right, value_of(left), name, value_of))
        given = value_of(right)
        targets = given if equation.anyof and isinstance(given, tuple) else _alike(given)
        return [value for target in targets for value in roots(left, target, name, value_of)]
    except EvalError:
        return []


def _alike(value: Value) -> tuple[Value, ...]:
    """The value, and other words for the same."""
    return table().alike(value) if isinstance(value, str) else (value,)


def holds(equation: Equation, known: Known) -> bool:
    """Whether both sides are equal; not where one has no value."""
    try:
        left, right = (evaluate(side, known.__getitem__) for side in (equation.left, equation.right))
    except EvalError:
        return False
    if equation.anyof and isinstance(right, tuple):
        return any(_same(left, item) for item in right)
    return _same(left, right)


def _same(left: Value, right: Value) -> bool:
    """Equal, where words for one function are one word."""
    if isinstance(left, str) and isinstance(right, str):
        return table().canonical(left) == table().canonical(right)
    if isinstance(left, tuple) and isinstance(right, tuple):
        return len(left) == len(right) and all(map(_same, left, right))
    return left == right and isinstance(left, bool) == isinstance(right, bool)
