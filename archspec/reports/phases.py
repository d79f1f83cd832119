"""What a request to a model runs: the whole graph once, or the parts of a sampler, each so many times."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from msgspec import Struct

from archspec.dims import poly
from archspec.errors import ArchspecError, Diagnostic
from archspec.ir.cut import cut
from archspec.ir.graph import Graph
from archspec.ir.types import INTEGERS
from archspec.lowering.running import Running, Sampler


class Phase(Struct, frozen=True):
    """A graph that runs `times`, with `rows` for each request, at these sizes beside the batch."""

    graph: Graph
    sizes: Mapping[str, int]
    rows: int = 1
    times: int = 1

    def at(self, batch: int) -> dict[str, int]:
        """All sizes, for so many requests at once."""
        return {**self.sizes, self.graph.dims[0]: batch * self.rows}


def phases(
    graph: Graph, running: Running, sizes: Mapping[str, int], *, inputs: int, steps: int
) -> tuple[Phase, ...]:
    """The parts of a sampler (what it is told once, the model at each step, the result), or one forward pass.

    A prompt is as long as the spec says, or has `inputs` tokens. With guidance, which a spec allows by an
    empty prompt, two rows run for each request (Ho and Salimans 2022, arXiv:2207.12598). Raises ArchspecError
    A001 where a size is missing.
    """
    known = {**_lengths(graph, running, inputs), **sizes}
    if running.sampler is None:
        return (_phase(graph, known, 1, 1),)
    how, outputs = running.sampler, dict(graph.outputs)
    known = {**dict(how.sizes), **known}
    rows = 2 if how.empty else 1
    predicted = [v.name for v in how.prediction.inputs if v.name in outputs]
    told = _told(cut(graph, "prediction", predicted), how, outputs)
    found = [_phase(cut(graph, name, [name]), known, rows, 1) for name in told]
    found.append(_phase(cut(graph, "prediction", predicted), known, rows, steps))
    if how.result:
        found.append(_phase(cut(graph, how.result, [how.result]), known, 1, 1))
    return tuple(found)


def _told(graph: Graph, how: Sampler, outputs: Collection[str]) -> list[str]:
    """Outputs that a model's inputs are computed from, before the first step."""
    regions = (how.feed[v.name] for v in graph.inputs if v.name in how.feed)
    return list(dict.fromkeys(v.name for region in regions for v in region.inputs if v.name in outputs))


def _lengths(graph: Graph, running: Running, inputs: int) -> dict[str, int]:
    """The size that counts the ids of a prompt."""
    ids = (v.type.shape[1].value for v in graph.inputs if v.type.dtype in INTEGERS and v.type.rank == 2)
    names = {name for size in ids if isinstance(size, poly.Poly) for name in poly.symbols(size)}
    return dict.fromkeys(names & set(graph.dims), running.tokens.length or inputs)


def _phase(graph: Graph, known: Mapping[str, int], rows: int, times: int) -> Phase:
    missing = [name for name in graph.dims[1:] if name not in known]
    if missing:
        hint = f"give {' '.join(f'{name}=…' for name in missing)}"
        problem = f"what '{graph.name}' takes depends on {', '.join(missing)}"
        raise ArchspecError(Diagnostic("A001", problem, None, hint))
    return Phase(graph, {name: known[name] for name in graph.dims[1:]}, rows, times)
