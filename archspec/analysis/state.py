"""Bytes that decoding keeps between steps: keys and values, what is held, what is carried on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import reduce

from msgspec import Struct

from archspec.analysis.latent import least, per_token
from archspec.analysis.lookups import settled
from archspec.analysis.sizes import Sizes
from archspec.analysis.widths import width
from archspec.dims import num as n
from archspec.dims import poly
from archspec.dims.poly import Size
from archspec.ir.graph import Apply, Call, Graph, Node, Region, Repeat, State, Value
from archspec.ir.ops.attention import Attention
from archspec.ir.ops.state import Append
from archspec.ir.reach import reach_of


class Kept(Struct, frozen=True):
    """A state of the module `path`, in `runs` layers.

    `kind` `append`: `token` bytes for each token of a sequence. `hold` and `recall`: `fixed` bytes, in
    symbols, however many tokens. `window`: how many tokens attention looks back, its own one included (None:
    all). `latent`: the bytes of a token from which keys and values could be computed again.
    """

    path: str
    kind: str
    runs: int
    token: int = 0
    fixed: Size = 0
    window: int | None = None
    latent: int = 0


class StateBytes(Struct, frozen=True):
    """All state of a graph, the model built in one dtype. `batch`: the size that counts sequences."""

    kept: tuple[Kept, ...]
    batch: str

    @classmethod
    def of(cls, graph: Graph, dtype: str = "bfloat16") -> StateBytes:
        """Raises ArchspecError A005 for a dtype that no model is kept in."""
        return cls(tuple(_states(graph.root, "", 1, dtype)), next(iter(graph.dims), ""))

    @property
    def per_token(self) -> int:
        """Bytes that each further token of a sequence takes in the cache of the emitted module."""
        return sum(one.token * one.runs for one in self.kept)

    @property
    def latent_per_token(self) -> int:
        """Bytes that would be enough, with keys and values computed again from what they are made of."""
        return sum(one.latent * one.runs for one in self.kept)

    def fixed(self, kind: str | None = None) -> Size:
        """Bytes, in symbols, of what does not grow with the tokens: `hold`, `recall`, or both."""
        some = (poly.mul(one.fixed, one.runs) for one in self.kept if kind in (None, one.kind))
        return reduce(poly.add, some, 0)

    def at(self, context: int, *, batch: int = 1, sizes: Mapping[str, int] | None = None) -> Size:
        """Bytes with `context` tokens in each of `batch` sequences; `sizes`: what the fixed part needs."""
        given = Sizes({self.batch: batch, **(sizes or {})})
        return poly.add(self.per_token * context * batch, given.size(n.num(self.fixed())))

    def windowed(self, context: int, *, batch: int = 1) -> int:
        """Bytes of keys and values that attention can still look at; the emitted cache keeps all."""
        tokens = ((one, context if one.window is None else min(context, one.window)) for one in self.kept)
        return batch * sum(one.token * one.runs * count for one, count in tokens)


def _states(region: Region, path: str, runs: int, dtype: str) -> Iterator[Kept]:
    for state in region.states:
        yield _kept(region, state, path, runs, dtype)
    for node in region.nodes:
        for name, inner, times in _below(node):
            yield from _states(inner, f"{path}.{name}" if path else name, runs * times, dtype)


def _below(node: Node) -> Iterator[tuple[str, Region, int]]:
    """The regions in a node and how often each runs: state is kept for each run, shared parameters or not."""
    if isinstance(node, Call):
        yield node.region.name, node.region, 1
    elif isinstance(node, Repeat):
        for index, variant in enumerate(node.variants):
            yield f"{node.name}.*", variant, node.schedule.count(index)


def _kept(region: Region, state: State, path: str, runs: int, dtype: str) -> Kept:
    if state.kind != "append":
        sizes = (n.product(type_.shape).size for type_ in state.types)
        widths = (width(type_.dtype, dtype) for type_ in state.types)
        fixed = reduce(poly.add, map(poly.mul, sizes, widths), 0)
        return Kept(path, state.kind, runs, fixed=fixed)
    token = sum(per_token(Value("", type_), dtype) for type_ in state.types)
    node = next(x for x in region.nodes if isinstance(x, Apply) and _appends(x, state.name))
    latent = min(token, least(region, node, dtype))
    return Kept(path, state.kind, runs, token, window=_window(region, node), latent=latent)


def _appends(node: Apply, name: str) -> bool:
    return isinstance(node.op, Append) and node.op.state == name


def _window(region: Region, append: Apply) -> int | None:
    """The tokens that the attentions over what is appended can look back."""
    reading = [x for x in region.nodes if any(v in x.inputs for v in append.outputs)]
    ops = [x.op for x in reading if isinstance(x, Apply) and isinstance(x.op, Attention)]
    windows = [_back(op) for op in ops]
    known = [window for window in windows if window is not None]
    return max(known) if known and len(known) == len(reading) else None


def _back(op: Attention) -> int | None:
    if op.mask is None:
        return None
    reach = reach_of(settled(op.mask)[0], dict(op.names))
    return None if reach.before is None else reach.before.value + 1
