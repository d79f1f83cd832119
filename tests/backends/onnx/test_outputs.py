"""What a model gives: several outputs, some of them alike, integers, and inputs as they are."""

from pathlib import Path

import onnx
import pytest
import torch

from archspec import api
from tests.parity.onnx_rig import Both, as_arrays, excess

SPEC = """\
archspec: 1
name: several
inputs:
  x: "[B, S]"
  mask: {type: "[B, S]", optional: true}
  bias: {type: "[B, S]", optional: true}
  other: {type: "[B, T]", optional: true}
model:
  - fc: {op: linear, in: x, out: 4}
  - shown: "otherwise(mask, 3 * x)"
  - best: "argmax(fc, axis=-1)"
outputs: {y: fc, same: fc, best: best, shown: shown}
"""


@pytest.fixture
def both(tmp_path: Path) -> Both:
    path = tmp_path / "several.yaml"
    path.write_text(SPEC.replace("[B, S]", "[B, 6]"))
    return Both.of(api.load(path))


@pytest.mark.parametrize("given", [("x",), ("x", "mask")], ids=str)
def test_all_outputs_are_given(both: Both, given: tuple[str, ...]):
    inputs = {name: torch.randn(3, 6) for name in given}
    exported = both.exported("full", inputs)
    onnx.checker.check_model(exported.proto, full_check=True)
    assert exported.takes == [*given]
    truth = both.truth(inputs)
    assert excess(exported.run(as_arrays(inputs)), truth, ["y", "same", "best", "shown"]) < 1e-6


def test_inputs_that_nothing_reads_are_not_taken(both: Both):
    assert both.exported("full", ["mask", "bias", "other"]).takes == ["x", "mask"]
