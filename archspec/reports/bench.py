"""One model under several runtimes: what each took, all measured in turn in one run."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
from msgspec import Struct

from archspec.analysis.latency import Latency
from archspec.backends.onnx.agreement import Agreement
from archspec.errors import ArchspecError, Diagnostic
from archspec.reports.table import Row, Table, Unit

COLUMNS = ("p50", "p99", "per second", "ratio", "memory", "files")
UNITS: tuple[Unit, ...] = ("s", "s", "1/s", "", "B", "B")


class Ran(Struct, frozen=True):
    """A runtime: seconds of its runs, round by round; the most bytes that its process had resident meanwhile.

    `files`: bytes of the stored model. `agreement` of the first output with that of the first runtime.
    """

    runtime: str
    seconds: tuple[float, ...]
    memory: int
    files: int
    agreement: Agreement | None = None

    @property
    def latency(self) -> Latency:
        return Latency.of(list(self.seconds))


class Bench(Struct, frozen=True):
    """What was measured of a model. `items` of a `unit` are done in a run; `failed`: runtimes, and why.

    `how`: the machine, versions and threads.
    """

    model: str
    workload: str
    sizes: Mapping[str, int]
    threads: int
    items: int
    unit: str
    results: tuple[Ran, ...]
    failed: Mapping[str, str]
    how: tuple[str, ...]

    def ratio(self, of: Ran) -> float:
        """How many times as fast as the first runtime: the median over rounds, in which each ran once."""
        pairs = zip(self.results[0].seconds, of.seconds, strict=True)
        return statistics.median(first / own for first, own in pairs)

    def table(self) -> Table:
        """A line for each runtime."""
        sizes = " ".join(f"{name}={size}" for name, size in self.sizes.items())
        rounds = f"{self.results[0].latency.runs} rounds, in each of which every runtime ran once"
        notes = (*self.how, rounds, *self._notes())
        columns = tuple(f"{self.unit} {name}" if name == "per second" else name for name in COLUMNS)
        return Table(f"{self.model}, {self.workload}, {sizes}", tuple(self._rows()), columns, notes)

    def _rows(self) -> Iterator[Row]:
        for ran in self.results:
            times = ran.latency
            rate = self.items / times.p50
            sizes = (float(ran.memory), float(ran.files))
            values = (times.p50, times.at(0.99), rate, f"{self.ratio(ran):.2f}", *sizes)
            yield Row(ran.runtime, values, UNITS, str(ran.agreement or ""))

    def _notes(self) -> Iterator[str]:
        yield f"ratio: how many times as fast as {self.results[0].runtime}, round by round"
        yield "memory: the most that its process had resident while it ran, libraries and weights included"
        if note := self.results[0].latency.note():
            yield f"p99 {note}"
        for name, reason in self.failed.items():
            yield f"{name} did not run: {reason}"


def bench_text(bench: Bench) -> str:
    """The JSON text of a measurement, which `read_bench` reads."""
    return msgspec.json.format(msgspec.json.encode(bench), indent=2).decode() + "\n"


def read_bench(path: Path) -> Bench:
    """Raises ArchspecError D011 where the file cannot be read, or holds no measurement."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Bench)
    except OSError as error:
        raise _wrong(path, error.strerror or "it cannot be read") from error
    except (msgspec.DecodeError, msgspec.ValidationError) as error:
        raise _wrong(path, str(error)) from error


def _wrong(path: Path, reason: str) -> ArchspecError:
    hint = "`archspec bench SPEC … -o FILE` writes such a file"
    return ArchspecError(Diagnostic("D011", f"{path} holds no measurement: {reason}", None, hint))
