"""One place of a depthwise convolution, by itself, is what the whole gives there."""

import pytest
import torch
import torch.nn.functional as F

from archspec.backends.torch.runtime.conv import depthwise


@pytest.mark.parametrize("biased", [True, False])
@pytest.mark.parametrize("kernel", [1, 4])
def test_one_place_at_a_time_equals_the_whole(kernel: int, biased: bool):
    random = torch.Generator().manual_seed(kernel)
    x, weight = torch.randn(2, 3, 9, generator=random), torch.randn(3, 1, kernel, generator=random)
    bias = torch.randn(3, generator=random) if biased else None
    whole = depthwise(x, weight, bias)
    torch.testing.assert_close(whole, F.conv1d(x, weight, bias, groups=3))
    places = [depthwise(x[..., i : i + kernel], weight, bias) for i in range(10 - kernel)]
    torch.testing.assert_close(torch.cat(places, -1), whole)
