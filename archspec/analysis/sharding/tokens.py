"""Which axes count tokens, and what needs a sequence in one piece: for sequence and context parallelism."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from archspec.analysis.sharding.cut import Cut
from archspec.analysis.sharding.tensor import Site, Tensor
from archspec.analysis.sharding.trace import Trace
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.recurrence import Scan


@dataclass(frozen=True, slots=True)
class Tokens:
    """The classes of axes along which tokens stand: those of queries, of keys, and of scans."""

    trace: Trace
    roots: frozenset[int]

    @classmethod
    def of(cls, trace: Trace) -> Tokens:
        axes = [axis for site in trace.sites for axis in _token_axes(site)]
        return cls(trace, frozenset(map(trace.dims.find, axes)))

    def along(self, x: Tensor) -> bool:
        return any(self.trace.dims.find(axis) in self.roots for axis in x.axes)

    def mixing(self) -> Iterator[Site]:
        """Operations of modules on learned values that read several tokens at once."""
        modules = (site for site in self.trace.sites if site.path and not site.path.startswith("loss "))
        for site in modules:
            axes = (x.axes[axis] for x, axis in _mixed(site) if x.learned)
            if any(self.trace.dims.find(axis) in self.roots for axis in axes):
                yield site

    def alone(self, cut: Cut) -> Site | None:
        """One that mixes tokens, and that tp leaves whole: it rules sequence parallelism out."""
        return next((site for site in self.mixing() if not any(map(cut.holds_part, site.tensors))), None)

    def serial(self) -> Site | None:
        """One that mixes tokens otherwise than attention: it rules context parallelism out."""
        return next((site for site in self.mixing() if not isinstance(site.op, Attention)), None)


def _token_axes(site: Site) -> Iterator[int]:
    if isinstance(site.op, Attention):
        yield from (x.axes[2] for x in site.inputs[:2] if x is not None)
    if isinstance(site.op, Scan):
        yield site.outputs[0].axes[site.op.axis]


def _mixed(site: Site) -> Iterator[tuple[Tensor, int]]:
    """The operands that an operation mixes, each with an axis along which it does."""
    given = [None if x is None else x.type for x in site.inputs]
    for x, axes in zip(site.inputs, site.op.mixes(*given), strict=False):
        if x is not None:
            yield from ((x, axis % len(x.axes)) for axis in axes)
