"""Quantities as people write them: `1.5e9`, `110M`, `16GiB`, `100ms`, `$0.02`."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias

Kind: TypeAlias = Literal["count", "bytes", "seconds", "dollars"]

_FACTORS: dict[Kind, dict[str, float]] = {
    "count": {"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "B": 1e9, "T": 1e12, "P": 1e15, "E": 1e18},
    "bytes": {
        "": 1, "B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30,
        "TiB": 2**40,
    },
    "seconds": {"": 1, "s": 1, "ms": 1e-3, "us": 1e-6, "µs": 1e-6, "ns": 1e-9, "min": 60, "h": 3600},
    "dollars": {"": 1},
}  # fmt: skip
_WRITTEN = re.compile(r"\$?\s*(?P<number>\d[\d_,]*(?:\.\d+)?(?:[eE][+-]?\d+)?)\s*(?P<unit>[A-Za-zµ]*)")


def quantity(text: str, kind: Kind) -> float:
    """The number in the kind's base unit. Raises ValueError, which says how it is written."""
    found = _WRITTEN.fullmatch(text.strip())
    factor = _FACTORS[kind].get(found["unit"]) if found else None
    if found is None or factor is None or ("$" in text) > (kind == "dollars"):
        units = ", ".join(unit for unit in _FACTORS[kind] if unit)
        raise ValueError(f"'{text}' is no number{' with one of the units ' + units if units else ''}")
    return float(re.sub("[_,]", "", found["number"])) * factor
