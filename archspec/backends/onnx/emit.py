"""A graph as one ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace

import onnx_ir as ir
from onnx_ir.passes import common

from archspec.backends.onnx.identities import drop_identities
from archspec.backends.onnx.interface import Interface
from archspec.backends.onnx.notes import notes
from archspec.backends.onnx.opset import check_opset
from archspec.backends.onnx.ports import Ports
from archspec.backends.onnx.profile import Profile
from archspec.backends.onnx.sizes import Sizes
from archspec.backends.onnx.tape import CONTRIB, Tape
from archspec.backends.onnx.tensor import Tensor
from archspec.backends.onnx.transposes import lay_out_weights, undo_pairs
from archspec.backends.onnx.walk import TOP, Walk
from archspec.ir.graph import Graph, Param, Region
from archspec.version import VERSION

Weight = Callable[[str, Param], ir.TensorProtocol | Callable[[Tape], ir.Value]]
"""The tensor of a parameter, by its path after ties; or what writes nodes that make it of other tensors."""


class Emitter:
    """One graph on its way to a model."""

    def __init__(self, graph: Graph, profile: Profile, form: Interface, weight: Weight) -> None:
        self.graph, self.profile, self.form, self.weight = graph, profile, form, weight
        self.tape = Tape()
        self.sizes = Sizes(self.tape, form.sizes)
        for symbol, size in form.fixed.items():
            self.sizes.bind(symbol, size)
        self.ports = Ports(graph, profile, form, self.tape, self.sizes)
        self.ties = dict(graph.ties)

    def model(self) -> ir.Model:
        """The model. What it does not need is not in it: neither inputs nor parameters.

        Raises UnsupportedError U004 for what has no rule, O001 for what the opset lacks.
        """
        root = _giving(self.graph, self.form)
        walk = Walk(self.tape, self.sizes, self.profile, self.ports.states, self._parameter)
        found = walk.region(root, TOP, self._given(walk, root))
        kept = [name for name, _ in self.graph.outputs if self.form.keeps(name)]
        outputs = [self.ports.output(self.form.name(name), x) for name, x in zip(kept, found, strict=True)]
        outputs += self.ports.left()
        graph = ir.Graph(
            list(self.ports.inputs.values()),
            outputs,
            nodes=self.tape.nodes,
            initializers=list(self.tape.initializers.values()),
            name=self.graph.name,
            doc_string=self.graph.summary,
            opset_imports={"": self.profile.opset, CONTRIB: 1},
        )
        model = ir.Model(
            graph, ir_version=self.profile.file_version, producer_name="archspec", producer_version=VERSION
        )
        _tidied(model, self.ports.order)
        model.metadata_props.update(notes(self.ports))
        check_opset(model)
        return model

    def _given(self, walk: Walk, root: Region) -> list[Tensor | None]:
        """The root's inputs; those that the caller leaves out are computed, or absent."""
        read, out = walk.live.inputs(root, ""), self.form.leave_out
        needed = [value for i, value in enumerate(root.inputs) if i in read]
        defaults = _only(self.graph.defaults, {v.name for v in needed} & out)
        inner = {v.name for v in defaults.inputs} if defaults else set[str]()
        names = ({v.name for v in needed} | inner) - out
        given = self.ports.take([value for value in self.graph.inputs if value.name in names])
        if defaults is not None:
            found = walk.region(defaults, TOP, [given.get(value.name) for value in defaults.inputs])
            given |= zip((value.name for value in defaults.outputs), found, strict=True)
        return [given.get(value.name) for value in root.inputs]

    def _parameter(self, path: str, param: Param) -> Tensor:
        name = self.ties.get(path, path)

        def made() -> ir.Value:
            given = self.weight(name, param)
            return given(self.tape) if callable(given) else self.tape.initializer(name, given)

        return Tensor(param.value.type, made)


def _giving(graph: Graph, form: Interface) -> Region:
    """The root, which gives only what is asked for."""
    kept = tuple(value for name, value in graph.outputs if form.keeps(name))
    return replace(graph.root, outputs=kept)


def _only(defaults: Region | None, names: Collection[str]) -> Region | None:
    """What computes these inputs."""
    outputs = tuple(value for value in defaults.outputs if value.name in names) if defaults else ()
    return replace(defaults, outputs=outputs) if defaults and outputs else None


def _tidied(model: ir.Model, order: list[str]) -> None:
    """Takes out what nobody reads, inputs too, and puts the others in order."""
    drop_identities(model)
    for step in (common.RemoveUnusedNodesPass(), common.RemoveUnusedOpsetsPass()):
        step(model)
    undo_pairs(model)
    lay_out_weights(model)
    inputs = model.graph.inputs
    read = [value for value in inputs if value.uses() or value.is_graph_output()]
    read.sort(key=lambda value: order.index(value.name or ""))
    inputs.clear()
    inputs.extend(read)


__all__ = ["Emitter", "Weight"]
