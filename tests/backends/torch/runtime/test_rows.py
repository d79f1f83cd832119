"""A method on some rows at a time, against the same on all."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from archspec.backends.torch.runtime.rows import by_rows


class Squeezed(nn.Module):
    """Rows of 256, widened and made narrower than they were."""

    def __init__(self, width: int = 256) -> None:
        super().__init__()
        self.up, self.down = nn.Linear(width, 320), nn.Linear(320, 8)
        self.given: list[torch.Size] = []

    @by_rows
    def forward(self, x: Tensor) -> Tensor:
        """[.., width] -> [.., 8]."""
        self.given.append(x.shape)
        return self.down(F.gelu(self.up(x)))

    def whole(self, x: Tensor) -> Tensor:
        return self.down(F.gelu(self.up(x)))


@pytest.mark.parametrize("lead", [(8200,), (4, 2050), (2, 41, 100)])
def test_many_rows_are_taken_some_at_a_time(lead: tuple[int, ...]):
    module, x = Squeezed(), torch.randn(*lead, 256)
    with torch.no_grad():
        y = module(x)
        torch.testing.assert_close(y, module.whole(x))
    assert y.shape == (*lead, 8)
    assert module.given == [(2734, 256), (2734, 256), (2732, 256)]


def test_rows_that_lie_apart_are_the_same_rows():
    module, x = Squeezed(), torch.randn(256, 8200).T
    with torch.inference_mode():
        torch.testing.assert_close(module(x), module.whole(x))


@pytest.mark.parametrize("case", ["few rows", "no rows", "wide rows", "gradients", "another device"])
def test_the_others_are_taken_whole(case: str):
    device = "meta" if case == "another device" else "cpu"
    width = 1040 if case == "wide rows" else 256
    rows = {"few rows": 4096, "no rows": 0}.get(case, 5000)
    module, x = Squeezed(width).to(device), torch.randn(rows, width, device=device)
    with torch.set_grad_enabled(case == "gradients"):
        y = module(x)
    assert y.shape == (rows, 8)
    assert module.given == [(rows, width)]
    assert y.requires_grad == (case == "gradients")
