"""Writes a device as the file that `device_file` reads."""

from __future__ import annotations

import json
from collections.abc import Iterator

from archspec.analysis.device import Device, Figure

_HEAD = "# Units: bytes, bytes/s, dense FLOP/s (2 per multiply-add).\n"


def device_text(device: Device) -> str:
    """The file of a device whose figures have one source."""
    return _HEAD + "\n".join(_lines(device)) + "\n"


def _lines(device: Device) -> Iterator[str]:
    figures = {"memory": device.memory, "memory_bandwidth": device.memory_bandwidth}
    known = {name: figure for name, figure in figures.items() if figure}
    source = next(iter([*known.values(), *device.peak_flops.values()])).source
    yield f"title: {json.dumps(device.title)}"
    yield "sources:"
    read = {"read": source.read} if source.read else {}
    yield "  measured: " + _inline({"title": source.title, "url": source.url, **read})
    yield from (f"{name}: {_figure(figure)}" for name, figure in known.items())
    if device.peak_flops:
        yield "peak_flops:"
        yield from (f"  {dtype}: {_figure(figure)}" for dtype, figure in device.peak_flops.items())


def _figure(figure: Figure) -> str:
    note = {"note": figure.note} if figure.note else {}
    return _inline({"value": float(f"{figure.value:.4g}"), "source": "measured", **note})


def _inline(values: dict[str, object]) -> str:
    return "{" + ", ".join(f"{key}: {json.dumps(value)}" for key, value in values.items()) + "}"
