"""What is noted of a run of a real module."""

import torch
from torch import Tensor, nn

from archspec.measuring import observe


class Small(nn.Module):
    """A grouped convolution, and a linear layer whose weight stands under two names."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(4, 4, 3, groups=2, bias=False)
        self.up = nn.Linear(8, 4, bias=False)
        self.again = nn.Linear(8, 4, bias=False)
        self.again.weight = self.up.weight
        self.register_buffer("seen", torch.zeros(3, dtype=torch.int64))

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.conv(x))


CONV = 2 * 4 * 8 * 2 * 3  # channels, places, channels of a group, width
UP = 2 * 4 * 8 * 4


def test_each_tensor_counts_once():
    found = observe.has(Small())
    assert (found.parameters, found.buffers) == (4 * 2 * 3 + 32, 3)
    assert found.nbytes == 4 * found.parameters + 8 * 3


class Asked(nn.Module):
    """A module that is given a view of a parameter: learned queries, one set for each row."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.zeros(1, 3, 8))
        self.frozen = nn.Parameter(torch.zeros(2), requires_grad=False)
        self.up = nn.Linear(8, 4, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.up(self.queries.expand(x.shape[0], -1, -1))


def test_a_module_may_be_given_a_view_of_a_parameter():
    module = Asked()
    found = observe.forward(module, {"x": torch.zeros(5)})
    assert found.flops == found.counted == 2 * 5 * 3 * 8 * 4
    assert [name for name, x in module.named_parameters() if x.requires_grad] == ["queries", "up.weight"]


def test_products_allocations_and_the_peak():
    found = observe.forward(Small(), {"x": torch.zeros(1, 4, 10)})
    assert found.flops == found.counted == CONV + UP
    assert [one.nbytes for one in found.ran if one.flops] == [4 * 4 * 8, 4 * 4 * 4]
    assert found.peak == 4 * (4 * 8 + 4 * 4)


def test_each_gradient_costs_what_the_forward_pass_did():
    """The input needs none, and groups are not counted twice."""
    found = observe.step(Small(), {"x": torch.zeros(1, 4, 10)})
    assert sum(one.flops for one in found.backward) == CONV + 2 * UP
    assert found.kept == 4 * 4 * 8  # what the linear layer reads; the input is no activation


def test_without_numbers_the_same_products_and_no_bytes():
    with observe.place(meta=True):
        module = Small()
    given = {"x": torch.zeros(1, 4, 10, device="meta")}
    found = observe.forward(module, given)
    assert (found.flops, found.peak) == (CONV + UP, None)
    assert observe.step(module, given).kept is None
