"""A device in figures: memory, bandwidth, peaks, link, power, price; each with its source.

The files in `hardware/` are data sheets read by people. A figure that no source states is left out, and
asking for it is an error, never a guess. Units: bytes, bytes/s, FLOP/s (2 per multiply-add), watts, US
dollars an hour.
"""

from __future__ import annotations

from msgspec import Struct

from archspec.analysis.ranges import Range
from archspec.errors import ArchspecError, Diagnostic

# What the IR calls a dtype, as data sheets call it.
PEAK_OF = {
    "float32": "fp32",
    "bfloat16": "bf16",
    "float16": "fp16",
    "float8": "fp8",
    "float8_e4m3fn": "fp8",
    "float8_e5m2": "fp8",
}


class Reference(Struct, frozen=True):
    """Where figures are from.

    `read`: the day on which a page that changes was read. `checked`: another page that repeats the main
    figures.
    """

    title: str
    url: str
    read: str = ""
    checked: str = ""

    def __str__(self) -> str:
        return f"{self.title}, {self.url}" + (f", read {self.read}" if self.read else "")


class Figure(Struct, frozen=True):
    """A number and its source. `note` says how it follows from what the source prints."""

    value: float
    source: Reference
    note: str = ""


class Price(Struct, frozen=True):
    """US dollars for a device for an hour on demand: a cheap and a dear offer. Prices change."""

    low: Figure
    high: Figure


class Device(Struct, frozen=True):
    """What is known of a device. Fields are None, and dtypes absent, where no source states a figure.

    `memory`: capacity as the data sheet states it; `usable_memory`: what the driver reports, both in bytes.
    `memory_bandwidth`: bytes/s. `peak_flops`: dense FLOP/s by dtype, never the sparse ones. `link`: bytes/s
    in one direction between the devices of a node. `power`: watts by design (TDP).
    """

    name: str
    title: str
    peak_flops: dict[str, Figure]
    memory: Figure | None = None
    usable_memory: Figure | None = None
    memory_bandwidth: Figure | None = None
    link: Figure | None = None
    devices_per_node: Figure | None = None
    power: Figure | None = None
    price: Price | None = None

    def peak(self, dtype: str) -> float:
        """Dense peak in FLOP/s for a dtype: `bf16`, or as the IR says it, `bfloat16`.

        Raises ArchspecError D003, with the dtypes that have a figure.
        """
        figure = self.peak_flops.get(PEAK_OF.get(dtype, dtype))
        if figure is None:
            hint = f"it states peaks for: {', '.join(self.peak_flops) or 'no dtype'}"
            raise self._missing(f"peak FLOP/s in {dtype}", hint)
        return figure.value

    def bandwidth(self) -> float:
        """Memory bandwidth in bytes/s. Raises ArchspecError D003."""
        return self._known("memory_bandwidth", self.memory_bandwidth)

    def capacity(self) -> int:
        """Bytes that a program can use: what the driver reports, or else what the data sheet states.

        Raises ArchspecError D003.
        """
        return int(self._known("memory", self.usable_memory or self.memory))

    def link_bandwidth(self) -> float:
        """Bytes/s in one direction to the other devices of the node. Raises ArchspecError D003."""
        return self._known("link", self.link)

    def node_size(self) -> int:
        """Devices that this link joins. Raises ArchspecError D003."""
        return int(self._known("devices_per_node", self.devices_per_node))

    def watts(self) -> float:
        """Thermal design power. Raises ArchspecError D003."""
        return self._known("power", self.power)

    def dollars_per_hour(self) -> Range:
        """On-demand price of one device: the cheap offer is the best end. Raises ArchspecError D003."""
        if self.price is None:
            raise self._missing("price")
        return Range(self.price.low.value, self.price.high.value)

    def _known(self, name: str, figure: Figure | None) -> float:
        if figure is None:
            raise self._missing(name)
        return figure.value

    def _missing(self, what: str, hint: str = "") -> ArchspecError:
        hints = filter(None, [hint, "a file of your own can state it, with its source"])
        return ArchspecError(
            Diagnostic("D003", f"no figure is known for {self.name}: {what}", hint="; ".join(hints))
        )
