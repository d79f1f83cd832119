"""What only training does: dropout, autocast, and running a step again in the backward pass."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from weakref import WeakKeyDictionary

from archspec.backends.torch.fake import dtypes
from archspec.backends.torch.fake.functions.pointwise import mul
from archspec.backends.torch.fake.functions.views import cast, detach
from archspec.backends.torch.fake.run import current
from archspec.backends.torch.fake.tensor import Tensor, function, made, reached, remember

COPIES: WeakKeyDictionary[Any, Tensor] = WeakKeyDictionary()


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
    """The operands of a product in autocast's dtype. Copies of parameters are made once."""
    wanted = current().autocast
    if wanted is None:
        return operands
    return tuple(_narrowed(x, wanted) for x in operands)


def _narrowed(x: Any, wanted: dtypes.DType) -> Any:
    if not isinstance(x, Tensor) or x.dtype != dtypes.float32:
        return x
    if x.storage.role != "parameter" or x.node is not None:
        return cast(x, wanted)
    key = x.storage
    if key not in COPIES:
        COPIES[key] = cast(x, wanted)
        COPIES[key].storage.role = "copy"
    return COPIES[key]


def in_fp32(x: Tensor) -> Tensor:
    """Autocast on a GPU computes norms and losses in fp32."""
    run = current()
    return cast(x, dtypes.float32) if run.autocast is not None and run.device == "cuda" else x


@function("checkpoint")
def checkpoint(step: Callable[..., Any], *operands: Any, **_: Any) -> Any:
    """What goes in is kept, and what is inside is computed again (Chen et al. 2016): up to the last tensor
    that the backward pass needs, as torch's form without reentry does.
    """
    run, tensors = current(), [x for x in operands if isinstance(x, Tensor)]
    if not run.grad:
        return step(*operands)
    inner = [detach(x) for x in tensors]
    for mine, given in zip(inner, tensors, strict=True):
        mine.requires_grad = given.requires_grad
    before, handed = run.flops, iter(inner)
    results = step(*(next(handed) if isinstance(x, Tensor) else x for x in operands))
    again = run.needed - before
    for out in results if isinstance(results, tuple) else (results,):
        if out.node is not None:
            flops = sum(node.flops for node in reached([out])) + again
            remember(out, "checkpoint", tensors, [("operand", x) for x in tensors], flops)
            again = 0
    return results
