"""The linear recurrence h_t = a_t * h_(t-1) + b_t."""

# torch types custom operations and checkpoints in part only.
# pyright: reportUnknownVariableType=false, reportUnknownArgumentType=false, reportUnknownLambdaType=false

from collections.abc import Callable
from typing import Any

import torch.nn.functional as F
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


# One operation to `torch.compile` and `torch.export`, whatever S is; the first model of a process defines it.
if not hasattr(torch.ops.archspec, "all_states"):
    defined = torch.library.custom_op("archspec::all_states", states, mutates_args=())
    defined.register_fake(lambda a, b, first, dim: torch.empty_like(b))
    defined.register_autograd(all_states_gradient, setup_context=all_states_context)
all_states = torch.ops.archspec.all_states


def linear_scan(
    a: Tensor, b: Tensor, first: Tensor | None = None, dim: int = 1, *, over: bool = False
) -> tuple[Tensor, Tensor]:
    """h_t = a_t * h_(t-1) + b_t along `dim`, from h = `first` or 0: all h [.., S, ..], and the last one.

    `over`: nobody needs b, so that h may be written over it; a core's cache holds more steps that way.
    """
    if first is not None and a.ndim == b.ndim and a.shape[dim] == b.shape[dim] == 1:
        last = torch.addcmul(b.select(dim, 0), a.select(dim, 0), first)
        return last.unsqueeze(dim), last
    shape = torch.broadcast_shapes(a.shape, b.shape)
    a, b = a.expand(shape), b.expand(shape)
    first = torch.zeros_like(b.select(dim, 0)) if first is None else first
    plain = not torch.is_grad_enabled() and not torch.compiler.is_compiling()
    if plain and over and b.device.type == "cpu":
        h = one_by_one(a, b, first, dim, out=b)
    else:
        h = (states if plain else all_states)(a, b, first, dim)  # an operation of our own costs 30 us a call
    return h, h.select(dim, -1)


def in_chunks(x: Tensor, dim: int, length: int, to: int, fill: float = 0.0) -> Tensor:
    """[.., S, ..] -> [.., chunks, ..], places in a chunk as axis `to`; the last chunk is filled up."""
    chunks = (x.shape[dim] + length - 1) // length
    missing = [0, 0] * (x.ndim - 1 - dim) + [0, chunks * length - x.shape[dim]]
    return F.pad(x, missing, value=fill).unflatten(dim, (chunks, length)).movedim(dim + 1, to)


def outer_scan(
    a: Tensor, x: Tensor, w: Tensor, c: Tensor, first: Tensor, dim: int = 1
) -> tuple[Tensor, Tensor]:
    """h_t = a_t * h_(t-1) + x_t w_t^T along `dim`, read as y_t = h_t c_t: all y, and the last h.

    a [.., S, ..], x and y [.., S, .., P], w and c [.., S, .., N], first [.., P, N]. In chunks of 64, as
    matrix products (Dao and Gu 2024, section 6): y_t = sum over s <= t of a_(s+1) .. a_t (c_t w_s) x_s, and
    what is left of the state before. A single step, and an exported program for any S, make each state.
    """
    size = x.shape[dim]
    if size == 1 or torch.compiler.is_exporting():
        h, last = linear_scan(a[..., None, None], x[..., None] * w[..., None, :], first, dim)
        return (h @ c[..., None])[..., 0], last
    length = 64 if size > 64 else size
    a = in_chunks(a, dim, length, -1, 1.0)  # [.., chunks, .., length]
    x, w, c = (in_chunks(part, dim, length, -2) for part in (x, w, c))  # [.., chunks, .., length, P or N]
    one = torch.eye(length, dtype=a.dtype, device=a.device)
    left, _ = linear_scan(a[..., None], one, dim=a.ndim - 1)  # at t what is left of a 1 that was added at s
    since = left[..., 0] * a[..., :1]  # and of the state before the chunk
    added = (x * left[..., -1, :, None]).transpose(-1, -2) @ w
    h, last = linear_scan(since[..., -1, None, None], added, first, dim)
    before = torch.cat([first.unsqueeze(dim), h.narrow(dim, 0, h.shape[dim] - 1)], dim)
    y = (c @ w.transpose(-1, -2) * left) @ x + (c @ before.transpose(-1, -2)) * since[..., None]
    return y.movedim(-2, dim + 1).flatten(dim, dim + 1).narrow(dim, 0, size), last


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
