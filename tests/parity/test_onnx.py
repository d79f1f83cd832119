"""Every model as ONNX, run by ONNX Runtime: what our module computes, whole, by steps and by towers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import accumulate

import numpy as np
import onnx
import pytest
import torch

from archspec.errors import UnsupportedError
from tests.parity.catalog import ALL, Case, Decode, Model
from tests.parity.onnx_rig import Arrays, Both, Exported, Inputs, as_arrays, excess, inputs_of
from tests.parity.test_decode import pieces

# Kernels of ONNX Runtime add in another order than torch's: 1e-4 is what exporters are held to in the field
# (FACTS 5). The largest difference found is 1.2e-5.
TOLERANCE = 1e-4
REFUSED: dict[str, str] = {}
"""Models that ONNX cannot compute, and what the error says."""
LEAST = {"wav2vec2": 190, "hubert": 190, "efficientnet": 22, "resnet": 22, "convnext": 18}
"""The least size of an input, by spec, where that is not 1."""

MODELS = [pytest.param(model, id=model.name) for model in ALL]
DECODERS = [pytest.param(model, model.decode, id=model.name) for model in ALL if model.decode]
Pairs = Callable[[Model], Both]


@pytest.fixture(scope="module")
def pairs() -> Pairs:
    """One module and its graphs per model, made when it is first asked for."""
    made: dict[str, Both] = {}

    def pair(model: Model) -> Both:
        if model.name not in made:
            made.clear()  # one model at a time is in memory
            made[model.name] = Both.of_case(model)
        return made[model.name]

    return pair


def smallest(model: Model) -> Case:
    """One row of one token, from the first case without padding."""
    case = model.cases["alone"]
    return replace(case, sizes=dict.fromkeys(case.sizes, LEAST.get(model.spec, 1)) | {"B": 1})


def cases(model: Model) -> list[Case]:
    return [*model.cases.values(), smallest(model)]


def check(exported: Exported, both: Both, model: Model, case: Case) -> None:
    inputs = inputs_of(model, case)
    where = inputs[case.where] if case.where else None
    truth = both.truth(inputs)
    off = excess(exported.run(as_arrays(inputs)), truth, truth.keys(), where)
    assert off <= TOLERANCE, (case.sizes, off)


@pytest.mark.parametrize("profile", ["standard", "portable"])
@pytest.mark.parametrize("model", MODELS)
def test_equals_our_module(pairs: Pairs, model: Model, profile: str):
    both = pairs(model)
    if model.name in REFUSED:
        with pytest.raises(UnsupportedError, match=REFUSED[model.name]):
            both.exported("full", (), profile)
        return
    for case in cases(model):
        check(both.exported("full", case.inputs, profile), both, model, case)


@pytest.mark.parametrize("model", MODELS)
def test_the_checkers_accept_it(pairs: Pairs, model: Model):
    """Types and shapes are those that ONNX infers, names are unique, and all that is given is read."""
    both = pairs(model)
    for mode in both.modes:
        exported = both.exported(mode, ())
        onnx.checker.check_model(exported.proto, full_check=True)
        onnx.shape_inference.infer_shapes(exported.proto, check_type=True, strict_mode=True, data_prop=True)
        read = set(names_read(exported.proto.graph))
        assert set(exported.takes) <= read
        assert {tensor.name for tensor in exported.proto.graph.initializer} <= read


def names_read(graph: onnx.GraphProto) -> Iterator[str]:
    """What nodes and outputs read, also those of bodies."""
    yield from (value.name for value in graph.output)
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            yield from names_read(attribute.g)


def stepwise(first: Exported, later: Exported, decode: Decode, inputs: Inputs, lengths: list[int]) -> Arrays:
    """The outputs of a sequence that is fed piece by piece."""
    batch = next(iter(inputs.values())).shape[0]
    state, found = first.empty(batch), list[Arrays]()
    for end, length in zip(accumulate(lengths), lengths, strict=True):
        step = first if not found else later
        given = piece(decode, as_arrays(inputs), end - length, end)
        found.append(step.run({"past": np.array([end - length]), **given, **step.of(state)}))
        state |= step.kept(found[-1])
    return {name: np.concatenate([each[name] for each in found], 1) for name in decode.gives}


def piece(decode: Decode, inputs: Arrays, start: int, end: int) -> Arrays:
    def part(name: str) -> slice:
        return slice(start, end) if name in decode.steps else slice(0, end)

    moving = {*decode.steps, *decode.grows}
    return {name: x[..., part(name)] if name in moving else x for name, x in inputs.items()}


@pytest.mark.parametrize("uneven", [True, False], ids=["uneven", "one by one"])
@pytest.mark.parametrize(("model", "decode"), DECODERS)
def test_steps_equal_the_whole(pairs: Pairs, model: Model, decode: Decode, uneven: bool):
    """In one graph for all steps, and in two; a decoder with an encoder has two behind that."""
    both = pairs(model)
    for case in model.cases.values():
        inputs = inputs_of(model, case)
        for first, later, more in ways(both, inputs):
            lengths = pieces(inputs[decode.steps[0]].shape[-1], uneven)
            got = stepwise(first, later, decode, inputs | more, lengths)
            where = inputs[case.where] if case.where else None
            off = excess(got, both.truth(inputs), decode.gives, where)
            assert off <= TOLERANCE, (case.sizes, off)


def ways(both: Both, inputs: Inputs) -> list[tuple[Exported, Exported, Inputs]]:
    """Graphs for the first step and for the later ones, and further inputs that they take."""
    if "encoder" not in both.modes:
        cached, prefill, decode = (both.exported(mode, inputs) for mode in ("cached", "prefill", "decode"))
        return [(cached, cached, {}), (prefill, decode, {})]
    decoder, later = (both.exported(mode, inputs) for mode in ("decoder", "decoder_with_past"))
    return [(decoder, later, encoded(both.exported("encoder", inputs), inputs))]


def encoded(encoder: Exported, inputs: Inputs) -> Inputs:
    """What the encoder gives, as the decoder takes it."""
    found = encoder.run(as_arrays(inputs))
    return {"encoder_hidden_states": torch.from_numpy(found["last_hidden_state"])}
