"""The verbs about cost. None of them needs torch, but for those that measure."""

from __future__ import annotations

from archspec.analysis.devices import device
from archspec.api import Named, load, lower
from archspec.reports.account import Account
from archspec.reports.alive import alive
from archspec.reports.on_device import Place, on_device
from archspec.reports.question import Question
from archspec.reports.sections import tables
from archspec.reports.table import Table, render


def analyze(spec: Named, question: Question | None = None) -> Account:
    """What a model costs: parameters, FLOPs, memory, in numbers where the question gives sizes.

    Each part is worked out when it is asked for. Raises what `lower` raises, and ArchspecError A001 to A005
    for sizes that do not fit.
    """
    return Account(lower(load(spec)), question or Question())


def cost_tables(account: Account, place: Place | None = None, *, at_peak: bool = False) -> list[Table]:
    """An account for people: parameters, FLOPs, state, memory; with a place time and money too.

    `at_peak`: and a table of what is alive at the peak of inference. Raises what the account raises, A001
    where time, money or that table lack a size, D003 where a device lacks a figure.
    """
    peak = [alive(account)] if at_peak else []
    return [*tables(account), *peak, *(on_device(account, place) if place else ())]


__all__ = ["Account", "Place", "Question", "Table", "analyze", "cost_tables", "device", "render"]
