"""The linear recurrence h_t = a_t * h_(t-1) + b_t."""

# torch types custom operations and checkpoints in part only.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from collections.abc import Callable
from typing import Any

import torch.utils.checkpoint
from torch import Tensor


def one_by_one(a: Tensor, b: Tensor, h: Tensor, dim: int, out: Tensor | None = None) -> Tensor:
    """All h from h before the first step, in turn: S small operations, and nothing computed twice.

    They are written to `out`, which may be b.
    """
    out = torch.empty_like(b) if out is None else out
    for a_t, b_t, out_t in zip(a.unbind(dim), b.unbind(dim), out.unbind(dim), strict=True):
        h = torch.addcmul(b_t, a_t, h, out=out_t)
    return out


def side_by_side(a: Tensor, b: Tensor, h: Tensor, dim: int) -> Tensor:
    """All h at once, in log2(S) passes (Hillis and Steele 1986); nothing is divided, so a may be 0.

    After a pass, (a, b) at t sum up the last `reach` steps: h_t = a * h_(t-reach) + b.
    """
    size, reach = b.shape[dim], 1
    first = b.narrow(dim, 0, 1) + a.narrow(dim, 0, 1) * h.unsqueeze(dim)
    b = torch.cat([first, b.narrow(dim, 1, size - 1)], dim)
    while reach < size:
        rest = size - reach
        later = a.narrow(dim, reach, rest)
        joined = later * b.narrow(dim, 0, rest) + b.narrow(dim, reach, rest)
        b = torch.cat([b.narrow(dim, 0, reach), joined], dim)
        a = torch.cat([a.narrow(dim, 0, reach), later * a.narrow(dim, 0, rest)], dim)
        reach *= 2
    return b


def all_states_gradient(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
    """Exact: the gradient is the same recurrence, run from the end with the factors of the step behind."""
    a, first, h = ctx.saved_tensors
    dim, last = ctx.dim, h.shape[ctx.dim] - 1
    none = torch.zeros_like(first)
    behind = torch.cat([a.narrow(dim, 1, last), none.unsqueeze(dim)], dim)
    grad = all_states(behind.flip(dim), grad.flip(dim), none, dim).flip(dim)
    before = torch.cat([first.unsqueeze(dim), h.narrow(dim, 0, last)], dim)
    return grad * before, grad, grad.select(dim, 0) * a.select(dim, 0), None


def all_states_context(ctx: Any, inputs: tuple[Tensor, Tensor, Tensor, int], output: Tensor) -> None:
    """What the gradient needs."""
    a, _, first, ctx.dim = inputs
    ctx.save_for_backward(a, first, output)


def states(a: Tensor, b: Tensor, first: Tensor, dim: int) -> Tensor:
    """All h [.., S, ..], the way that suits the device."""
    how = one_by_one if b.device.type == "cpu" else side_by_side
    return how(a, b, first, dim)


# One operation to `torch.compile` and `torch.export`, whatever S is.
all_states = torch.library.custom_op("archspec::all_states", states, mutates_args=())
all_states.register_fake(lambda a, b, first, dim: torch.empty_like(b))
all_states.register_autograd(all_states_gradient, setup_context=all_states_context)


def linear_scan(
    a: Tensor, b: Tensor, first: Tensor | None = None, dim: int = 1, *, over: bool = False
) -> tuple[Tensor, Tensor]:
    """h_t = a_t * h_(t-1) + b_t along `dim`, from h = `first` or 0: all h [.., S, ..], and the last one.

    `over`: nobody needs b, so that h may be written over it; a core's cache holds more steps that way.
    """
    shape = torch.broadcast_shapes(a.shape, b.shape)
    a, b = a.expand(shape), b.expand(shape)
    first = torch.zeros_like(b.select(dim, 0)) if first is None else first
    plain = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if plain and over and b.device.type == "cpu":
        h = one_by_one(a, b, first, dim, out=b)
    else:
        h = (states if plain else all_states)(a, b, first, dim)  # an operation of our own costs 30 us a call
    return h, h.select(dim, -1)


def recomputed(step: Callable[..., tuple[Tensor, Tensor]]) -> Callable[..., tuple[Tensor, Tensor]]:
    """A step that keeps its operands alone for the backward pass (Chen et al. 2016)."""

    def run(*operands: Tensor) -> Any:
        again = torch.utils.checkpoint.checkpoint
        return again(step, *operands, use_reentrant=False, preserve_rng_state=False)

    return run


def in_pieces(
    step: Callable[..., tuple[Tensor, Tensor]], parts: tuple[Tensor, ...], state: Tensor, dim: int
) -> tuple[Tensor, Tensor]:
    """`step` on one piece of `parts` after another along `dim`, handing on the state.

    For steps that make a state for each position: [.., S, ..] of them never stand in memory at once. A piece
    is as long as fits into a cache. With gradients it is computed again in the backward pass, not kept.
    A program that `torch.compile` or `torch.export` makes takes them whole.
    """
    if torch.compiler.is_compiling():
        return step(*parts, state)
    room = 2**18 if state.device.type == "cpu" else 2**22
    size, length = parts[0].shape[dim], max(1, room // state.numel())
    if size <= length:
        return step(*parts, state)
    run = recomputed(step) if torch.is_grad_enabled() else step
    results: list[Tensor] = []
    for start in range(0, size, length):
        given = [part.narrow(dim, start, min(length, size - start)) for part in parts]
        y, state = run(*given, state)
        results.append(y)
    return torch.cat(results, dim), state
