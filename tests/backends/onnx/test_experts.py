"""Experts in ONNX compute chosen rows alone, and sum to what our module sums to."""

from pathlib import Path

import pytest
import torch
from torch import Tensor

from archspec import api
from tests.parity.onnx_rig import Both, as_arrays, excess

SPEC = """\
archspec: 1
name: mix
params: {num_experts: 5}
inputs: {x: "[B, S, 6]", gates: "[B, S, num_experts]", scale: "[3]"}
model:
  - experts:
      experts: num_experts
      in: x
      weights: gates
      body: [{fc: {op: linear, out: 3}}, {scaled: "fc * scale"}]
outputs: {y: experts}
"""


@pytest.fixture
def both(tmp_path: Path) -> Both:
    path = tmp_path / "mix.yaml"
    path.write_text(SPEC)
    return Both.of(api.load(path))


def gates(*chosen: int) -> Tensor:
    """[2, 7, 5], which choose these experts at every place, and the last two at the first place alone."""
    made = torch.zeros(2, 7, 5)
    made[..., chosen] = torch.rand(2, 7, len(chosen)) + 0.1
    return made


@pytest.mark.parametrize("chosen", [(0,), (1, 4), (0, 1, 2, 3, 4), ()], ids=str)
@pytest.mark.parametrize("profile", ["standard", "portable"])
def test_the_sum_is_that_of_our_module(both: Both, chosen: tuple[int, ...], profile: str):
    torch.manual_seed(0)
    inputs = {"x": torch.randn(2, 7, 6), "gates": gates(*chosen), "scale": torch.randn(3)}
    got = both.exported("full", inputs, profile).run(as_arrays(inputs))
    assert excess(got, both.truth(inputs), ["y"]) < 1e-6
    assert bool(torch.from_numpy(got["y"]).any()) == bool(chosen)


def test_half_precision_sums_in_float32(both: Both):
    """ONNX Runtime adds no float16; the sum of five is as exact as float16 is."""
    torch.manual_seed(0)
    inputs = {"x": torch.randn(2, 7, 6), "gates": gates(0, 1, 2, 3, 4), "scale": torch.randn(3)}
    given = {name: x.half().numpy() for name, x in inputs.items()}
    got = both.exported("full", inputs, dtype="float16").run(given)
    assert str(got["y"].dtype) == "float16"
    truth = both.truth(inputs)["y"]
    assert (torch.from_numpy(got["y"]).float() - truth).abs().max() < 4e-3 * truth.abs().max()


def test_rows_that_no_expert_chose_are_not_computed(both: Both):
    """What is infinite in them reaches nobody: 0 * inf would be NaN."""
    x, weights = torch.randn(2, 7, 6), gates(2)
    x[0, 3], weights[0, 3] = torch.inf, 0.0
    inputs = {"x": x, "gates": weights, "scale": torch.randn(3)}
    got = torch.from_numpy(both.exported("full", inputs).run(as_arrays(inputs))["y"])
    assert got.isfinite().all()
    assert (got[0, 3] == 0).all()


def test_no_two_experts_share_a_name_for_the_number_of_their_rows(both: Both):
    """A runtime may reuse memory between values whose sizes have one name."""
    model = both.exported("full", ()).model
    shapes = [
        x.shape for node in model.graph for x in node.outputs if x.shape is not None and "fc" in str(x.name)
    ]
    rows = [str(shape[0]) for shape in shapes if shape.rank() == 2]
    assert len(set(rows)) == 5
