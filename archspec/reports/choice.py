"""A choice between models, told as tables: figures, verdicts with their reasons, and what is not known."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from archspec import units
from archspec.analysis.ranges import Range
from archspec.reports.candidates import COSTS, Candidate, dominated
from archspec.reports.measures import MEASURES, Figure
from archspec.reports.table import Row, Table, Value

# By which a choice is made where nothing is said: the first of these that is known.
_PREFERRED = ("cost", "latency", "flops")
UNKNOWN = (
    "not known: accuracy. A model that costs more may be the better one: compare both on data of the task",
    "times and prices are ranges; models are compared as if all reached the same efficiency",
)


class Choice(Struct, frozen=True):
    """Candidates at one setting of sizes; `best` is the cheapest by the measure `by` that is not excluded."""

    sizes: Mapping[str, int]
    candidates: tuple[Candidate, ...]
    by: str
    best: str | None

    @classmethod
    def of(cls, sizes: Mapping[str, int], found: Sequence[Candidate], by: str | None = None) -> Choice:
        """What keeps every constraint at both ends of estimates comes before what may break one."""
        by = by or next(
            m for m in _PREFERRED if any(one.figures.get(m) is not None for one in found) or m == "flops"
        )
        allowed = [one for one in found if not one.excluded]
        best = min(allowed, key=lambda one: (bool(one.doubtful), _order(one, by)), default=None)
        return cls(sizes, tuple(found), by, best and best.name)

    @property
    def title(self) -> str:
        return ", ".join(f"{name}={value:,}" for name, value in self.sizes.items())

    def get(self, name: str) -> Candidate:
        return next(one for one in self.candidates if one.name == name)

    def tables(self) -> Iterator[Table]:
        yield self._figures()
        yield self._verdicts()

    def _figures(self) -> Table:
        names = [m for m in MEASURES if any(m in one.figures for one in self.candidates)]
        rows = [
            Row(MEASURES[m].label, tuple(one.figures.get(m) for one in self.candidates), MEASURES[m].unit)
            for m in names
        ]
        longest: tuple[Value, ...] = tuple(one.longest or "no table" for one in self.candidates)
        rows.append(Row("longest input", longest, "", "as its table of positions allows"))
        return Table(f"At {self.title}", tuple(rows), tuple(one.name for one in self.candidates))

    def _verdicts(self) -> Table:
        rows = [
            Row(one.name, (verdict,), "", why) for one in self.candidates for verdict, why in [self._of(one)]
        ]
        chosen = f"recommended: {self.best}" if self.best else "no model meets the constraints"
        return Table(f"Choice at {self.title}: {chosen}", tuple(rows), notes=UNKNOWN)

    def _of(self, one: Candidate) -> tuple[str, str]:
        """What is to be said of a candidate: a word, and why."""
        if one.excluded:
            return "excluded", "; ".join(one.excluded)
        doubt = f"; in doubt: {'; '.join(one.doubtful)}" if one.doubtful else ""
        if one.name == self.best:
            return "recommended", f"least in {MEASURES[self.by].label} of what meets the constraints{doubt}"
        better = dominated(one, [other for other in self.candidates if not other.excluded])
        if better:
            return (
                "dominated",
                f"costs no less than {better} in anything: only accuracy can speak for it{doubt}",
            )
        return "possible", f"{self._trade(one)}{doubt}"

    def _trade(self, one: Candidate) -> str:
        """What one would gain and pay, beside the recommended one."""
        assert self.best is not None
        best = self.get(self.best)
        ratios = [(m, _ratio(one.figures.get(m), best.figures.get(m))) for m in COSTS]
        told = [f"{MEASURES[m].label} {units.digits(ratio)}x" for m, ratio in ratios if ratio]
        longer = one.longest is None or (best.longest is not None and one.longest > best.longest)
        told += ["takes longer inputs"] if longer and best.longest else []
        return f"beside {self.best}: {', '.join(told)}"


def _order(one: Candidate, by: str) -> float:
    return -one.at_worst(by) if MEASURES[by].more else one.at_worst(by)


def _ratio(a: Figure, b: Figure) -> float | None:
    first, second = ((x.worst if isinstance(x, Range) else x) for x in (a, b))
    return first / second if first and second else None


def overall(choices: Sequence[Choice]) -> Table:
    """Which model holds at every setting of sizes, where there are several."""
    names = [one.name for one in choices[0].candidates]
    rows = [Row(name, (_holds_at(name, choices),), "", "; ".join(_reasons(name, choices))) for name in names]
    everywhere = [name for name in names if not any(choice.get(name).excluded for choice in choices)]
    best = min(everywhere, key=lambda name: _standing(name, choices), default=None)
    each = "; ".join(f"{choice.title}: {choice.best or 'none'}" for choice in choices)
    notes = (f"with a model for each setting: {each}", *UNKNOWN[:1])
    told = f"recommended for all: {best}" if best else "no model meets the constraints at all of them"
    return Table(f"Over all sizes: {told}", tuple(rows), notes=notes)


def _standing(name: str, choices: Sequence[Choice]) -> tuple[bool, float]:
    found = [(choice.get(name), choice.by) for choice in choices]
    return any(one.doubtful for one, _ in found), sum(_order(one, by) for one, by in found)


def _holds_at(name: str, choices: Sequence[Choice]) -> str:
    held = sum(not choice.get(name).excluded for choice in choices)
    return f"{held} of {len(choices)}"


def _reasons(name: str, choices: Sequence[Choice]) -> Iterator[str]:
    for choice in choices:
        reasons = choice.get(name).excluded
        if reasons:
            yield f"{choice.title}: {', '.join(reasons)}"
