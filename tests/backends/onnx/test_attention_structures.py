"""Every structure of attention, in ONNX Runtime, against brute force in fp64."""

import pytest

from archspec.backends.onnx.profile import Profile
from tests.backends.onnx.structures import error, model
from tests.backends.torch.kernels.structures import STRUCTURES, Structure

# fp32: sums in another order, parts of 1e-6. fp16: 11 bits, and scores of a few units are off by 1e-3 each.
TOLERANCE = {"float32": 1e-5, "float16": 1e-2}
PROFILES = ("standard", "portable", "genai")
# What is one number for all heads is the bias operand (test_attention.py), not a lookup.
SAID_OTHERWISE = ("bias of all heads", "bias with a window")
ALL = {name: given for name, given in STRUCTURES.items() if name not in SAID_OTHERWISE}
SHAPES: list[dict[str, int]] = [{"B": 3}, {"Q": 1, "K": 1}, {"Q": 7, "K": 7}]


def square(given: Structure) -> bool:
    """Whether the structure has a meaning for other lengths: no table of its own length, no start."""
    fixed = any(isinstance(x, int) and x > 1 for table in given.tables.values() for x in table.axes)
    return given.shape.start == 0 and given.shape.Q == given.shape.K and not fixed


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ALL)
def test_as_the_reference(name: str, profile: str):
    assert error(STRUCTURES[name], Profile(profile)) <= TOLERANCE["float32"]


@pytest.mark.parametrize("sizes", SHAPES, ids=str)
@pytest.mark.parametrize("name", [name for name, given in ALL.items() if square(given)])
def test_other_sizes(name: str, sizes: dict[str, int]):
    for profile in PROFILES[:2]:
        assert error(STRUCTURES[name].shaped(**sizes), Profile(profile), seed=3) <= TOLERANCE["float32"], (
            profile
        )


@pytest.mark.parametrize("profile", PROFILES[:2])
@pytest.mark.parametrize("name", [name for name in ALL if name != "powers"])
def test_half_precision(name: str, profile: str):
    assert error(STRUCTURES[name], Profile(profile, "float16")) <= TOLERANCE["float16"]


def kinds(given: Structure, profile: str) -> list[str]:
    return [node.op_type for node in model(given, Profile(profile)).graph if node.op_type != "Identity"]


def test_what_is_only_causal_has_no_mask():
    assert kinds(STRUCTURES["causal"], "standard") == ["Attention"]


def test_taken_apart_in_few_nodes():
    assert kinds(STRUCTURES["full"], "portable") == ["Mul", "Transpose", "MatMul", "Softmax", "MatMul"]


@pytest.mark.parametrize(("name", "count"), [("sunk", 0), ("capped", 1), ("one head of keys", 1)])
def test_the_operator_does_what_it_can(name: str, count: int):
    assert kinds(STRUCTURES[name], "standard").count("Attention") == count
