"""The figures by which models are held to a budget and set side by side."""

from __future__ import annotations

from collections.abc import Callable

from msgspec import Struct

from archspec.analysis.ranges import Range
from archspec.analysis.serving_cost import ServingCost, serving_cost
from archspec.analysis.sizes import number
from archspec.dims.poly import Size
from archspec.errors import ArchspecError, Diagnostic
from archspec.reports.account import Account
from archspec.reports.on_device import Place, requests
from archspec.reports.serving import served
from archspec.reports.table import Unit

Figure = int | float | Range | None


class Subject:
    """A model under a question, on a device where one is given; what serving costs is worked out once."""

    def __init__(self, account: Account, place: Place | None) -> None:
        self.account, self.place = account, place
        self._serving: ServingCost | None = None

    def serving(self, what: str) -> ServingCost:
        """Raises ArchspecError E004 without a device, A001 without a size, D003 where a figure is missing."""
        if self.place is None:
            hint = "name one: --device h100"
            raise ArchspecError(Diagnostic("E004", f"{what} is known on a device only", None, hint))
        if self._serving is None:
            self.sized(what)
            asked = requests(self.account, self.place.outputs)
            model = served(self.account)
            self._serving = serving_cost(model, self.place.device, asked, self.place.reached)
        return self._serving

    def sized(self, what: str) -> None:
        """Raises ArchspecError A001 where a size is not given."""
        missing = [name for name in self.account.graph.dims if name not in self.account.question.sizes]
        if missing:
            hint = f"give {' '.join(f'{name}=…' for name in missing)}"
            raise ArchspecError(Diagnostic("A001", f"{what} depends on {', '.join(missing)}", None, hint))


class Measure(Struct, frozen=True):
    """A figure of a model: what it is called, its unit, how it is found; `more` where more is better."""

    label: str
    unit: Unit
    of: Callable[[Subject], Figure]
    more: bool = False


def _flops(subject: Subject) -> int:
    return number(subject.account.forward.forward.full, "the number of FLOPs")


def _known(size: Size | None) -> int | None:
    """None where only data tells which pairs a mask lets through."""
    return None if size is None else number(size, "the number of FLOPs")


def _memory(subject: Subject) -> int:
    """Weights, buffers, inputs, and the peak of what is computed in between."""
    subject.sized("memory")
    trace = subject.account.inference
    return trace.parameters + trace.buffers + trace.inputs + trace.peak


def _training(subject: Subject) -> int:
    """Weights, gradients, what the optimizer keeps, and the peak of what is alive beside them in a step."""
    subject.sized("memory")
    return subject.account.optimizer.total + subject.account.training_peak


MEASURES: dict[str, Measure] = {
    "params": Measure("parameters", "count", lambda subject: subject.account.parameters.total),
    "active": Measure("active per token", "count", lambda subject: subject.account.parameters.active),
    "flops": Measure("forward FLOPs, full", "FLOP", _flops),
    "exact_flops": Measure(
        "forward FLOPs, exact", "FLOP", lambda subject: _known(subject.account.forward.forward.exact)
    ),
    "memory": Measure("memory of inference", "B", _memory),
    "training_memory": Measure("memory of training", "B", _training),
    "latency": Measure("latency of a request", "s", lambda subject: subject.serving("latency").request),
    "throughput": Measure(
        "requests", "1/s", lambda subject: subject.serving("throughput").requests_per_second, more=True
    ),
    "cost": Measure("1,000 requests", "$", lambda subject: subject.serving("cost").dollars_per_1000_requests),
}
