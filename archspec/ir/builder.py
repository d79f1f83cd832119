"""Builds graphs region by region. Regions are closed: a value used from outside becomes an input."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeAlias

from archspec.dims.num import Num, outward
from archspec.dims.num import Value as Setting
from archspec.errors import Span
from archspec.ir.along import Along
from archspec.ir.graph import Apply, Call, Init, Node, Param, Region, Repeat, State, Value
from archspec.ir.op import Op
from archspec.ir.types import Shape, TensorType, require


@dataclass(frozen=True, slots=True, eq=False)
class Handle:
    """A value under construction: the value, and the builder whose region it lives in."""

    value: Value
    owner: Builder = field(repr=False)

    @property
    def type(self) -> TensorType:
        return self.value.type


Results: TypeAlias = tuple[Handle, ...]
Body: TypeAlias = "Callable[[Builder, Results], Sequence[Handle]]"


class Builder:
    """One region under construction. `parent` is the builder of the region around it."""

    def __init__(self, name: str, component: str, parent: Builder | None = None) -> None:
        self.name, self.component, self.parent = name, component, parent
        self.span: Span | None = parent.span if parent else None
        self.nodes: list[Node] = []
        self.params: list[Param] = []
        self.states: list[State] = []
        self.bindings: dict[str, Setting] = {}
        self.inputs: list[Value] = []
        self.given: list[Handle] = []
        self.ports: list[str] = []
        self.children: dict[str, Region] = {}
        self._names: set[str] = set()
        self._reserved: set[str] = set()
        self._captured: dict[Handle, Handle] = {}

    def reserve(self, names: Iterable[str]) -> None:
        """Keeps names for parameters to come: other values get a number behind theirs."""
        self._reserved |= {*names} - self._names
        self._names |= self._reserved

    def unique(self, hint: str) -> str:
        """`hint` as an identifier that no other value of this region has."""
        base = re.sub(r"\W", "_", hint)
        name, number = base, 1
        while name in self._names:
            number += 1
            name = f"{base}_{number}"
        self._names.add(name)
        return name

    def input(self, name: str, type_: TensorType, optional: bool = False) -> Handle:
        value = Value(self.unique(name), type_, optional)
        self.inputs.append(value)
        return Handle(value, self)

    def param(
        self, name: str, shape: Shape, init: Init, *, trainable: bool = True, dtype: str = "float"
    ) -> Handle:
        """A learned tensor (or a checkpointed buffer) owned by this region."""
        for size in shape:
            require(
                size.static and int(size) > 0,
                "T012",
                f"parameter '{name}' needs a positive size, not {size.described()}",
            )
        even = len(shape) == 2 and int(shape[1]) % 2 == 0
        shown = TensorType(dtype, shape)
        require(init.kind != "sinusoids" or even, "T008", f"sinusoids fill [length, even width], not {shown}")
        free = name in self._reserved or name not in self._names
        require(free, "S110", f"'{name}' is another value here already", "a parameter's name is its path")
        self._reserved.discard(name)
        self._names.add(name)
        value = Value(name, TensorType(dtype, shape))
        self.params.append(Param(value, init, trainable))
        return Handle(value, self)

    def state(self, kind: str, types: tuple[TensorType, ...], axis: int = 0) -> str:
        taken = {s.name for s in self.states}
        name = next(n for n in (kind, *(f"{kind}_{i}" for i in range(2, 99))) if n not in taken)
        self.states.append(State(name, kind, types, axis))
        return name

    def here(self, handle: Handle) -> Value:
        """The value as this region sees it; one from outside becomes an input."""
        if handle.owner is self:
            return handle.value
        if handle not in self._captured:
            if self.parent is None:
                raise AssertionError(f"value {handle.value.name} belongs to no region around {self.name}")
            outer = Handle(self.parent.here(handle), self.parent)
            self.given.append(outer)
            self.ports.append("")
            self._captured[handle] = self.input(handle.value.name, handle.type, handle.value.optional)
        return self._captured[handle].value

    def results(self, op: Op, *inputs: Handle | None, names: Sequence[str] = ()) -> Results:
        """Place an operation; its result types follow from `op.infer`.

        Raises `ShapeError`.
        """
        operands = tuple(None if x is None else self.here(x) for x in inputs)
        types = op.infer(*(None if x is None else x.type for x in operands))
        hints = names or (op.name,) * len(types)
        outputs = tuple(Value(self.unique(hint), t) for hint, t in zip(hints, types, strict=True))
        self.nodes.append(Apply(op, operands, outputs, self.span))
        return tuple(Handle(v, self) for v in outputs)

    def apply(self, op: Op, *inputs: Handle | None, name: str | None = None) -> Handle:
        """Place an operation with one result."""
        return self.results(op, *inputs, names=(name,) if name else ())[0]

    def child(self, name: str, component: str) -> Builder:
        return Builder(name, component, self)

    def call(
        self, name: str, component: str, inputs: Sequence[Handle], body: Body, *, label: str | None = None
    ) -> Results:
        """Run `body` in a new region `name`; its inputs are named like the handles given."""
        child = self.child(name, component)
        inner = tuple(child.receive(x) for x in inputs)
        return self.finish(child, body(child, inner), label=label or name)

    def receive(
        self,
        outer: Handle,
        name: str | None = None,
        type_: TensorType | None = None,
        *,
        carried: bool = False,
    ) -> Handle:
        """An explicit input of this region, fed by `outer`; `carried`: in later layers by the one before."""
        if self.parent is None:
            raise AssertionError("the root region is fed by the caller")
        self.given.append(Handle(self.parent.here(outer), self.parent))
        inner = self.input(name or outer.value.name, type_ or outer.type, outer.value.optional)
        self.ports.append(inner.value.name)
        if not carried:
            self._captured.setdefault(outer, inner)
        return inner

    def finish(
        self,
        child: Builder,
        outputs: Sequence[Handle],
        *,
        label: str | Sequence[str],
        along: Along | None = None,
    ) -> Results:
        """Close a child region and call it from here. A region of that name that stood before is shared.

        `label`: what the results are called, all alike or each. `along`: it runs at each position of an axis.
        """
        region = child.region(outputs)
        shared = region.name in self.children
        self.children.setdefault(region.name, region)
        given = tuple(self.here(g) for g in child.given)
        labels = [label] * len(outputs) if isinstance(label, str) else label
        types = [outward_type(o.type, child.bindings) for o in region.outputs]
        types = along.outside([v.type for v in given], types) if along else types
        results = tuple(Value(self.unique(hint), t) for hint, t in zip(labels, types, strict=True))
        self.nodes.append(Call(region, given, results, shared, self.span, along))
        return tuple(Handle(v, self) for v in results)

    def repeat(
        self,
        name: str,
        layers: Sequence[Builder],
        outputs: Sequence[Sequence[Handle]],
        schedule: tuple[int, ...],
        count: Num,
        *,
        shared: bool = False,
    ) -> Results:
        """Close the variants of a repeated region; each has the carried values as its first inputs."""
        regions = aligned([layer.region(out) for layer, out in zip(layers, outputs, strict=True)], layers)
        given = tuple(self.here(g) for g in layers[0].given)
        results = tuple(Value(self.unique("x"), v.type) for v in given[: len(regions[0].outputs)])
        self.children[name] = regions[0]
        self.nodes.append(Repeat(name, tuple(regions), schedule, count, given, results, shared, self.span))
        return tuple(Handle(v, self) for v in results)

    def experts(
        self,
        name: str,
        layers: Sequence[Builder],
        outputs: Sequence[Handle],
        schedule: tuple[int, ...],
        count: Num,
        given: tuple[Handle, Handle],
        rows: str,
    ) -> Handle:
        """Close the variants of experts: each has its rows of `given[0]`, [rows, D], as the first input.

        The second is for the gates of those rows, `given[1]`: see `gated`.
        """
        regions = aligned([layer.region([out]) for layer, out in zip(layers, outputs, strict=True)], layers)
        rest = (self.here(g) for g in layers[0].given[2:])
        end = outward_type(regions[0].outputs[0].type, layers[0].bindings)
        result = Value(self.unique(name), end.with_shape(*given[0].type.shape[:-1], end.shape[-1]))
        inputs = (*map(self.here, given), *rest)
        self.children[name] = regions[0]
        self.nodes.append(
            Repeat(name, tuple(regions), schedule, count, inputs, (result,), span=self.span, rows=rows)
        )
        return Handle(result, self)

    def gated(self, gates: Handle, type_: TensorType) -> Handle:
        """The input for the gates of an expert's rows, behind that for the rows."""
        inner = self.input("gate", type_)
        self.inputs.insert(1, self.inputs.pop())
        self.given.insert(1, gates)
        self.ports.insert(1, inner.value.name)
        return inner

    def region(self, outputs: Sequence[Handle]) -> Region:
        results = tuple(self.here(o) for o in outputs)
        return Region(
            self.name, self.component, tuple(self.inputs), results, tuple(self.nodes), tuple(self.params),
            tuple(self.states), tuple(self.bindings.items()),
        )  # fmt: skip


def outward_type(type_: TensorType, bindings: Mapping[str, Setting]) -> TensorType:
    """The type as the region around writes it."""
    return type_.with_shape(*(outward(size, bindings) for size in type_.shape))


def aligned(regions: list[Region], layers: Sequence[Builder]) -> list[Region]:
    """Variants with one common list of inputs: what one of them takes from outside, all are handed."""
    order: dict[tuple[str, str], Handle] = {}
    for layer in layers:
        for given, port in zip(layer.given, layer.ports, strict=True):
            order.setdefault((given.value.name, port), given)
    out: list[Region] = []
    for region, layer in zip(regions, layers, strict=True):
        own = {(g.value.name, p): v for g, p, v in zip(layer.given, layer.ports, layer.inputs, strict=True)}
        inputs = tuple(
            own.get(k) or layer.input(k[0], g.type, g.value.optional).value for k, g in order.items()
        )
        out.append(replace(region, inputs=inputs))
    layers[0].given = list(order.values())
    return out
