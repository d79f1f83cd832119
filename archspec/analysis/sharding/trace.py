"""One walk over a graph that gives every axis its class and lists every operation at its place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from archspec.analysis.sharding.dims import Dims
from archspec.analysis.sharding.errors import LayoutError
from archspec.analysis.sharding.rules import apply_rule
from archspec.analysis.sharding.tensor import Crossing, Site, Tensor
from archspec.errors import Diagnostic
from archspec.ir.graph import Apply, Call, Graph, Node, Param, Region, Repeat, Value
from archspec.ir.ops.elementwise import StopGradient
from archspec.ir.types import INTEGERS


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """One occurrence of a region: its values by name, and the regions inside by the number of their node."""

    region: Region
    path: str
    times: int
    values: dict[str, Tensor] = field(default_factory=dict[str, Tensor])
    below: dict[int, tuple[Place, ...]] = field(default_factory=dict[int, "tuple[Place, ...]"])


@dataclass(frozen=True, slots=True, eq=False)
class Owned:
    """A parameter where it is defined, and how many layers have one like it."""

    param: Param
    tensor: Tensor
    times: int


@dataclass(slots=True, eq=False)
class Trace:
    """What one walk finds. Layers of one variant are one; `layers.0` stands for all that run as the first."""

    graph: Graph
    dims: Dims = field(default_factory=Dims)
    steps: list[Site | Crossing] = field(default_factory=list[Site | Crossing])
    params: dict[str, Owned] = field(default_factory=dict[str, Owned])
    experts: list[tuple[Place, Repeat]] = field(default_factory=list[tuple[Place, Repeat]])
    root: Place = field(init=False)
    losses: tuple[Place, ...] = field(init=False)

    def __post_init__(self) -> None:
        graph = self.graph
        self.root = Place(graph.root, "", 1)
        self._region(self.root, [self._input(value) for value in graph.inputs])
        known = {name: self.root.values[value.name] for name, value in graph.outputs}
        known |= {value.name: self.root.values[value.name] for value in graph.inputs}
        self.losses = tuple(Place(loss.region, f"loss {loss.name}", 1) for loss in graph.losses)
        for place in self.losses:
            self._region(place, [known[value.name] for value in place.region.inputs])
        for pair in graph.ties:
            self._tie(*(self.params[self._canonical(path)].tensor for path in pair))
        self.dims.settle()

    @property
    def sites(self) -> list[Site]:
        return [step for step in self.steps if isinstance(step, Site)]

    def _input(self, value: Value) -> Tensor:
        """What the caller brings is whole on every device."""
        graph = self.graph
        computed = {v.name for v in graph.defaults.outputs} if graph.defaults else set[str]()
        must = not value.optional and value.name not in computed
        tensor = self.fresh(value, given=must and value.type.dtype in INTEGERS)
        for axis, size in zip(tensor.axes, value.type.shape, strict=True):
            if size.static:
                self.dims.block(axis, "comes from outside")
        return tensor

    def fresh(self, value: Value, *, given: bool = False) -> Tensor:
        axes = tuple(self.dims.fresh(size) for size in value.type.shape)
        return Tensor(value.name, value.type, axes, given=given)

    def _tie(self, a: Tensor, b: Tensor) -> None:
        for x, y in zip(a.axes, b.axes, strict=True):
            self.dims.unite(x, y)

    def _region(self, place: Place, inputs: Sequence[Tensor]) -> list[Tensor]:
        region, values = place.region, place.values
        values |= {v.name: x for v, x in zip(region.inputs, inputs, strict=True)}
        for param in region.params:
            values[param.name] = self._param(place, param)
        for number, node in enumerate(region.nodes):
            for value, tensor in zip(node.outputs, self._node(place, number, node), strict=True):
                values[value.name] = tensor
        return [values[value.name] for value in region.outputs]

    def _param(self, place: Place, param: Param) -> Tensor:
        path = _join(place.path, param.name)
        if path not in self.params:
            tensor = replace(self.fresh(param.value), owner=path, constant=True, learned=param.trainable)
            self.params[path] = Owned(param, tensor, place.times)
        return self.params[path].tensor

    def _node(self, place: Place, number: int, node: Node) -> Sequence[Tensor]:
        if isinstance(node, Apply):
            return self._apply(place, node)
        inputs = [place.values[value.name] for value in node.inputs]
        if isinstance(node, Call):
            _refuse_along(node)
            child = Place(node.region, _join(place.path, node.region.name), place.times)
            place.below[number] = (child,)
            return self._region(child, inputs)
        return self._repeat(place, number, node, inputs)

    def _apply(self, place: Place, node: Apply) -> Sequence[Tensor]:
        inputs = tuple(None if value is None else place.values[value.name] for value in node.inputs)
        known = [x for x in inputs if x is not None]
        learned = any(x.learned for x in known) and not isinstance(node.op, StopGradient)
        constant = all(x.constant for x in known)
        made = tuple(replace(self.fresh(v), constant=constant) for v in node.outputs)
        outputs = tuple(replace(x, learned=learned and x.float_) for x in made)
        contracted = apply_rule(node.op, inputs, outputs, self.dims)
        self.steps.append(Site(place.path, node.op, inputs, outputs, contracted, place.times))
        return outputs

    def _repeat(self, place: Place, number: int, node: Repeat, inputs: Sequence[Tensor]) -> Sequence[Tensor]:
        results = [replace(self.fresh(v), learned=True) for v in node.outputs]
        children: list[Place] = []
        for index, variant in enumerate(node.variants):
            first, count = node.schedule.index(index), node.schedule.count(index)
            path = _join(place.path, f"{node.name}.{0 if node.shared else first}")
            child = Place(variant, path, place.times * count)
            children.append(child)
            inside = [self._inside(v, x) for v, x in zip(variant.inputs, inputs, strict=True)]
            given = self._region(child, inside)
            self._meet(node, inputs, given, results)
            entering = tuple(zip(inside, inputs, strict=True))
            ends = (tuple(given), tuple(results), node.rows is not None)
            self.steps.append(Crossing(path, entering, *ends, child.times, place.path, place.times))
        place.below[number] = tuple(children)
        if node.rows is not None:
            self.experts.append((place, node))
            self.dims.block(inputs[1].axes[-1], "counts the experts")
            for x, y in zip(inputs[0].axes[:-1], results[0].axes[:-1], strict=True):
                self.dims.unite(x, y)
        return results

    def _inside(self, value: Value, around: Tensor) -> Tensor:
        """The input of a layer; that of an expert has rows for the leading axes."""
        inner = replace(self.fresh(value), learned=around.learned, given=around.given)
        self._align(inner, around)
        return inner

    def _meet(
        self, node: Repeat, inputs: Sequence[Tensor], given: Sequence[Tensor], results: Sequence[Tensor]
    ) -> None:
        """What a layer gives is what the next one takes; what experts give is summed."""
        for inner, outer in zip(given, results, strict=True):
            self._align(inner, outer)
        if node.rows is None:
            for before, after in zip(inputs, results, strict=False):
                self._tie(before, after)

    def _align(self, inner: Tensor, outer: Tensor) -> None:
        """Axes of one size, counted from the end: rows stand for any number of leading axes."""
        for a, b in zip(reversed(inner.axes), reversed(outer.axes), strict=False):
            if self.dims.sizes[a].value == self.dims.sizes[b].value:
                self.dims.unite(a, b)

    def _canonical(self, path: str) -> str:
        """The path under which a parameter of some layer is listed: that of the first layer like it."""
        *words, name = path.split(".")
        place = self.root
        while words:
            place, taken = _step(place, words)
            words = words[taken:]
        return _join(place.path, name)


def _refuse_along(node: Call) -> None:
    """Raises `LayoutError` G020: what goes from position to position has no rules here."""
    if node.along is not None:
        problem = f"'{node.region.name}' runs at one position after another, for which no plan is made"
        raise LayoutError(Diagnostic("G020", problem, node.span, "'archspec analyze' says what it costs"))


def _step(place: Place, words: Sequence[str]) -> tuple[Place, int]:
    """The place that the first word names, or the first two: a layer of a repeat."""
    for number, below in place.below.items():
        node = place.region.nodes[number]
        if isinstance(node, Repeat) and node.name == words[0]:
            return below[node.schedule[0 if node.shared else int(words[1])]], 2
        if isinstance(node, Call) and ".".join(words).startswith(node.region.name + "."):
            return below[0], len(node.region.name.split("."))
        if isinstance(node, Call) and ".".join(words) == node.region.name:
            return below[0], len(words)
    raise AssertionError(f"no module {'.'.join(words)} in '{place.path}'")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
