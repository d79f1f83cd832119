"""A step of training, forward and backward: its peak and FLOPs are those of real torch."""

import pytest
from msgspec.structs import replace

from archspec.backends.torch.fake.trace import Mode, Training
from archspec.measuring.measure import measure_saved, measure_step
from tests.backends.torch.fake.subjects import Pair, pair, runs
from tests.backends.torch.fake.test_library import DROPPING, named
from tests.parity.catalog import Model


@pytest.mark.parametrize(("model", "attention", "mode"), runs(), ids=map(named, runs()))
def test_peak_of_a_step(model: Model, attention: str, mode: str):
    both = pair(model, attention, mode)
    found, real = both.subject.train(both.shapes, both.mode), measure_step(both.module, both.inputs, both.run)
    if model.spec in DROPPING:
        assert 0.99 < found.peak / real.peak < 1.05
    else:
        assert found.peak == real.peak
    if flops_are_counted(model, both):
        assert counted(found) == real.flops


@pytest.mark.parametrize("mode", ["plain", "bf16", "autocast"])
def test_statistics_of_a_batch(mode: str):
    """In training a batch norm keeps them in the dtype of its parameters, whatever its input has."""
    model, attention, _ = next(run for run in runs() if "resnet" in run[0].name and run[2] == mode)
    both = pair(model, attention, mode)
    both.module.train()
    asked = replace(both.mode, dropout=True, gradients=True)
    kept, found = both.subject.trace(both.shapes, asked), both.subject.train(both.shapes, asked)
    saved = measure_saved(both.module, both.inputs, both.run).activations
    assert kept.activations + kept.weight_copies == saved
    assert found.peak == measure_step(both.module, both.inputs, both.run).peak


def flops_are_counted(model: Model, both: Pair) -> bool:
    """FlopCounterMode takes the weight's gradient of a grouped convolution as that of an ungrouped one."""
    grouped = "groups=" in str(both.module.source)
    return not grouped and model.spec not in DROPPING


def counted(found: Training) -> int:
    return sum(k.flops for k in found.kernels if not k.name.startswith("scaled_dot_product_attention"))


@pytest.mark.parametrize("every", [0, 1, 2])
def test_flops_of_a_step_are_those_of_its_trace(every: int):
    model, attention, _ = next(run for run in runs() if run[0].name == "llama" and run[2] == "loss")
    both = pair(model, attention, "loss")
    trace = both.subject.trace(both.shapes, Mode(loss="loss", gradients=True, checkpoint=every))
    found = both.subject.train(both.shapes, Mode(loss="loss", checkpoint=every))
    assert found.gradients == trace.parameters
    assert found.flops >= trace.flops + trace.backward_flops
    if not every:
        assert found.flops == trace.flops + trace.backward_flops


def test_checkpoints_trade_memory_for_flops():
    model, attention, _ = next(run for run in runs() if run[0].name == "llama" and run[2] == "loss")
    both = pair(model, attention, "loss")
    none, some, every = (both.subject.train(both.shapes, Mode(loss="loss", checkpoint=n)) for n in (0, 2, 1))
    assert none.peak > some.peak > every.peak
    assert none.flops < some.flops < every.flops
