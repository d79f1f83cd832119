"""What kernels cannot compute is refused before any of them starts, with a code."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from archspec.backends.torch.kernels.module import kernel_file
from tests.backends.torch.kernels.harness import loaded
from tests.backends.torch.kernels.structures import STRUCTURES

Q = torch.zeros(2, 4, 6, 8)
K = torch.zeros(2, 2, 6, 8)


def attention(name: str) -> Callable[..., Any]:
    return loaded(kernel_file(STRUCTURES[name].description()), 16, 16).attention


@pytest.mark.parametrize(
    ("code", "q", "k", "v"),
    [
        ("K002", Q.double(), K.double(), K.double()),
        ("K002", Q, K.half(), K),
        ("K003", Q, K[:, :0], K[:, :0]),
        ("K003", Q[:, :3], K, K),
        ("K003", Q, K, K[:, :, :5]),
        ("K003", Q[..., :4], K, K),
        ("K004", *(torch.zeros(1, 1, 2, 300) for _ in range(3))),
    ],
)
def test_operands_that_do_not_fit(code: str, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor):
    with pytest.raises(ValueError, match=code):
        attention("causal")(q, k, v)


@pytest.mark.parametrize("scale", [0.0, -1.0])
def test_a_scale_has_to_be_above_0(scale: float):
    with pytest.raises(ValueError, match="K005"):
        attention("causal")(Q, K, K, scale=scale)


def test_a_gpu_is_needed_outside_of_the_interpreter(monkeypatch: pytest.MonkeyPatch):
    module = loaded(kernel_file(STRUCTURES["causal"].description()), 16, 16)
    monkeypatch.setitem(vars(module), "INTERPRETED", False)
    with pytest.raises(ValueError, match="K001"):
        module.attention(Q, K, K)


@pytest.mark.parametrize("padding", [torch.ones(2, 5), torch.ones(2, 6, 1), torch.ones(6)])
def test_what_is_looked_up_has_to_be_there(padding: torch.Tensor):
    with pytest.raises(ValueError, match="K006"):
        attention("padding")(Q, K, K, padding.bool())


def test_an_axis_of_one_stands_for_any_size():
    given = torch.ones(1, 6, dtype=torch.bool)
    assert attention("padding")(Q, K, K, given).shape == Q.shape


@pytest.mark.parametrize("chunk", [0, -4])
def test_divisors_have_to_be_above_0(chunk: int):
    with pytest.raises(ValueError, match="K007"):
        attention("chunks")(Q, K, K, chunk)


def test_data_that_picks_nothing_visits_nothing():
    """Documents that no query and key share leave every tile out, and still give 0."""
    doc = torch.arange(12).view(2, 6)
    assert torch.equal(attention("chosen queries")(Q, K, K, doc < 0, doc >= 0), torch.zeros_like(Q))
