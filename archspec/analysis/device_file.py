"""Reads the file of a device into figures; what is wrong is said at its place in the file.

    title: NVIDIA A100 SXM 80 GB
    sources:
      datasheet: {title: …, url: …}
    memory_bandwidth: {value: 2039e9, source: datasheet}
    peak_flops: {bf16: {value: 312e12, source: datasheet, note: …}}

Every figure names one of the file's sources. A figure that no source states is left out of the file.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite
from pathlib import Path

from msgspec import Struct

from archspec.analysis.device import Device, Figure, Price, Reference
from archspec.errors import Collector, Span, did_you_mean
from archspec.spec.node import Mapping, Node, Scalar, Sequence, kind
from archspec.spec.yaml import load_file

DTYPES = ("fp32", "tf32", "bf16", "fp16", "fp8", "int8")


class Unit(Struct, frozen=True):
    """What a figure counts, and between which values any device lies: gigabytes given as bytes fall out."""

    name: str
    least: float
    most: float


FIGURES = {
    "memory": Unit("bytes", 1e9, 1e14),
    "usable_memory": Unit("bytes", 1e9, 1e14),
    "memory_bandwidth": Unit("bytes/s", 1e9, 1e14),
    "link": Unit("bytes/s", 1e9, 1e13),
    "devices_per_node": Unit("devices", 1, 1e4),
    "power": Unit("watts", 1, 1e5),
}
PEAK = Unit("FLOP/s", 1e9, 1e17)
PRICE = Unit("US dollars an hour", 1e-3, 1e3)
KEYS = ("title", "aliases", "sources", "peak_flops", "price", *FIGURES)


def read_device(path: Path) -> Device:
    """The device that a file describes; its name is the file's.

    Raises SpecError: Y001 to Y019 where the text cannot be read, D002 with every finding in place.
    """
    found = Collector()
    reader = _Reader(found)
    top = reader.table(load_file(path), "a device", KEYS)
    sources = dict(reader.references(top))
    title = reader.text(top, "title")
    figures = {name: reader.figure(top, name, unit, sources) for name, unit in FIGURES.items()}
    peaks = reader.peaks(top, sources)
    price = reader.price(top, sources)
    found.raise_if_any()
    return Device(path.stem, title, peaks, price=price, **figures)


def read_aliases(path: Path) -> tuple[str, ...]:
    """The shorter names of the device of a file."""
    top = load_file(path)
    listed = top.get("aliases") if isinstance(top, Mapping) else None
    items = listed.items if isinstance(listed, Sequence) else ()
    return tuple(str(item.value) for item in items if isinstance(item, Scalar))


class _Reader:
    """Reads parts of a document, and keeps what is wrong with them."""

    def __init__(self, found: Collector) -> None:
        self.found = found

    def wrong(self, message: str, span: Span, hint: str | None = None) -> None:
        self.found.add("D002", message, span, hint)

    def table(self, node: Node, what: str, keys: tuple[str, ...]) -> Mapping:
        """The node as a mapping of these keys; an empty one where it is none."""
        if not isinstance(node, Mapping):
            self.wrong(f"{what} is a mapping, not {kind(node)}", node.span, f"of: {', '.join(keys)}")
            return Mapping((), node.span)
        for key, _ in node.entries:
            if key.value not in keys:
                hint = did_you_mean(key.text, keys) or f"it has: {', '.join(keys)}"
                self.wrong(f"{what} has no '{key.text}'", key.span, hint)
        return node

    def text(self, table: Mapping, key: str) -> str:
        """A string that must be there, or an empty one."""
        node = table.get(key)
        if isinstance(node, Scalar) and isinstance(node.value, str) and node.value:
            return node.value
        where = node.span if node else table.span
        self.wrong(f"'{key}' is missing" if node is None else f"'{key}' is a string", where)
        return ""

    def references(self, top: Mapping) -> Iterator[tuple[str, Reference]]:
        for key, node in self.section(top, "sources"):
            entry = self.table(node, "a source", ("title", "url", "read", "checked"))
            optional = [self.text(entry, part) if entry.get(part) else "" for part in ("read", "checked")]
            yield str(key.value), Reference(self.text(entry, "title"), self.text(entry, "url"), *optional)

    def section(self, top: Mapping, key: str) -> Iterator[tuple[Scalar, Node]]:
        node = top.get(key)
        if isinstance(node, Mapping):
            yield from node.entries
        elif node is not None:
            self.wrong(f"'{key}' is a mapping, not {kind(node)}", node.span)

    def peaks(self, top: Mapping, sources: dict[str, Reference]) -> dict[str, Figure]:
        """Peaks by dtype, in the order of the file."""
        node = top.get("peak_flops")
        if node is None:
            return {}
        table = self.table(node, "'peak_flops'", DTYPES)
        read = {str(key.value): self.figure(table, str(key.value), PEAK, sources) for key, _ in table.entries}
        return {dtype: figure for dtype, figure in read.items() if figure}

    def price(self, top: Mapping, sources: dict[str, Reference]) -> Price | None:
        node = top.get("price")
        if node is None:
            return None
        table = self.table(node, "'price'", ("low", "high"))
        low, high = (self.figure(table, end, PRICE, sources) for end in ("low", "high"))
        if low and high and low.value <= high.value:
            return Price(low, high)
        self.wrong("a price has a 'low' and a 'high' end, the lower one first", node.span)
        return None

    def figure(self, table: Mapping, key: str, unit: Unit, sources: dict[str, Reference]) -> Figure | None:
        """The figure under a key; None where there is none, or a wrong one."""
        node = table.get(key)
        if node is None:
            return None
        entry = self.table(node, f"'{key}'", ("value", "source", "note"))
        value, source = self.number(entry, key, unit), self.source(entry, sources)
        note = self.text(entry, "note") if entry.get("note") else ""
        return Figure(value, source, note) if value and source else None

    def number(self, entry: Mapping, key: str, unit: Unit) -> float | None:
        node = entry.get("value")
        value = node.value if isinstance(node, Scalar) else None
        where = node.span if node else entry.span
        if isinstance(value, bool) or not isinstance(value, int | float) or not isfinite(value):
            self.wrong(f"'{key}' has a 'value', a number of {unit.name}", where)
            return None
        if not unit.least <= value <= unit.most:
            message = f"{value:g} {unit.name} of '{key}' are no device's"
            self.wrong(message, where, f"from {unit.least:g} to {unit.most:g} {unit.name}; mind the unit")
            return None
        return value

    def source(self, entry: Mapping, sources: dict[str, Reference]) -> Reference | None:
        node = entry.get("source")
        name = node.value if isinstance(node, Scalar) else None
        if isinstance(name, str) and name in sources:
            return sources[name]
        hint = did_you_mean(str(name), sources) or f"sources are: {', '.join(sources) or 'none'}"
        self.wrong("a figure names its 'source', one of the file's", node.span if node else entry.span, hint)
        return None
