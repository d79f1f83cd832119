"""The nodes of an ONNX graph while it is written. What is computed twice from one input is written once."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeAlias

import numpy as np
import onnx_ir as ir

Said: TypeAlias = int | float | str | Sequence[int] | Sequence[float] | ir.Graph
Attribute: TypeAlias = Said | None
"""An attribute of a node; one that is None is left out."""
Key: TypeAlias = tuple[object, ...]

CONTRIB = "com.microsoft"


class Tape:
    """One graph, or the body of a control-flow node inside `outer`, whose values it may read.

    A `branch` may not run: what it computes stays in it.
    """

    def __init__(self, outer: Tape | None = None, *, branch: bool = False) -> None:
        self.outer, self.branch = outer, branch
        self.nodes: list[ir.Node] = []
        self.initializers: dict[str, ir.Value] = {} if outer is None else outer.initializers
        self._names: dict[str, int] = {} if outer is None else outer._names
        self._made: dict[Key, tuple[ir.Value, ...]] = {}
        self._own: set[int] = set()
        self._scope: tuple[str, ...] = () if outer is None else outer._scope

    @contextmanager
    def scope(self, name: str) -> Generator[None]:
        """Values made inside are called `…/name/…`."""
        before, self._scope = self._scope, (*self._scope, name)
        yield
        self._scope = before

    def op(
        self,
        kind: str,
        *inputs: ir.Value | None,
        outputs: int = 1,
        domain: str = "",
        name: str | None = None,
        alone: bool = False,
        **attributes: Attribute,
    ) -> tuple[ir.Value, ...]:
        """The results of a node; those of an earlier node where one computes the same.

        What reads nothing of a body's own stands outside of it. A node `alone`, which draws at random, is
        written where it stands, once more each time.
        """
        rises = self.outer is not None and not self.branch and not alone
        if rises and not any(id(value) in self._own for value in inputs):
            assert self.outer is not None, "what rises has where to"
            return self.outer.op(
                kind, *inputs, outputs=outputs, domain=domain, name=name, alone=False, **attributes
            )
        count = len(self.nodes) if alone else None
        key = (kind, domain, tuple(map(id, inputs)), outputs, _frozen(attributes), count)
        found = self._found(key)
        if found is not None:
            return found
        label = self.unique(name or kind)
        given = [_attribute(key, value) for key, value in attributes.items() if value is not None]
        node = ir.Node(domain, kind, inputs, given, num_outputs=outputs, name=label)
        for i, value in enumerate(node.outputs):
            value.name = label if i == 0 else self.unique(f"{name or kind}.{i}")
        self.nodes.append(node)
        self._own |= set(map(id, node.outputs))
        self._made[key] = tuple(node.outputs)
        return self._made[key]

    def once(self, key: Key, make: Callable[[], ir.Value]) -> ir.Value:
        """What is made under a key, the first time that it is asked for here."""
        found = self._found(key)
        if found is None:
            found = self._made[key] = (make(),)
        return found[0]

    def one(self, kind: str, *inputs: ir.Value | None, **given: Any) -> ir.Value:
        """The one result of a node."""
        return self.op(kind, *inputs, **given)[0]

    def constant(self, array: np.ndarray[Any, Any]) -> ir.Value:
        """A small tensor that is part of the graph."""
        key = ("constant", str(array.dtype), array.shape, array.tobytes())
        root = self.root
        if key not in root._made:
            root._made[key] = (self.initializer(f"constant_{len(root._made)}", ir.tensor(array)),)
        return root._made[key][0]

    def integers(self, *values: int) -> ir.Value:
        """A vector of int64."""
        return self.constant(np.array(values, dtype=np.int64))

    def initializer(self, name: str, tensor: ir.TensorProtocol) -> ir.Value:
        """A tensor that is part of the graph, under its own name."""
        if name not in self.initializers:
            type_, shape = ir.TensorType(tensor.dtype), ir.Shape(tensor.shape.numpy())
            value = ir.Value(name=name, type=type_, shape=shape)
            value.const_value = tensor
            self.initializers[name] = value
        return self.initializers[name]

    def named(self, value: ir.Value, name: str) -> ir.Value:
        """The value under a name of its own, for an output."""
        node = ir.node("Identity", [value], name=name)
        node.outputs[0].name = name
        self.nodes.append(node)
        return node.outputs[0]

    def input(self, name: str) -> ir.Value:
        """A value that this body is given."""
        value = ir.Value(name=self.unique(name))
        self._own.add(id(value))
        return value

    @property
    def root(self) -> Tape:
        return self if self.outer is None else self.outer.root

    def reserve(self, name: str) -> str:
        """The name as it is, for an input or output; no other value gets it afterwards."""
        self._names.setdefault(name, 1)
        return name

    def unique(self, name: str) -> str:
        """The name in this scope, with a number behind it where it is taken."""
        full = "/".join((*self._scope, name))
        count = self._names[full] = self._names.get(full, 0) + 1
        return full if count == 1 else self.unique(f"{name}_{count}")

    def _found(self, key: Key) -> tuple[ir.Value, ...] | None:
        tape: Tape | None = self
        while tape is not None:
            if key in tape._made:
                return tape._made[key]
            tape = tape.outer
        return None


def _attribute(name: str, value: Said) -> ir.Attr:
    """An attribute of a node, its kind said: onnx_ir would find it out, but slowly."""
    match value:
        case int():
            return ir.AttrInt64(name, int(value))
        case float():
            return ir.AttrFloat32(name, value)
        case str():
            return ir.AttrString(name, value)
        case ir.Graph():
            return ir.AttrGraph(name, value)
        case _ if any(isinstance(each, float) for each in value):
            return ir.AttrFloat32s(name, [float(each) for each in value])
        case _:
            return ir.AttrInt64s(name, [int(each) for each in value])


def _frozen(attributes: Mapping[str, Attribute]) -> Key:
    """Attributes to compare by; a graph is only like itself."""
    return tuple((name, _comparable(value)) for name, value in sorted(attributes.items()))


def _comparable(value: Attribute) -> object:
    if isinstance(value, list | tuple):
        return tuple(value)
    return id(value) if isinstance(value, ir.Graph) else value
