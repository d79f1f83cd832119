"""Parts of systems as ONNX graphs of their own, each with the inputs and weights that it needs."""

import math

import pytest
import torch
from torch import Tensor

from archspec import api, library
from archspec.backends.onnx.modes import may_be_left_out
from archspec.lowering.graphs import names
from tests.parity.catalog import ALL
from tests.parity.draw import generator
from tests.parity.onnx_rig import Both, as_arrays, excess
from tests.parity.test_onnx import TOLERANCE
from tests.parity.test_system import PARAMS

OVERRIDES = {"sd15": PARAMS, "clip": next(model.params for model in ALL if model.name == "clip")}
SIZES = {"B": 2, "S": 5, "I": 3, "H": 2, "W": 1, "L": 7}
ELSEWHERE = {"lstm", "gru"}
"""Specs that no reference class is compared with: `tests/backends/onnx/test_along.py`."""
PARTS = [
    pytest.param(spec, part, id=f"{spec}-{part}")
    for spec in OVERRIDES
    for part in names(api.load(spec))
]  # fmt: skip


def inputs(both: Both) -> dict[str, Tensor]:
    """Every input that is needed, drawn after its name and type."""
    free = may_be_left_out(both.graph)
    random = generator("parts")
    given: dict[str, Tensor] = {}
    for value in both.graph.inputs:
        shape = [size.size if isinstance(size.size, int) else _size(str(size)) for size in value.type.shape]
        if value.name not in free:
            whole = value.type.dtype == "int64"
            given[value.name] = (
                torch.randint(7, shape, generator=random) if whole else torch.randn(shape, generator=random)
            )
    return given


def _size(written: str) -> int:
    """A product, such as `8*H`."""
    factors = written.replace(" ", "").split("*")
    return math.prod(SIZES[factor] if factor in SIZES else int(factor) for factor in factors)


@pytest.mark.parametrize(("spec", "part"), PARTS)
def test_a_part_equals_our_module(spec: str, part: str):
    both = Both.of(api.load(spec, overrides=OVERRIDES[spec], graph=part), gain=0.6)
    given = inputs(both)
    truth = both.truth(given)
    for profile in ("standard", "portable"):
        exported = both.exported("full", (), profile)
        assert set(exported.takes) == set(given)
        assert excess(exported.run(as_arrays(given)), truth, truth.keys()) <= TOLERANCE
        stored = {tensor.name for tensor in exported.proto.graph.initializer}
        assert {name for name, _ in both.module.named_parameters()} <= stored


def test_no_spec_of_the_library_is_forgotten():
    assert {*library.names()} == {model.spec for model in ALL} | ELSEWHERE
