"""What the kernels cannot compute, refused before any of them starts."""

import torch
import triton
from torch import Tensor

FLOATS = (torch.float32, torch.float16, torch.bfloat16)
INTERPRETED = triton.knobs.runtime.interpret
WIDEST = 256


def refuse(q: Tensor, k: Tensor, v: Tensor, scale: float) -> None:
    """Raises ValueError for operands that no kernel takes."""
    if not q.is_cuda and not INTERPRETED:
        raise ValueError(f"K001: kernels run on a GPU, not on {q.device}: build with attention=sdpa or eager")
    if q.dtype not in FLOATS or k.dtype != q.dtype or v.dtype != q.dtype:
        given = f"{q.dtype}, {k.dtype} and {v.dtype}"
        raise ValueError(f"K002: attention of {given}: q, k and v are all float32, float16 or bfloat16")
    batches, features = q.shape[0] == k.shape[0], q.shape[3] == k.shape[3]
    groups = k.shape[1] > 0 and q.shape[1] % k.shape[1] == 0
    if k.shape[:3] != v.shape[:3] or not (batches and features and groups):
        raise ValueError(f"K003: q {[*q.shape]}, k {[*k.shape]} and v {[*v.shape]} do not fit together")
    if max(q.shape[3], v.shape[3]) > WIDEST:
        given = f"{q.shape[3]} and {v.shape[3]}"
        raise ValueError(f"K004: heads of {given} features: kernels hold {WIDEST} at most")
    if scale <= 0:
        raise ValueError(f"K005: scores are scaled by {scale}: it has to be above 0")


def fits(q: Tensor, name: str, x: Tensor | None, sizes: tuple[int | None, ...]) -> None:
    """Raises ValueError for a tensor with fewer elements than are looked up, but for axes of size 1."""
    if x is None:
        return
    if x.device != q.device:
        raise ValueError(f"K006: {name} is on {x.device}, and q on {q.device}")
    wanted = [1 if n is None else n for n in sizes]
    short = any(have < n and have != 1 for have, n in zip(x.shape, wanted, strict=False))
    if x.dim() != len(wanted) or short:
        raise ValueError(f"K006: {name} {[*x.shape]} is looked up as {wanted}")


def above_0(name: str, number: int) -> None:
    """Raises ValueError for what a rule divides or multiplies by, if it is not above 0."""
    if number < 1:
        raise ValueError(f"K007: {name} is {number}: the rule needs it above 0")
