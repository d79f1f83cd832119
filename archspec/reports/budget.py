"""Limits on what a model may cost, as a continuous build checks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from archspec import units
from archspec.analysis.ranges import Range
from archspec.errors import ArchspecError, Diagnostic
from archspec.reports.account import Account
from archspec.reports.measures import MEASURES, Figure, Subject
from archspec.reports.on_device import Place
from archspec.reports.table import shown

LIMITED = ("params", "flops", "memory", "training_memory", "latency", "cost")


def check_budget(account: Account, limits: Mapping[str, float], place: Place | None = None) -> None:
    """Holds an account to limits, by measure (see `LIMITED`), in bytes, seconds, dollars.

    An estimate keeps a limit where its worse end does. Raises ArchspecError E003 for each limit exceeded,
    D003 where a limited price is not known, E004 where a device is missing, A001 where a size is.
    """
    subject = Subject(account, place)
    found = [finding for name, limit in limits.items() for finding in _exceeded(subject, name, limit)]
    if found:
        raise ArchspecError(*found)


def _exceeded(subject: Subject, name: str, limit: float) -> Iterator[Diagnostic]:
    measure = MEASURES[name]
    value = measure.of(subject)
    if value is None:
        message = f"no figure is known for {measure.label}: the device states no price"
        raise ArchspecError(Diagnostic("D003", message, None, "a file of your own can state it"))
    most = worst(value)
    if most > limit:
        over = f"{shown(_number(most - limit), measure.unit)}{_share(most, limit)} more than"
        message = f"{measure.label}: {shown(value, measure.unit)}, {over} the limit of"
        yield Diagnostic(
            "E003", f"{message} {shown(_number(limit), measure.unit)}", None, _hint(value, limit)
        )


def worst(value: Figure) -> float:
    """The end of an estimate that costs most."""
    assert value is not None
    return value.worst if isinstance(value, Range) else value


def _share(most: float, limit: float) -> str:
    return f" ({units.share(most / limit - 1)})" if limit else ""


def _number(value: float) -> float:
    return int(value) if value.is_integer() else value


def _hint(value: Figure, limit: float) -> str:
    if isinstance(value, Range) and value.best <= limit:
        return "an estimate: its better end keeps the limit"
    return "make the model or the sizes smaller, or raise the limit"
