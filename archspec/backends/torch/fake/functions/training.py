"""What only training does: dropout, autocast, and running a step again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.functions.copies import cast, detach
from archspec.backends.torch.fake.functions.pointwise import mul
from archspec.backends.torch.fake.make import made, remember
from archspec.backends.torch.fake.node import reached
from archspec.backends.torch.fake.registry import function
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor
from archspec.backends.torch.fake.tensor import tensors as found


@function("dropout")
def dropout(x: Tensor, p: float = 0.5, training: bool = True, inplace: bool = False) -> Tensor:
    """A CPU keeps noise in the input's dtype; a GPU one byte an element."""
    if not training or not p:
        return x
    if current().device == "cuda":
        mask = made("dropout mask", (), x.shape, dtypes.bool_, differentiable=False)
        return made("native_dropout", (x,), x.shape, x.dtype, saves=[("mask", mask)])
    return mul(x, made("noise", (), x.shape, x.dtype, differentiable=False))


def autocast(*operands: Any) -> Any:
    """The operands of a product in autocast's dtype, the last first. Copies of parameters are made once."""
    wanted = current().autocast
    if wanted is None:
        return operands
    return tuple([_narrowed(x, wanted) for x in reversed(operands)])[::-1]


def _narrowed(x: Any, wanted: dtypes.DType) -> Any:
    if not isinstance(x, Tensor) or x.dtype != dtypes.float32:
        return x
    if x.storage.role != "parameter" or x.node is not None or not x.requires_grad:
        return cast(x, wanted)
    copies = current().copies
    if x.storage not in copies:
        copies[x.storage] = cast(x, wanted)
        copies[x.storage].storage.role = "copy"
    return copies[x.storage]


def in_fp32(x: Tensor) -> Tensor:
    """Autocast on a GPU computes norms and losses in fp32."""
    run = current()
    return cast(x, dtypes.float32) if run.autocast is not None and run.device == "cuda" else x


@function("checkpoint")
def checkpoint(
    step: Callable[..., Any], *operands: Any, use_reentrant: bool = False, preserve_rng_state: bool = True
) -> Any:
    """What goes in is kept, and what is inside is computed again (Chen et al. 2016): up to the last tensor
    that the backward pass needs, as torch's form without reentry does.
    """
    run, tensors = current(), [x for x in operands if isinstance(x, Tensor)]
    if not run.grad:
        return step(*operands)
    packed, before, (results, _) = run.packed, run.flops, _inside(step, operands)
    differentiable = [out for out in found(results) if out.node is not None]
    flops = run.needed - before + sum(node.flops for node in reached(differentiable))
    if differentiable:
        kept = [("operand", x) for x in tensors]
        node = remember(differentiable[0], "checkpoint", tensors, kept, flops)
        inner = [_leaf(x) if isinstance(x, Tensor) else x for x in operands]
        node.again = partial(_until, run.packed - packed - len(kept), step, inner)
        for slot, out in enumerate(differentiable):
            out.node, out.slot = node, slot
    return results


def _until(count: int, step: Callable[..., Any], operands: Any) -> tuple[Any, list[Tensor]]:
    """Once more, until as many tensors are saved as were: what comes after is not computed."""
    run = current()
    before, run.enough = (run.counting, run.enough), run.packed + count
    try:
        return _inside(step, operands)
    finally:
        run.counting, run.enough = before


def _inside(step: Callable[..., Any], operands: Any) -> tuple[Any, list[Tensor]]:
    """The step on operands whose gradients end there, and these."""
    inner = [_leaf(x) if isinstance(x, Tensor) else x for x in operands]
    return step(*inner), [x for x in inner if isinstance(x, Tensor)]


def _leaf(x: Tensor) -> Tensor:
    leaf = detach(x)
    leaf.requires_grad = x.requires_grad
    return leaf
