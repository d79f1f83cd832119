"""The graph: values, nodes, regions, and what a whole model is.

A `Region` is a module: it owns parameters and state, sees only its inputs, and holds nodes. A node
places an operation (`Apply`), another region (`Call`), be it at each position of an axis (`Along`), or a
region run over a carried value several times (`Repeat`). Everything is immutable; equality is structural.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from archspec.dims.num import Num, num
from archspec.dims.num import Value as Setting
from archspec.errors import Span
from archspec.ir.along import Along
from archspec.ir.op import Op
from archspec.ir.types import TensorType


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor with a name that is unique in its region. `optional`: may be absent at run time."""

    name: str
    type: TensorType
    optional: bool = False


# Kinds of `Init`, and how many numbers each takes.
INITS = {"normal": 2, "trunc_normal": 2, "uniform": 2, "constant": 1, "fan_in": 1, "sinusoids": 2}


@dataclass(frozen=True, slots=True)
class Init:
    """How a parameter starts: `normal`, `trunc_normal` (mean a, std b), `uniform` (a to b), `constant`.

    `fan_in` is uniform between -1/sqrt(a) and 1/sqrt(a), where torch's own layers start. `sinusoids`
    [length, width] are sin and then cos of position * a^(-j / b), for j < width / 2.
    """

    kind: str
    a: Num
    b: Num | None = None


@dataclass(frozen=True, slots=True)
class Param:
    """A learned tensor, or (`trainable=False`) a buffer that is part of the checkpoint."""

    value: Value
    init: Init
    trainable: bool = True

    @property
    def name(self) -> str:
        return self.value.name


@dataclass(frozen=True, slots=True)
class State:
    """What decoding keeps between steps, per region.

    `append` grows along `axis`, `hold` is computed once, `recall` is what each step leaves to the next.
    """

    name: str
    kind: str
    types: tuple[TensorType, ...]
    axis: int = 0


@dataclass(frozen=True, slots=True)
class Apply:
    """One operation. An operand that is None is absent."""

    op: Op
    inputs: tuple[Value | None, ...]
    outputs: tuple[Value, ...]
    span: Span | None = field(default=None, compare=False)

    @property
    def regions(self) -> tuple[Region, ...]:
        return ()


@dataclass(frozen=True, slots=True)
class Call:
    """One run of a region, or with `along` one for each position of an axis, all with its parameters.

    `shared`: a region of this name was called before, and its parameters are used.
    """

    region: Region
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    shared: bool = False
    span: Span | None = field(default=None, compare=False)
    along: Along | None = None

    @property
    def regions(self) -> tuple[Region, ...]:
        return (self.region,)

    @property
    def own(self) -> int:
        """How many of the first inputs are another value in each run: none, where there is one run."""
        return self.along.own if self.along else 0

    @property
    def runs(self) -> Num:
        """How often the region runs."""
        return self.inputs[self.along.carried].type.shape[self.along.axis] if self.along else num(1)


@dataclass(frozen=True, slots=True)
class Repeat:
    """`schedule[i]` names the variant that layer `i` runs; outputs feed the first inputs of the next layer.

    `shared`: every layer uses the parameters of the first one.

    `rows`: the layers are experts, which stand side by side. The first two inputs are x [..., D] and gates
    [..., count]. Expert e runs on those rows of x whose gate e is not 0, as [rows, D], and on these gates,
    [rows, 1]; what experts give for a row is summed: [..., W]. `rows` is the name of a size that exists only
    inside, in each expert another number.
    """

    name: str
    variants: tuple[Region, ...]
    schedule: tuple[int, ...]
    count: Num
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    shared: bool = False
    span: Span | None = field(default=None, compare=False)
    rows: str | None = None

    @property
    def own(self) -> int:
        """How many of the first inputs are each layer's own: carried values, or an expert's rows and gates.

        The others are the same value for every layer.
        """
        return len(self.outputs) if self.rows is None else 2

    @property
    def regions(self) -> tuple[Region, ...]:
        return self.variants


Node: TypeAlias = Apply | Call | Repeat


@dataclass(frozen=True, slots=True)
class Region:
    """A module. `bindings`: the names it brings into scope (block arguments, the loop index, input sizes)."""

    name: str
    component: str
    inputs: tuple[Value, ...]
    outputs: tuple[Value, ...]
    nodes: tuple[Node, ...]
    params: tuple[Param, ...] = ()
    states: tuple[State, ...] = ()
    bindings: tuple[tuple[str, Setting], ...] = ()


