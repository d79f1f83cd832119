"""A model as its server sees it, in functions of sizes."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from archspec.analysis.flops import Flops
from archspec.analysis.optimizer import Parameter
from archspec.analysis.roofline import Load
from archspec.analysis.routing import routing
from archspec.analysis.serving_cost import Served
from archspec.analysis.sizes import Sizes, number
from archspec.analysis.widths import width
from archspec.ir.graph import Graph, Repeat, walk
from archspec.reports.account import Account
from archspec.reports.fused import shares
from archspec.reports.learned import learned
from archspec.reports.shapes import shapes

if TYPE_CHECKING:
    from archspec.backends.torch.fake.trace import Trace


def served(account: Account) -> Served:
    """The batch is the graph's first size, the tokens the size that streams, or else the second.

    Raises what the account's parts raise.
    """
    graph, question = account.graph, account.question
    batch_size, length = graph.dims[0], graph.stream or (graph.dims[1] if len(graph.dims) > 1 else "")
    rest = {name: value for name, value in question.sizes.items() if name not in (batch_size, length)}

    def at(batch: int, tokens: int) -> dict[str, int]:
        return rest | {batch_size: batch} | ({length: tokens} if length else {})

    @cache
    def forward(tokens: int) -> int:
        return number(Flops.of(graph, at(1, tokens)).forward.nearest, "FLOPs")

    @cache
    def step(context: int) -> int:
        return number(Flops.of(graph, at(1, 1), past=context).forward.nearest, "FLOPs")

    @cache
    def run(batch: int, tokens: int) -> tuple[int, tuple[Load, ...]]:
        given = shapes(graph, Sizes.of(graph, at(batch, tokens)), question.dtype)
        trace = account.subject.trace(given, question.inference)
        return trace.peak, loads(trace, Flops.of(graph, at(batch, tokens)))

    return Served(
        weight_bytes=account.parameters.bytes(question.dtype),
        step_bytes=lambda batch: read_bytes(graph, question.dtype, batch),
        state_bytes=lambda context: float(number(account.state.at(context, sizes=rest), "the state")),
        prefill_flops=forward,
        step_flops=step,
        prefill_bytes=lambda batch, tokens: sum(load.bytes for load in run(batch, tokens)[1]),
        activation_bytes=lambda batch, tokens: run(batch, tokens)[0],
        dtype=question.dtype,
        prefill_loads=lambda batch, tokens: run(batch, tokens)[1],
    )


def loads(trace: Trace, forward: Flops | None = None) -> tuple[Load, ...]:
    """Every operation of a run: its products' FLOPs, and the bytes it reads and writes.

    A fused attention leaves out what its mask does, as far as `forward`, at the same sizes, knows of that.
    """
    share = shares(trace.kernels, forward) if forward else None
    return tuple(
        Load(k.flops * (share(k) if share else 1.0), k.read + k.written, k.dtype, k.name)
        for k in trace.kernels
    )


def read_bytes(graph: Graph, dtype: str, batch: int = 1) -> float:
    """Bytes of weights that one step reads for so many tokens, one of each sequence.

    Of a table that rows are looked up in those rows; of experts those that some token goes to, in the mean
    over even routing: count * (1 - (1 - chosen / count) ^ batch).
    """
    owners = {owner for _, owner in graph.ties}
    shares = dict(_shares(graph, batch))
    return sum(_read(p, dtype, batch, owners, shares) for p in learned(graph))


def _read(p: Parameter, dtype: str, batch: int, owners: set[str], shares: dict[str, float]) -> float:
    size = p.itemsize or width("float", dtype)
    if p.looked_up and p.name not in owners:
        return batch * p.count / p.shape[0] * size
    share = next((share for path, share in shares.items() if p.name.startswith(path)), 1.0)
    return p.count * size * share


def _shares(graph: Graph, batch: int) -> list[tuple[str, float]]:
    """For each mixture the share of its experts that a step touches."""
    found = list[tuple[str, float]]()
    for path, region, _ in walk(graph.root):
        for node in region.nodes:
            if isinstance(node, Repeat) and node.rows is not None:
                count = len(node.schedule)
                chosen = int(routing(node, region, Sizes({})).chosen)
                share = 1 - (1 - chosen / count) ** batch
                found.append((f"{path}.{node.name}.*." if path else f"{node.name}.*.", share))
    return found
