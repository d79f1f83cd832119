"""The inputs and outputs of a model: those of its graph, and state."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import onnx_ir as ir

from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.naming import is_outer
from archspec.backends.onnx.place import DTYPES
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.sizes import Sizes, beside
from archspec.backends.onnx.state import States
from archspec.backends.onnx.tape import Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.backends.onnx.walk import states
from archspec.dims import num as n
from archspec.ir.graph import Graph, State, Value
from archspec.ir.scope import PAST
from archspec.ir.types import TensorType

COUNT = TensorType("int64", (n.num(1),))


class Ports:
    """What one model takes and gives. `inputs` are made so far, by name; `states` those of its interface."""

    def __init__(self, graph: Graph, profile: Profile, form: Interface, tape: Tape, sizes: Sizes) -> None:
        self.graph, self.profile, self.form, self.tape, self.sizes = graph, profile, form, tape, sizes
        self.inputs: dict[str, ir.Value] = {}
        self.states = States(form.reads, form.leaves, self._past)
        self.read = [(path, state) for path, state in states(graph) if form.reads(path, state)]
        left = [(path, state) for path, state in states(graph) if form.leaves(path, state)]
        presents = [form.present_name(*each, i) for each in left for i in _indices(each[1])]
        outer = (*(value.name for value in graph.inputs), *dict(graph.outputs))
        for name in (*map(form.name, outer), *self._pasts(), *presents, PAST):
            tape.reserve(name)

    @property
    def order(self) -> list[str]:
        """Names of inputs in the order they stand in: those of the graph, then state, layer by layer."""
        return [*(self.form.name(value.name) for value in self.graph.inputs), PAST, *self._pasts()]

    def _pasts(self) -> list[str]:
        return [self.form.past_name(path, state, i) for path, state in self.read for i in _indices(state)]

    def take(self, values: Sequence[Value]) -> dict[str, Tensor | None]:
        """These inputs of the graph. Afterwards sizes are known that the model starts from."""
        given: dict[str, Tensor | None] = {
            v.name: self._input(self.form.name(v.name), v.type) for v in values
        }
        for path, state in self.read:
            self.states.declare(path, state)
            if is_outer(path, state):
                self.states.before(path, 0)
        if self.graph.stream is not None and not self.sizes.known(PAST):
            self._bind_past(values)
        return given

    def _bind_past(self, taken: Iterable[Value]) -> None:
        """`past` is the length of a cache, or of an input beside what is new; without state it is 0."""
        moving = [(path, state) for path, state in self.read if state.kind != "hold"]
        grown = next(((path, state) for path, state in moving if state.kind == "append"), None)
        if not moving:
            self.sizes.bind(PAST, 0)
        elif grown is not None:
            held = self.states.before(grown[0], 0)
            assert held is not None, "the state is read"
            self.sizes.bind(PAST, (held.value, grown[1].axis))
        else:
            self.sizes.bind(PAST, self._counted(taken) or self._input(PAST, COUNT).value)

    def _counted(self, taken: Iterable[Value]) -> ir.Value | None:
        """`past` as the length of an input [.., past + new, ..] without what is new."""
        for value in taken:
            for axis, size in enumerate(value.type.shape):
                new = beside(size, PAST)
                if new is not None:
                    given = self.inputs[self.form.name(value.name)]
                    whole = self.tape.one("Shape", given, start=axis, end=axis + 1)
                    return self.tape.one("Sub", whole, self.sizes.tensor(new), name="past_sequence_length")
        return None

    def _input(self, name: str, type_: TensorType) -> Tensor:
        value = ir.Value(name=name, type=ir.TensorType(self._dtype(type_)))
        self.inputs[name] = value
        for axis, size in enumerate(type_.shape):
            self.sizes.learn(size, value, axis)
        value.shape = ir.Shape([self.sizes.label(size) for size in type_.shape])
        return Tensor(type_, value)

    def _past(self, path: str, state: State, index: int) -> Tensor:
        """The input of what the step before left."""
        return self._input(self.form.past_name(path, state, index), _grown(state, index, n.symbol(PAST)))

    def left(self) -> list[ir.Value]:
        """The outputs that the next step reads, in the order of the graph's states."""
        order = {path: i for i, (path, _) in enumerate(states(self.graph))}
        keys = sorted(self.states.left, key=lambda key: (order[key[0]], key[1]))
        return [self._left(*key) for key in keys]

    def _left(self, path: str, index: int) -> ir.Value:
        state, tensor = self.states.declared[path], self.states.left[path, index]
        new = state.types[index].shape[state.axis]
        value = tensor.value if isinstance(tensor, Tensor) else tensor
        name = self.form.present_name(path, state, index)
        return self.output(name, Tensor(_grown(state, index, n.symbol(PAST) + new), value))

    def output(self, name: str, tensor: Tensor | None) -> ir.Value:
        """A result under a name."""
        assert tensor is not None, f"the model gives no {name}"
        value = self.tape.named(tensor.value, name)
        value.type = ir.TensorType(self._dtype(tensor.type))
        value.shape = ir.Shape([self.sizes.label(size) for size in tensor.type.shape])
        return value

    def _dtype(self, type_: TensorType) -> ir.DataType:
        return DTYPES[self.profile.dtype if type_.dtype == "float" else type_.dtype]


def _grown(state: State, index: int, length: n.Num) -> TensorType:
    """The type of one tensor of a state; what grows is so long."""
    type_, axis = state.types[index], state.axis
    if state.kind != "append":
        return type_
    return type_.with_shape(*type_.shape[:axis], length, *type_.shape[axis + 1 :])


def _indices(state: State) -> range:
    return range(len(state.types))


__all__ = ["Ports"]
