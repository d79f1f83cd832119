"""Selective checkpointing: scores computed again, by torch and on shapes, from the same source."""

from functools import cache

import pytest
import torch

from archspec import api
from archspec.backends.torch.fake.cores import with_cores_again
from archspec.backends.torch.fake.trace import Mode, Subject
from archspec.backends.torch.runtime.load import module_from_source
from archspec.measuring.measure import measure_step
from tests.backends.torch.fake.subjects import Pair, drawn
from tests.parity.catalog import ALL

# Padding, causal masks, repeated keys with a cap and windows, a bias that learns, sinks.
NAMES = ["bert", "gpt2", "gemma2", "t5", "longformer"]


@cache
def emitted(name: str) -> str:
    model = next(each for each in ALL if each.name == name)
    spec = api.load(model.spec, preset=model.preset, overrides=model.params, graph=model.graph)
    return api.source(spec, attention="eager")


def pair(name: str, source: str) -> Pair:
    module = module_from_source(source, name)
    own = getattr(module, module.__all__[0])().eval()
    model = next(each for each in ALL if each.name == name)
    inputs = drawn(model, "plain")
    if "global_attention_mask" in inputs:
        inputs["global_attention_mask"] = torch.zeros_like(inputs["global_attention_mask"])
        inputs["global_attention_mask"][:, :2] = 1
    return Pair(own, Subject(source, name), inputs, None, Mode(picked=2))


@pytest.mark.parametrize("name", NAMES)
def test_shapes_alone_say_what_a_step_takes(name: str):
    both = pair(name, with_cores_again(emitted(name)))
    found, real = both.subject.train(both.shapes, both.mode), measure_step(both.module, both.inputs)
    assert (found.peak, found.flops) == (real.peak, real.flops)


@pytest.mark.parametrize("name", NAMES)
def test_the_same_numbers(name: str):
    once, again = (pair(name, source) for source in (emitted(name), with_cores_again(emitted(name))))
    again.module.load_state_dict(once.module.state_dict())
    both = [one.module(**once.inputs) for one in (once, again)]
    first, second = (x[0] if isinstance(x, tuple) else x for x in both)
    assert torch.equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_no_scores_are_kept_and_they_are_computed_once_more(name: str):
    once, again = (pair(name, source) for source in (emitted(name), with_cores_again(emitted(name))))
    before, after = (one.subject.train(one.shapes, one.mode) for one in (once, again))
    assert not any(s.operation in ("_softmax", "tanh") for s in after.forward.saved if "attn" in s.place)
    assert after.forward.activations < before.forward.activations
    assert before.forward.flops < after.flops - before.forward.backward_flops < 2 * before.forward.flops


def test_fused_attention_keeps_no_scores_anyway():
    source = api.source("gpt2", attention="sdpa")
    assert with_cores_again(source) == source
