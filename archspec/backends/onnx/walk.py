"""The walk over a graph's regions that writes each node by its rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace

import onnx_ir as ir

from archspec.backends.base import Rule, Unsupported
from archspec.backends.onnx.along import along
from archspec.backends.onnx.experts import experts
from archspec.backends.onnx.fill import filled
from archspec.backends.onnx.live import Live, join
from archspec.backends.onnx.ops import RULES
from archspec.backends.onnx.place import DTYPES, Place, Result
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.sizes import Sizes
from archspec.backends.onnx.state import States
from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.dims.num import UnknownError
from archspec.errors import Diagnostic, UnsupportedError
from archspec.ir.graph import Apply, Call, Graph, Node, Param, Region, Repeat, State
from archspec.ir.types import TensorType

Tensors = Sequence[Tensor | None]
Weight = Callable[[str, Param], Tensor]


@dataclass(frozen=True, slots=True)
class Spot:
    """Where a region stands: the path of its parameters, and that of its state, its own in each run."""

    params: str = ""
    states: str = ""

    def below(self, name: str, run: str | None = None) -> Spot:
        """That of a region in it; `run`: what this run of it is called, where it is run again."""
        return Spot(join(self.params, name), join(self.states, run or name))


TOP = Spot()


@dataclass(slots=True)
class Walk:
    """Writes regions on a tape. `weight` gives a parameter by its full path."""

    tape: Tape
    sizes: Sizes
    profile: Profile
    states: States
    weight: Weight
    live: Live = field(init=False)

    def __post_init__(self) -> None:
        self.live = Live(self.states.reads, self.states.leaves)

    def region(self, region: Region, spot: Spot, inputs: Tensors) -> list[Tensor | None]:
        """The region's outputs for these inputs. What nobody needs is not written; its results are None."""
        known: dict[str, Tensor | None] = {
            value.name: given for value, given in zip(region.inputs, inputs, strict=True)
        }
        for param in region.params:
            known[param.name] = self.weight(join(spot.params, param.name), param)
        for state in region.states:
            self.states.declare(join(spot.states, state.name), state)
        runs = run_names(region)
        for node in self.live.nodes(region, spot.states):
            given = [known.get(value.name) if value is not None else None for value in node.inputs]
            results = self._node(node, spot, given, runs.get(id(node)))
            known |= zip((value.name for value in node.outputs), results, strict=True)
        return [known.get(value.name) for value in region.outputs]

    def _node(self, node: Node, spot: Spot, given: Tensors, run: str | None) -> Tensors:
        match node:
            case Apply():
                return self._apply(node, spot, given)
            case Call(region=region):
                with self.tape.scope(run or region.name):
                    below = spot.below(region.name, run)
                    return (
                        self._along(node, below, given) if node.along else self.region(region, below, given)
                    )
            case Repeat(rows=None):
                return self._repeat(node, spot, given)
            case Repeat():
                return [self._experts(node, spot, given)]

    def _repeat(self, node: Repeat, spot: Spot, given: Tensors) -> Tensors:
        carried, same = list(given[: node.own]), list(given[node.own :])
        for layer, variant in enumerate(node.schedule):
            with self.tape.scope(f"{node.name}.{layer}"):
                below = layer_spot(node, spot, layer)
                carried = self.region(node.variants[variant], below, [*carried, *same])
        return carried

    def _experts(self, node: Repeat, spot: Spot, given: Tensors) -> Tensor:
        def run(expert: int, inputs: Tensors) -> Tensors:
            with self.tape.scope(f"{node.name}.{expert}"):
                below = layer_spot(node, spot, expert)
                return self.region(node.variants[node.schedule[expert]], below, inputs)

        dtype = self._dtype(node.outputs[0].type)
        return experts(node, given, self.tape, self.sizes, dtype, run)

    def _along(self, node: Call, spot: Spot, given: Tensors) -> Tensors:
        def run(tape: Tape, inputs: Tensors) -> Tensors:
            inner = replace(self, tape=tape, sizes=self.sizes.on(tape))
            return inner.region(node.region, spot, inputs)

        return along(node, given, self.tape, run, self.describe)

    def _apply(self, node: Apply, spot: Spot, given: Tensors) -> Tensors:
        verdict = RULES.verdict(type(node.op))
        if not isinstance(verdict, Rule):
            reason = verdict.reason if isinstance(verdict, Unsupported) else verdict.by
            raise UnsupportedError(Diagnostic("U004", f"ONNX has no '{node.op.name}': {reason}", node.span))
        types = tuple(value.type for value in node.outputs)
        place = Place(self.tape, self.sizes, self.profile, self.states, spot.states, types, node.span)
        known = filled(node.op, given, place)
        try:
            results = _listed(known or verdict.write(node.op, given, place), types)
        except UnknownError as error:
            message, hint = f"ONNX's '{node.op.name}' needs a number: {error}", "fix the size: SIZE=NUMBER"
            raise UnsupportedError(Diagnostic("O013", message, node.span, hint)) from error
        for value, result in zip(node.outputs, results, strict=True):
            self._label(result, value.name)
        return results

    def _label(self, result: Tensor, name: str) -> None:
        """Gives a value that was just made the name and shape that it has in the spec."""
        made = result.make
        if not isinstance(made, ir.Value) or made.type is not None:
            return
        made.name = self.tape.unique(name)
        self.describe(made, result.type)

    def describe(self, value: ir.Value, type_: TensorType) -> None:
        """Gives a value its dtype and shape."""
        value.type = ir.TensorType(self._dtype(type_))
        value.shape = ir.Shape([self.sizes.label(size) for size in type_.shape])

    def _dtype(self, type_: TensorType) -> ir.DataType:
        return DTYPES[self.profile.dtype if type_.dtype == "float" else type_.dtype]


def _listed(result: Result, types: Sequence[TensorType]) -> list[Tensor]:
    each = [result] if isinstance(result, ir.Value | Tensor) else list(result)
    return [
        value if isinstance(value, Tensor) else Tensor(type_, value)
        for value, type_ in zip(each, types, strict=True)
    ]


def layer_spot(node: Repeat, spot: Spot, layer: int) -> Spot:
    """Where a layer stands: where layers share parameters, each keeps state of its own."""
    return spot.below(f"{node.name}.{0 if node.shared else layer}", f"{node.name}.{layer}")


def run_names(region: Region) -> dict[int, str]:
    """What runs of a region are called that was run before, by the node's id: `shared.2` for the second."""
    counts: dict[str, int] = {}
    out: dict[int, str] = {}
    for node in region.nodes:
        if isinstance(node, Call):
            name = node.region.name
            counts[name] = counts.get(name, 0) + 1
            if node.shared:
                out[id(node)] = f"{name}.{counts[name]}"
    return out


def states(graph: Graph) -> Iterator[tuple[str, State]]:
    """Every state by its path, layer by layer."""
    yield from _states(graph.root, TOP)


def _states(region: Region, spot: Spot) -> Iterator[tuple[str, State]]:
    for state in region.states:
        yield join(spot.states, state.name), state
    runs = run_names(region)
    for node in region.nodes:
        if isinstance(node, Call):
            yield from _states(node.region, spot.below(node.region.name, runs.get(id(node))))
        elif isinstance(node, Repeat):
            for layer, variant in enumerate(node.schedule):
                yield from _states(node.variants[variant], layer_spot(node, spot, layer))
