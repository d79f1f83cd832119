"""A plan's segments as runs of tiles: where they begin, how many tiles there are, and the i-th of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal as Word

from msgspec import Struct, structs

from archspec.dims.expr import Expr, names, write
from archspec.ir.tiles.bands import Names
from archspec.ir.tiles.order import used
from archspec.ir.tiles.plan import Segment, TilePlan, Walk

Group = Word["tested", "whole", "picked", "certain", "all"]  # certain: tested or whole
GROUPS: tuple[Group, ...] = ("tested", "whole", "picked", "certain", "all")


def group(plan: TilePlan, segment: Segment) -> Group:
    """How kernels go through a segment: testing every pair, hardly any, or first whether data picks a pair.

    Data that says which queries see which keys may leave out any tile; what it says of keys alone, such as
    padding, hardly leaves one out.
    """
    if segment.test is not None and (segment.picked or "q" in names(segment.test)):
        return "picked"
    return "tested" if segment.mask == plan.rule else "whole"


class Run(Struct, frozen=True):
    """Tiles from `begin` to before `end`: names, or numbers."""

    group: Group
    begin: str
    end: str

    @property
    def count(self) -> str:
        return self.end if self.begin == "0" else f"{self.end} - {self.begin}"


class Runs(Struct, frozen=True):
    """The runs of a walk. `lets`: the names they read, each with its expression."""

    walk: Walk
    lets: tuple[tuple[str, Expr], ...]
    runs: tuple[Run, ...]

    @classmethod
    def of(cls, plan: TilePlan, walk: Walk) -> Runs:
        lets = Names()
        lets.given.update(walk.lets)

        def named(expr: Expr) -> str:
            return write(lets.name(f"edge{len(lets.given)}", expr))

        runs = _joined([Run(group(plan, x), named(x.begin), named(x.end)) for x in walk.segments])
        read = {word for run in runs for word in (run.begin, run.end)}
        return cls(walk, used(lets, read), runs)

    @property
    def ends(self) -> tuple[str, ...]:
        """The names that the runs read."""
        return tuple(dict.fromkeys(x for run in self.runs for x in (run.begin, run.end) if not x.isdigit()))

    def of_group(self, group: Group) -> tuple[Run, ...]:
        """The runs of a group; all of them are one run where they touch."""
        chosen = {"all": ("tested", "whole", "picked"), "certain": ("tested", "whole")}.get(group, (group,))
        return _joined(structs.replace(x, group=group) for x in self.runs if x.group in chosen)


def _joined(runs: Iterable[Run]) -> tuple[Run, ...]:
    """The runs, those of one group that touch as one."""
    out: list[Run] = []
    for each in runs:
        touches = bool(out) and out[-1].end == each.begin and out[-1].group == each.group
        out[-1:] = [structs.replace(out[-1], end=each.end)] if touches else [*out[-1:], each]
    return tuple(out)


def count(runs: Sequence[Run]) -> str:
    """How many tiles there are."""
    texts = [x.count for x in runs]
    return " + ".join(f"({x})" if " " in x and len(texts) > 1 else x for x in texts) or "0"


def ith(runs: Sequence[Run], i: str = "i") -> str:
    """The number of the i-th tile."""
    if not runs:
        return "0"
    first, *rest = runs
    here = i if first.begin == "0" else f"{first.begin} + {i}"
    if not rest:
        return here
    return f"tl.where({i} < {first.count}, {here}, {ith(rest, f'{i} - ({first.count})')})"