@dataclass(frozen=True, slots=True)
class Loss:
    """A scalar computed from inputs and outputs of the model; `region.inputs` are named like them.

    `feed` computes model inputs from the loss's own (noised samples, shifted labels); its outputs are named
    like the inputs they stand for.
    """

    name: str
    region: Region
    feed: Region | None = None

    @property
    def reads(self) -> set[str]:
        """The inputs and outputs of the model that it is computed from."""
        regions = (self.region, *((self.feed,) if self.feed else ()))
        return {value.name for region in regions for value in region.inputs}


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole model. `root.bindings` are the spec's params; `dims` the sizes known only at run time.

    `defaults` computes the inputs a caller may leave out; its outputs are named like those inputs.
    `stream` is the size that grows in decoding; `past` stands for the tokens already seen.
    """

    name: str
    summary: str
    source: str
    dims: tuple[str, ...]
    stream: str | None
    root: Region
    defaults: Region | None
    outputs: tuple[tuple[str, Value], ...]
    losses: tuple[Loss, ...]
    ties: tuple[tuple[str, str], ...]

    @property
    def inputs(self) -> tuple[Value, ...]:
        return self.root.inputs


def walk(region: Region, path: str = "") -> Iterator[tuple[str, Region, int]]:
    """Every distinct region with its path and how many instances own parameters; repeats show as `h.*`."""
    yield path, region, 1
    for node in region.nodes:
        for child_path, child, count in _children(node, path):
            for below, inner, times in walk(child, child_path):
                yield below, inner, count * times


def _children(node: Node, path: str) -> Iterator[tuple[str, Region, int]]:
    if isinstance(node, Call) and not node.shared:
        yield _join(path, node.region.name), node.region, 1
    if isinstance(node, Repeat):
        for index, variant in enumerate(node.variants):
            count = 1 if node.shared else node.schedule.count(index)
            yield _join(path, f"{node.name}.*"), variant, count


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def parameters(graph: Graph) -> Iterator[tuple[str, Param]]:
    """Every parameter by its full path, layer by layer, tied aliases included."""
    yield from _parameters(graph.root, "")


def _parameters(region: Region, path: str) -> Iterator[tuple[str, Param]]:
    for param in region.params:
        yield _join(path, param.name), param
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared:
            yield from _parameters(node.region, _join(path, node.region.name))
        elif isinstance(node, Repeat):
            for layer, variant in enumerate(node.schedule[:1] if node.shared else node.schedule):
                yield from _parameters(node.variants[variant], _join(path, f"{node.name}.{layer}"))


def parameter(graph: Graph, path: str) -> Param | None:
    """The parameter of this full path, found without listing those of every layer."""
    *words, name = path.split(".")
    region: Region | None = graph.root
    while region and words:
        region, words = _below(region, words)
    return next((param for param in region.params if param.name == name), None) if region else None


def _below(region: Region, words: list[str]) -> tuple[Region | None, list[str]]:
    """The region that the first word names, or the first two (a layer of a repeat), and the words left."""
    for node in region.nodes:
        if isinstance(node, Call) and not node.shared and node.region.name == words[0]:
            return node.region, words[1:]
        if isinstance(node, Repeat) and node.name == words[0] and len(words) > 1:
            return _layer(node, words[1]), words[2:]
    return None, words


def _layer(node: Repeat, word: str) -> Region | None:
    number = int(word) if word.isdecimal() and len(word) < 8 else -1
    layers = node.schedule[:1] if node.shared else node.schedule
    fits = 0 <= number < len(layers) and str(number) == word
    return node.variants[layers[number]] if fits else None


def parameter_count(graph: Graph) -> int:
    """Learned numbers, each once: tied aliases and shared modules do not count again."""
    total = sum(times * sum(map(_learned, region.params)) for _, region, times in walk(graph.root))
    aliases = (parameter(graph, alias) for alias, _ in graph.ties)
    return total - sum(_learned(param) for param in aliases if param)


def _learned(param: Param) -> int:
    return math.prod(int(size) for size in param.value.type.shape) if param.trainable else 0
