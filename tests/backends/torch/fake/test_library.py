"""Every library spec at the sizes of its parity tests: shapes alone say what torch allocates and computes.

Equal to the byte and the FLOP: the peak of what is alive, what is alive at the end, what is saved for the
backward pass, the FLOPs. A CPU's fused attention is left out of the FLOPs: FlopCounterMode does not see it.
"""

import dataclasses

import msgspec
import pytest

from archspec.backends.torch.fake.trace import Trace
from archspec.measuring.measure import measure, measure_saved
from tests.backends.torch.fake.subjects import MODES, Pair, pair, runs
from tests.parity.catalog import Model

# Which tokens an expert gets only data says. On shapes each gets the same number, and every token has its
# place, so that a mixture that keeps all tokens saves, computes and returns exactly as much; what its
# largest expert holds at once differs. One that drops tokens beyond an expert's capacity does less.
EVEN, DROPPING = ("mixtral", "qwen2_moe"), ("switch",)


def counted(trace: Trace) -> int:
    """FLOPs that FlopCounterMode sees on a CPU."""
    return sum(k.flops for k in trace.kernels if k.name != "scaled_dot_product_attention")


def compared(both: Pair) -> tuple[dict[str, int], dict[str, int]]:
    trace = both.subject.trace(both.shapes, both.mode)
    kept = both.subject.trace(both.shapes, msgspec.structs.replace(both.mode, gradients=True))
    real = measure(both.module, both.inputs, both.run)
    saved = measure_saved(both.module, both.inputs, both.run).activations
    ours = {"peak": trace.peak, "end": trace.end, "flops": counted(trace)}
    theirs = {"peak": real.peak, "end": real.end, "flops": real.flops}
    return ours | {"saved": kept.activations + kept.weight_copies}, theirs | {"saved": saved}


def named(run: tuple[Model, str, str]) -> str:
    return f"{run[0].name}-{run[1]}-{run[2]}"


@pytest.mark.parametrize(("model", "attention", "mode"), runs(), ids=map(named, runs()))
def test_shapes_alone_say_what_torch_does(model: Model, attention: str, mode: str):
    ours, theirs = compared(pair(model, attention, mode))
    if model.spec in DROPPING:
        assert all(ours[name] >= theirs[name] for name in ("flops", "saved"))
        assert ours["flops"] < 1.1 * theirs["flops"]
        assert ours["end"] == theirs["end"]
    elif model.spec in EVEN:
        assert abs(ours.pop("peak") / theirs.pop("peak") - 1) < 0.05
        assert ours == theirs
    else:
        assert ours == theirs


def test_a_difference_would_be_seen():
    model, attention, mode = runs()[0]
    both = pair(model, attention, mode)
    longer = {name: (*x.shape[:-1], x.shape[-1] + 1) for name, x in both.inputs.items() if x.ndim == 2}
    inputs = {name: x.new_zeros(longer.get(name, x.shape)) for name, x in both.inputs.items()}
    ours, theirs = compared(dataclasses.replace(both, inputs=inputs))
    other, _ = compared(both)
    assert ours == theirs
    assert all(ours[name] != other[name] for name in ours)


def test_every_mode_is_run():
    assert {mode for _, _, mode in runs()} == set(MODES)
