"""Bars of a run as SVG, by hand: they need nothing but a browser, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from benchmarks.gpu.results import Raced

COLOURS = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#56b4e9",
    "#d55e00",
    "#999999",
    "#f0e442",
)  # Okabe and Ito
LEFT, WIDTH, BAR, GAP = 190, 520, 11, 10


def bars(title: str, unit: str, groups: Mapping[str, Mapping[str, float]]) -> str:
    """A picture: a group of horizontal bars for each key, a colour for each way."""
    ways = list(dict.fromkeys(way for rows in groups.values() for way in rows))
    colours = {way: COLOURS[i % len(COLOURS)] for i, way in enumerate(ways)}
    most = max((value for rows in groups.values() for value in rows.values()), default=1.0)
    parts, y = [_text(10, 20, f"{title}, {unit}", "bold")], 34
    for i, way in enumerate(ways):
        x = 10 + 120 * (i % 6)
        parts += [_bar(x, y + 16 * (i // 6), 10, colours[way]), _text(x + 14, y + 9 + 16 * (i // 6), way)]
    y += 16 * (-(-len(ways) // 6)) + GAP
    for name, rows in groups.items():
        parts.append(_text(10, y + 9, name))
        for way, value in rows.items():
            parts.append(_bar(LEFT, y, WIDTH * value / most, colours[way]))
            parts.append(_text(LEFT + WIDTH * value / most + 4, y + 9, f"{value:,.0f}"))
            y += BAR + 1
        y += GAP
    size = f'width="{LEFT + WIDTH + 70}" height="{y}"'
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" {size} font-family="sans-serif" font-size="11">',
            *parts,
            "</svg>\n",
        ]
    )


def _bar(x: float, y: float, width: float, colour: str) -> str:
    return f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}" fill="{colour}"/>'


def _text(x: float, y: float, text: str, weight: str = "normal") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" font-weight="{weight}" fill="#777">{escape(text)}</text>'


def pictures(raced: Sequence[Raced]) -> dict[str, str]:
    """By file name: forward and backward in TFLOP/s, decoding in GB/s. None without measurements."""
    found: dict[str, str] = {}
    for direction in ("forward", "backward"):
        groups = {
            x.case.name: _speeds(x, direction) for x in raced if not x.case.decodes and x.ways(direction)
        }
        if groups:
            found[f"kernels-{direction}.svg"] = bars(direction, "TFLOP/s of pairs that count", groups)
    groups = {x.case.name: _rates(x) for x in raced if x.case.decodes}
    if groups:
        found["kernels-decode.svg"] = bars("decoding", "GB/s of keys and values", groups)
    return found


def _speeds(raced: Raced, direction: str) -> dict[str, float]:
    found = {way: raced.flops_a_second(way, direction) for way in raced.ways(direction)}
    return {way: value / 1e12 for way, value in found.items() if value is not None}


def _rates(raced: Raced) -> dict[str, float]:
    found = {way: raced.bytes_a_second(way) for way in raced.ways()}
    return {way: value / 1e9 for way, value in found.items() if value is not None}
