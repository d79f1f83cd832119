"""Curves of a sweep: series over one axis, as text and as SVG with logarithmic axes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise, product
from math import ceil, floor, log10

from msgspec import Struct

from archspec import units
from archspec.reports.sweep import Swept
from archspec.reports.totals import TOTALS

_BARS = "▁▂▃▄▅▆▇█"
_MOST = 8  # series in one drawing
_COLORS = ("#1f5fa8", "#c2571a", "#2f855a", "#8a3f8f", "#a3272f", "#4b6b78", "#8c6d1f", "#3d3d3d")
_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 680, 320, 84, 44, 190, 46


class Series(Struct, frozen=True):
    """One curve: what is the same along it, and its points, x rising."""

    label: str
    points: tuple[tuple[int, int], ...]


def axis_of(swept: Swept, total: str) -> str | None:
    """The axis that curves run along: that with the most numbers; None where each has one value."""
    numeric = [name for name in _axes(swept, total) if all(isinstance(v, int) for v in swept.axes[name])]
    best = max(numeric, key=lambda name: len(swept.axes[name]), default=None)
    return best if best is not None and len(swept.axes[best]) > 1 else None


def _axes(swept: Swept, total: str) -> list[str]:
    """The axes that a total depends on."""
    return [name for name in swept.axes if TOTALS[total].sized or name not in swept.sizes]


def series(swept: Swept, total: str) -> tuple[Series, ...]:
    """The curves of a total; points that are refused, or not above zero, are left out."""
    along, names, column = axis_of(swept, total), list(swept.axes), swept.of.index(total)
    used = _axes(swept, total)
    varied = [
        i for i, name in enumerate(names) if name in used and len(swept.axes[name]) > 1 and name != along
    ]
    found = dict[str, set[tuple[int, int]]]()
    for point, row in zip(product(*swept.axes.values()), swept.rows, strict=True):
        label = " ".join(f"{names[i]}={point[i]}" for i in varied) or TOTALS[total].label
        value, x = None if isinstance(row, str) else row[column], point[names.index(along)] if along else None
        if value is not None and value > 0 and isinstance(x, int) and x > 0:
            found.setdefault(label, set()).add((x, value))
    return tuple(Series(label, tuple(sorted(points))) for label, points in found.items())


def text(swept: Swept) -> str:
    """The curves as lines of text, a block for each total; nothing where no axis has several numbers."""
    axes = {name: axis_of(swept, name) for name in swept.of}
    blocks = (
        "\n".join([f"{TOTALS[name].label} over {along}, logarithmic", *_sparklines(swept, name), ""])
        for name, along in axes.items()
        if along
    )
    return "\n".join(blocks)


def _sparklines(swept: Swept, total: str) -> Iterator[str]:
    """A line of bars for each curve, all on one logarithmic scale, with its two ends."""
    curves = _some(series(swept, total))
    values = [y for curve in curves for _, y in curve.points]
    low, high = log10(min(values, default=1)), log10(max(values, default=10))
    width = max((len(curve.label) for curve in curves), default=0)
    for curve in curves:
        shown = [curve.points[i][1] for i in _picked(len(curve.points), 48)]
        bars = "".join(_BARS[round((log10(y) - low) / ((high - low) or 1) * (len(_BARS) - 1))] for y in shown)
        first, last = (_shown(curve.points[i][1], total) for i in (0, -1))
        yield f"  {curve.label.ljust(width)}  {bars}  {first} … {last}"


def _some(curves: Sequence[Series]) -> list[Series]:
    """As many as can be told apart, from the first to the last."""
    return [curves[i] for i in _picked(len(curves), _MOST)]


def _picked(count: int, most: int) -> Sequence[int]:
    return range(count) if count <= most else [round(i * (count - 1) / (most - 1)) for i in range(most)]


def svg(swept: Swept) -> str:
    """All totals below each other, each with at most eight curves. Standalone, without scripts."""
    totals = [name for name in swept.of if axis_of(swept, name)]
    height = max(1, len(totals)) * _HEIGHT
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH}" height="{height}" font-size="12" '
    lines = [head + f'font-family="system-ui, sans-serif" viewBox="0 0 {_WIDTH} {height}">']
    lines.append('<rect width="100%" height="100%" fill="#ffffff"/>')
    for i, total in enumerate(totals):
        lines += [f'<g transform="translate(0 {i * _HEIGHT})">', *_panel(swept, total), "</g>"]
    return "\n".join([*lines, "</svg>", ""])


def _panel(swept: Swept, total: str) -> Iterator[str]:
    every = series(swept, total)
    curves = _some(every)
    yield _text(_LEFT, 22, TOTALS[total].label, "start", 'font-size="14" font-weight="600"')
    if not curves:
        yield _text(_LEFT, _HEIGHT / 2, "no point has a value", "start")
        return
    x = _Scale.of([p[0] for c in curves for p in c.points], _LEFT, _WIDTH - _RIGHT)
    y = _Scale.of([p[1] for c in curves for p in c.points], _HEIGHT - _BOTTOM, _TOP)
    yield from _grid(x, y, total)
    yield _text((_LEFT + _WIDTH - _RIGHT) / 2, _HEIGHT - 10, axis_of(swept, total) or "", "middle")
    ends = _apart([y.at(curve.points[-1][1]) for curve in curves])
    for curve, color, end in zip(curves, _COLORS, ends, strict=False):
        path = " ".join(f"{x.at(px):.1f},{y.at(py):.1f}" for px, py in curve.points)
        yield f'<polyline points="{path}" fill="none" stroke="{color}" stroke-width="1.8"/>'
        if len(curve.points) <= 24:
            dots = (f'<circle cx="{x.at(a):.1f}" cy="{y.at(b):.1f}" r="2.4"/>' for a, b in curve.points)
            yield f'<g fill="{color}">{"".join(dots)}</g>'
        yield _text(_WIDTH - _RIGHT + 10, end + 4, curve.label, "start", f'fill="{color}"')
    if len(every) > _MOST:
        yield _text(_WIDTH - _RIGHT + 10, 22, f"{_MOST} of {len(every)} curves", "start", 'fill="#666"')


class _Scale(Struct, frozen=True):
    """Logarithms of values to pixels."""

    low: float
    high: float
    begin: float
    end: float

    @classmethod
    def of(cls, values: Sequence[int], begin: float, end: float) -> _Scale:
        low, high = log10(min(values)), log10(max(values))
        margin = (high - low) * 0.03 or 0.1
        return cls(low - margin, high + margin, begin, end)

    def at(self, value: float) -> float:
        return self.begin + (log10(value) - self.low) / (self.high - self.low) * (self.end - self.begin)

    def ticks(self) -> list[float]:
        """Powers of ten, and where there are few of them 2 and 5 times these, or finer."""
        for steps in ((1,), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
            powers = range(floor(self.low), ceil(self.high) + 1)
            found = [
                s * 10.0**p for p in powers for s in steps if self.low <= log10(s * 10.0**p) <= self.high
            ]
            if len(found) >= 3:
                return found[:: ceil(len(found) / 9)]
        return [10**self.low, 10**self.high]


def _grid(x: _Scale, y: _Scale, total: str) -> Iterator[str]:
    for tick in y.ticks():
        at = f"{y.at(tick):.1f}"
        yield f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{at}" y2="{at}" stroke="#e4e4e4"/>'
        yield _text(_LEFT - 8, y.at(tick) + 4, _shown(tick, total), "end", 'fill="#444"')
    for tick in x.ticks():
        at = f"{x.at(tick):.1f}"
        yield f'<line y1="{_TOP}" y2="{_HEIGHT - _BOTTOM}" x1="{at}" x2="{at}" stroke="#f0f0f0"/>'
        yield _text(x.at(tick), _HEIGHT - _BOTTOM + 16, units.digits(tick), "middle", 'fill="#444"')
    bottom = _HEIGHT - _BOTTOM
    yield f'<path d="M{_LEFT} {_TOP}V{bottom}H{_WIDTH - _RIGHT}" fill="none" stroke="#888"/>'


def _apart(places: Sequence[float], least: float = 15) -> list[float]:
    """The places of labels, moved until none covers another."""
    found = list(places)
    order = sorted(range(len(found)), key=found.__getitem__)
    for before, after in pairwise(order):
        found[after] = max(found[after], found[before] + least)
    over = max(0.0, max(found) - (_HEIGHT - _BOTTOM))
    return [place - over for place in found]


def _text(x: float, y: float, text: str, anchor: str, more: str = 'fill="#222"') -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" {more}>{escape(text)}</text>'


def _shown(value: float, total: str) -> str:
    unit = TOTALS[total].unit
    return units.size(value) if unit == "B" else units.count(value, unit)
