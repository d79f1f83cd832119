"""Activations that torch has no function for."""

from torch import Tensor


def quick_gelu(x: Tensor) -> Tensor:
    """x * sigmoid(1.702 x), the sigmoid form of GELU (Hendrycks & Gimpel 2016)."""
    return x * (1.702 * x).sigmoid()
