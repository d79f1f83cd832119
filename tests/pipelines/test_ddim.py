"""The sampler against diffusers' DDIMScheduler: the same steps, and the same sample after each."""

import importlib
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from archspec.lowering.running import Prediction
from archspec.pipelines import ddim

diffusers: Any = importlib.import_module("diffusers")
THEIRS: dict[Prediction, str] = {"noise": "epsilon", "velocity": "v_prediction", "clean": "sample"}


def scheduler(kind: Prediction, first: int, schedule: str = "scaled_linear") -> Any:
    return diffusers.DDIMScheduler(
        beta_schedule=schedule, beta_start=0.00085, beta_end=0.012, clip_sample=False,
        set_alpha_to_one=first == 0, steps_offset=first, prediction_type=THEIRS[kind],
    )  # fmt: skip


@pytest.mark.parametrize("kind", THEIRS)
@pytest.mark.parametrize("first", [0, 1])
@pytest.mark.parametrize("steps", [1, 7, 10, 999])
def test_every_step_is_the_reference_one(kind: Prediction, first: int, steps: int):
    reference = scheduler(kind, first)
    ours = ddim.Schedule(reference.alphas_cumprod, first)
    reference.set_timesteps(steps)
    assert list(ours.times(steps)) == reference.timesteps.tolist()
    random = torch.Generator().manual_seed(0)
    x = torch.randn(2, 3, 4, generator=random, dtype=torch.float64)
    predicted = torch.randn(2, 3, 4, generator=random, dtype=torch.float64)
    for time in [ours.times(steps)[0], ours.times(steps)[-1]]:
        theirs: Tensor = reference.step(predicted, time, x, eta=0.0).prev_sample
        mine = ddim.step(x, predicted, kind, *ours.kept(time, ours.stride(steps)))
        torch.testing.assert_close(mine, theirs, rtol=1e-6, atol=1e-6)


@given(st.floats(0.01, 0.99), st.integers(0, 2**31))
def test_the_three_predictions_say_the_same(kept: float, seed: int):
    random = torch.Generator().manual_seed(seed)
    data, noise = torch.randn(2, 5, generator=random, dtype=torch.float64).unbind()
    share = torch.tensor(kept, dtype=torch.float64)
    x = share.sqrt() * data + (1 - share).sqrt() * noise
    velocity = share.sqrt() * noise - (1 - share).sqrt() * data
    predictions: dict[Prediction, Tensor] = {"noise": noise, "velocity": velocity, "clean": data}
    for kind, predicted in predictions.items():
        found = ddim.parted(x, predicted, kind, share)
        torch.testing.assert_close(found, (data, noise), rtol=1e-6, atol=1e-6)


def test_guidance_of_one_is_the_prediction_with_the_prompt():
    without, told = torch.tensor([1.0, 2.0]), torch.tensor([3.0, 5.0])
    assert torch.equal(ddim.guided(without, told, 1.0), told)
    assert torch.equal(ddim.guided(without, told, 0.0), without)
    assert torch.equal(ddim.guided(without, told, 2.0), torch.tensor([5.0, 8.0]))
