"""Denoising diffusion implicit models without added noise (Song et al. 2021, arXiv:2010.02502, equation 12).

`kept` is the share of the data's variance in a noisy sample: x = sqrt(kept) * data + sqrt(1 - kept) * noise.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from archspec.lowering.running import Prediction

_ALL = torch.ones(())


@dataclass(frozen=True, slots=True)
class Schedule:
    """`signal` [steps] is what is kept after each step of adding noise, `first` the last one to be undone."""

    signal: Tensor
    first: int = 0

    def times(self, steps: int) -> Sequence[int]:
        """The steps that a model is asked about, the most noise first: `steps` of them, equally far apart."""
        return range(self.first + (steps - 1) * self.stride(steps), self.first - 1, -self.stride(steps))

    def stride(self, steps: int) -> int:
        """How far they lie apart."""
        return len(self.signal) // steps

    def kept(self, time: int, stride: int) -> tuple[Tensor, Tensor]:
        """What is kept at a step, and behind it; before the first step of all, that is everything."""
        after = max(time - stride, self.first - 1)
        return self.signal[time], self.signal[after] if after >= 0 else _ALL


def step(x: Tensor, predicted: Tensor, kind: Prediction, kept: Tensor, after: Tensor) -> Tensor:
    """A sample with less noise: of x and what the model predicts of it, [B, …] at `kept`, to `after`."""
    data, noise = parted(x, predicted, kind, kept)
    return after.sqrt() * data + (1 - after).sqrt() * noise


def parted(x: Tensor, predicted: Tensor, kind: Prediction, kept: Tensor) -> tuple[Tensor, Tensor]:
    """A noisy sample as data and noise, by what the model predicts of it.

    Velocity is sqrt(kept) * noise - sqrt(1 - kept) * data (Salimans & Ho 2022, arXiv:2202.00512).
    """
    signal, spread = kept.sqrt(), (1 - kept).sqrt()
    if kind == "noise":
        return (x - spread * predicted) / signal, predicted
    if kind == "velocity":
        return signal * x - spread * predicted, signal * predicted + spread * x
    return predicted, (x - signal * predicted) / spread


def guided(without: Tensor, with_prompt: Tensor, scale: float) -> Tensor:
    """A prediction led away from that without a prompt (Ho & Salimans 2022, arXiv:2207.12598, eq. 6)."""
    return without + scale * (with_prompt - without)
