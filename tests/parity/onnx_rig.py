"""A model of ours as ONNX graphs with the same weights, run by ONNX Runtime on the CPU."""

import json
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, cast

import numpy as np
import onnx
import onnx_ir as ir
import onnxruntime as ort
import torch
from torch import Tensor

from archspec import api
from archspec.backends.onnx.emit import Emitter
from archspec.backends.onnx.modes import in_mode, may_be_left_out, modes_of
from archspec.backends.onnx.notes import KEY
from archspec.backends.onnx.profile import Profile
from archspec.ir.graph import Graph, Param
from archspec.spec.spec import Spec
from tests.parity.catalog import Case, Model
from tests.parity.draw import draw, randomise

Array = np.ndarray[Any, Any]
Arrays = dict[str, Array]
Inputs = dict[str, Tensor]
Key = tuple[str, frozenset[str], str, str]
ort.set_default_logger_severity(3)


@dataclass(frozen=True, eq=False)
class Exported:
    """One graph, checked. `states` says what a step takes of the one before it."""

    model: ir.Model

    @cached_property
    def proto(self) -> onnx.ModelProto:
        return ir.to_proto(self.model)

    @cached_property
    def session(self) -> ort.InferenceSession:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return ort.InferenceSession(
            self.proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )

    @property
    def states(self) -> list[dict[str, Any]]:
        return json.loads(self.model.metadata_props.get(KEY, "[]"))

    @property
    def takes(self) -> list[str]:
        return [value.name for value in self.session.get_inputs()]

    def run(self, given: Arrays) -> Arrays:
        """All outputs; what the graph does not take is not given to it."""
        names = [value.name for value in self.session.get_outputs()]
        feed = {name: given[name] for name in self.takes}
        return dict(zip(names, cast("list[Array]", self.session.run(names, feed)), strict=True))

    def empty(self, batch: int) -> Arrays:
        """What the first step is given, by state: caches without a token, recurrent state as it starts."""
        inputs: dict[str, Any] = {value.name: value for value in self.session.get_inputs()}
        taken = (state for state in self.states if state["input"])
        return {state["state"]: _started(inputs[state["input"]].shape, batch, state) for state in taken}

    def kept(self, found: Arrays) -> Arrays:
        """What this step leaves, by state."""
        return {state["state"]: found[state["output"]] for state in self.states if state["output"]}

    def of(self, kept: Arrays) -> Arrays:
        """What this step is given of it, by input."""
        return {state["input"]: kept[state["state"]] for state in self.states if state["input"]}


@dataclass(frozen=True, eq=False)
class Both:
    """A model with random weights, and its graphs as they are asked for."""

    module: Any
    graph: Graph
    made: dict[Key, Exported] = field(default_factory=dict[Key, Exported])

    @classmethod
    def of(cls, spec: Spec, seed: int = 0, gain: float = 1.0) -> "Both":
        module = api.compile(spec, attention="eager").eval()
        randomise(module, seed, gain)
        return cls(module, api.lower(spec))

    @classmethod
    def of_case(cls, model: Model) -> "Both":
        spec = api.load(model.spec, preset=model.preset, overrides=model.params, graph=model.graph)
        return cls.of(spec, model.seed, model.gain)

    @property
    def modes(self) -> tuple[str, ...]:
        return modes_of(self.graph)

    def exported(
        self, mode: str, given: Collection[str], profile: str = "standard", dtype: str = "float32"
    ) -> Exported:
        """The graph of a mode that takes these inputs, of those that may be left out."""
        out = frozenset(may_be_left_out(self.graph)) - set(given)
        key = (mode, out, profile, dtype)
        if key not in self.made:
            graph, form = in_mode(self.graph, mode, out)
            weight = partial(_weight, self.module.state_dict(), dtype)
            self.made[key] = Exported(Emitter(graph, Profile(profile, dtype), form, weight).model())
        return self.made[key]

    def truth(self, inputs: Inputs) -> Inputs:
        """What our module gives, by output."""
        names = [name for name, _ in self.graph.outputs]
        with torch.no_grad():
            found = self.module(**inputs)
        return dict(zip(names, [found] if isinstance(found, Tensor) else found, strict=True))


def inputs_of(model: Model, case: Case) -> Inputs:
    """The inputs of a case, others for other sizes."""
    return draw(case, case.inputs, model.name, repr(case.sizes))


def _started(shape: list[int | str], batch: int, state: dict[str, Any]) -> Array:
    known = {"batch_size": batch, "past_sequence_length": 0}
    sizes = [known[size] if isinstance(size, str) else size for size in shape]
    return np.full(sizes, state.get("start") or 0.0, np.float32)


def _weight(state: dict[str, Tensor], dtype: str, name: str, param: Param) -> ir.TensorProtocol:
    array = state[name].numpy()
    return ir.tensor(array.astype(dtype) if param.value.type.dtype == "float" else array, name=name)


def as_arrays(inputs: Inputs) -> Arrays:
    return {name: value.numpy() for name, value in inputs.items()}


def excess(got: Arrays, truth: Inputs, names: Collection[str], where: Tensor | None = None) -> float:
    """The largest difference of these outputs, as a share of the largest number where that is over 1."""
    return max(_off(torch.from_numpy(got[name]), truth[name], where) for name in names)


def _off(got: Tensor, truth: Tensor, where: Tensor | None) -> float:
    assert got.shape == truth.shape, f"{tuple(got.shape)} against {tuple(truth.shape)}"
    assert got.dtype == truth.dtype, f"{got.dtype} against {truth.dtype}"
    if where is not None:
        got, truth = got[where.bool()], truth[where.bool()]
    if not truth.is_floating_point():
        return float((got != truth).any())
    off = (got.double() - truth.double()).abs().max() / truth.abs().max().clamp(min=1)
    return off.item() if bool(off.isfinite()) else float("inf")
