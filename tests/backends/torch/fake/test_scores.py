"""Rules for scores, on shapes and for real: memory and FLOPs are the same."""

from pathlib import Path

import msgspec
import pytest

from archspec.backends.torch.fake.trace import Mode, Subject
from archspec.measuring.measure import measure, measure_saved
from tests.language.cases import ALL, Case
from tests.language.rig import Rig

SCORES = [case for case in ALL if case.path.stem == "scores"]
SIZES = {"B": 2, "S": 7}


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize("case", SCORES, ids=[case.name for case in SCORES])
def test_a_score_costs_what_it_does(tmp_path: Path, case: Case, attention: str):
    rig = Rig.set_up(case.load(tmp_path, case.of("python")[0]), attention)
    inputs = rig.inputs(SIZES)
    subject = Subject(rig.source, "case")
    shapes = {name: (tuple(x.shape), str(x.dtype).removeprefix("torch.")) for name, x in inputs.items()}
    trace = subject.trace(shapes, Mode())
    kept = subject.trace(shapes, msgspec.structs.replace(Mode(), gradients=True))
    real = measure(rig.module, inputs, None)
    flops = sum(k.flops for k in trace.kernels if k.name != "scaled_dot_product_attention")
    assert (trace.peak, trace.end, flops) == (real.peak, real.end, real.flops)
    assert kept.activations + kept.weight_copies == measure_saved(rig.module, inputs, None).activations
