"""Ranges with named ends, and the check that a size is a size."""

from __future__ import annotations

from math import isfinite

from msgspec import Struct

from archspec.errors import ArchspecError, Diagnostic


class Range(Struct, frozen=True):
    """An estimate between its best and its worst end: `best` costs least (or serves most)."""

    best: float
    worst: float

    def scaled(self, factor: float) -> Range:
        """Both ends times a factor: another unit, or so many of them."""
        return Range(self.best * factor, self.worst * factor)

    def times(self, other: Range) -> Range:
        """Best with best, worst with worst: hours at a price, watts at an overhead."""
        return Range(self.best * other.best, self.worst * other.worst)

    def plus(self, other: Range) -> Range:
        """One after the other."""
        return Range(self.best + other.best, self.worst + other.worst)

    def rate(self, amount: float) -> Range:
        """So many per this time: best remains best."""
        return Range(amount / self.best, amount / self.worst)


class Band(Struct, frozen=True):
    """Between which values an efficiency lies, and who says so. Both ends are shares of a peak, in (0, 1]."""

    low: float
    high: float
    source: str


def positive(name: str, value: float) -> None:
    """Raises ArchspecError D004 where a size is not finite, zero or negative."""
    if not (isfinite(value) and value > 0):
        raise _not_a_quantity(f"{name} is {value}", f"{name} is a finite number above zero")


def at_least(name: str, least: float, value: float) -> None:
    """Raises ArchspecError D004 where a number is not finite, or below the least that makes sense."""
    if not (isfinite(value) and value >= least):
        raise _not_a_quantity(f"{name} is {value}", f"{name} is a finite number, at least {least:g}")


def efficiency(name: str, band: Band) -> None:
    """Raises ArchspecError D004 where the ends of a band are no shares of a peak, the lower one first."""
    if not 0 < band.low <= band.high <= 1:
        message = f"{name} is a band from {band.low} to {band.high}"
        raise _not_a_quantity(message, "both ends are above 0 and at most 1, the lower one first")


def _not_a_quantity(message: str, hint: str) -> ArchspecError:
    return ArchspecError(Diagnostic("D004", message, hint=hint))
