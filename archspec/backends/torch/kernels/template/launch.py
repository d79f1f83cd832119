"""The kernels as one operation of torch, with its gradient."""

from functools import wraps
from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from torch.utils import flop_counter

from archspec.backends.torch.kernels.template.backward import backward_keys, backward_queries, row_sums
from archspec.backends.torch.kernels.template.forward import forward
from archspec.backends.torch.kernels.template.refuse import INTERPRETED, refuse
from archspec.backends.torch.kernels.template.structure import BUSY, OPERANDS


class Tiles(NamedTuple):
    """M queries by N keys in a tile, and how the compiler is to go about it.

    `tma`: keys and values are read by the copy engine of sm_90 and later; `one_loop`: whole tiles are tested
    like the others, so that there is one loop, whose loads `special` gives to a warp of their own.
    """

    M: int
    N: int
    warps: int = 4
    stages: int = 2
    tma: bool = False
    one_loop: bool = False
    special: bool = False


# Kernel, compute capability (0: AMD), most features of a head. Compiled for each device, no loop may touch
# local memory (`make kernels-gate`); which of those that pass is the fastest is a guess until it is measured.
TABLE: dict[tuple[str, int, int], Tiles] = {
    ("forward", 80, 64): Tiles(128, 64, 8, 3), ("forward", 80, 128): Tiles(64, 64, 4, 3),
    ("forward", 80, 256): Tiles(64, 32, 8, 2),
    ("backward_queries", 80, 64): Tiles(128, 64, 8, 2), ("backward_queries", 80, 128): Tiles(64, 64, 4, 2),
    ("backward_queries", 80, 256): Tiles(32, 32, 4, 1),
    ("backward_keys", 80, 64): Tiles(64, 128, 8, 2), ("backward_keys", 80, 128): Tiles(64, 64, 8, 2),
    ("backward_keys", 80, 256): Tiles(32, 32, 8, 1),
    ("backward_score", 80, 256): Tiles(32, 32, 4, 2),
    ("decode", 80, 64): Tiles(16, 128, 4, 3), ("decode", 80, 128): Tiles(16, 64, 4, 3),
    ("decode", 80, 256): Tiles(16, 32, 4, 2),
    ("forward", 0, 128): Tiles(128, 64, 4, 2), ("forward", 0, 256): Tiles(64, 32, 4, 1),
    ("backward_queries", 0, 64): Tiles(64, 64, 4, 2), ("backward_queries", 0, 128): Tiles(64, 32, 4, 2),
    ("backward_queries", 0, 256): Tiles(32, 32, 4, 1),
    ("decode", 0, 128): Tiles(16, 64, 4, 2), ("decode", 0, 256): Tiles(16, 32, 4, 2),
    ("backward_keys", 0, 128): Tiles(32, 64, 4, 1), ("backward_keys", 0, 256): Tiles(32, 32, 4, 1),
    ("forward", 90, 128): Tiles(128, 64, 8, 3), ("forward", 90, 256): Tiles(64, 64, 8, 2),
    ("backward_queries", 90, 64): Tiles(64, 64, 4, 2), ("backward_queries", 90, 128): Tiles(64, 64, 4, 2),
    ("backward_queries", 90, 256): Tiles(32, 32, 4, 1),
    ("backward_keys", 90, 64): Tiles(64, 128, 8, 2), ("backward_keys", 90, 128): Tiles(32, 128, 8, 2),
    ("backward_keys", 90, 256): Tiles(32, 32, 8, 1),
}  # fmt: skip


def tiles(kernel: str, *operands: Tensor) -> Tiles:
    """What the table chooses for matrices like these, in so far as they can be read that way."""
    q = operands[0]
    major, minor = torch.cuda.get_device_capability(q.device) if q.is_cuda else (8, 0)
    capability = 0 if torch.version.hip else 10 * major + minor
    found = chosen(kernel, capability, max(x.shape[3] for x in operands))
    if q.dtype == torch.float32:  # twice the bytes
        found = found._replace(M=max(16, found.M // 2), N=max(16, found.N // 2), tma=False, special=False)
    if not all(map(aligned, operands)):
        found = found._replace(tma=False, special=False)
    if found.tma:
        triton.set_allocator(lambda size, _, __: torch.empty(size, dtype=torch.int8, device=q.device))
    return found


def rowwise(tiles: Tiles, queries: int) -> Tiles:
    """Without the copy engine where it cannot read numbers of rows: fp32, 4 of them in 16 bytes."""
    return tiles._replace(tma=False, special=False) if queries % 4 else tiles


def aligned(x: Tensor) -> bool:
    """Whether the copy engine can read the rows: they begin at multiples of 16 bytes."""
    return x.data_ptr() % 16 == 0 and all(step * x.element_size() % 16 == 0 for step in x.stride()[:3])


def chosen(kernel: str, capability: int, widest: int) -> Tiles:
    """The table's nearest row: of this capability or the last before, and wide enough."""
    capability = 89 if capability >= 120 else capability  # desktop devices have 99 KiB of shared memory
    known = max((at for name, at, _ in TABLE if name == kernel and at <= capability), default=80)
    widths = sorted(width for name, at, width in TABLE if (name, at) == (kernel, known))
    found = TABLE[kernel, known, next((w for w in widths if w >= widest), widths[-1])]
    if CAPPED:  # the gradient of the cap is a further tile
        found = found._replace(M=found.M // 2) if (kernel, known) == ("backward_keys", 80) else found
    if BUSY:
        half = {"forward": "N", "backward_queries": "N", "backward_keys": "M"}.get(kernel)
        found = found._replace(**{half: max(16, getattr(found, half) // 2)}) if half else found
    return found


def strides(x: Tensor | None, axes: int) -> tuple[int, ...]:
    """Steps along each axis; 0 along one of size 1, which stands for any size."""
    if x is None:
        return (0,) * axes
    return tuple(step if size > 1 else 0 for size, step in zip(x.shape, x.stride(), strict=True))


def widths(q: Tensor, v: Tensor, tiles: Tiles) -> dict[str, Any]:
    """What the kernels are compiled for."""
    e, w = q.shape[3], v.shape[3]
    up = (max(16, triton.next_power_of_2(x)) for x in (e, w))
    exact = q.dtype == torch.float32 and not torch.backends.cuda.matmul.allow_tf32
    found = {
        "E": e, "W": w, **dict(zip(("EP", "WP"), up, strict=True)), "M": tiles.M, "N": tiles.N,
        "PRECISION": "ieee" if exact else "tf32", "TMA": tiles.tma, "num_warps": tiles.warps,
        "num_stages": tiles.stages,
    }  # fmt: skip
    if CAPPED:
        on_nvidia = not (triton.knobs.runtime.interpret or torch.version.hip)
        found["FAST"] = on_nvidia and q.dtype != torch.float32
    return found


def beside(operation: Any) -> Any:
    """The operation, with the device of its first tensor as the current one, where kernels are launched."""

    @wraps(operation)
    def run(first: Tensor, *others: Any) -> Any:
        with torch.cuda.device_of(first):
            return operation(first, *others)

    return run


@torch.library.custom_op("archspec::NAME", mutates_args=())
@beside
def attention_forward(
    q: Tensor, k: Tensor, v: Tensor, PARAMETERS, start: int, scale: float
) -> tuple[Tensor, Tensor]:
    """The result [B, H, Q, W], and the logarithm to base 2 of the sum of powers [B, H, Q]."""
    batch, heads, queries, _ = q.shape
    out = v.new_empty(batch, queries, heads, v.shape[3]).transpose(1, 2)
    lse = q.new_empty(batch, heads, queries, dtype=torch.float32)
    if not out.numel():
        return out, lse
    if not BY_HEAD:
        few = are_few(q, k)
        if DROPPED:
            few = few and not dropout
        if few:
            return decoded(q, k, v, ARGUMENTS, start, scale, out, lse)
    t = tiles("forward", q, k, v)
    grid = (triton.cdiv(queries, t.M) * batch * heads,)
    forward[grid](
        q, k, v, out, lse, sinks, cap, dropout or None, seed, POINTERS,
        *q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *out.stride()[:3],
        start, queries, k.shape[2], heads, heads // k.shape[1], scale, **widths(q, v, t),
        ONE_LOOP=t.one_loop, SPECIAL=t.special,
    )  # fmt: skip
    return out, lse


@attention_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, PARAMETERS, start: int, scale: float) -> tuple[Tensor, Tensor]:
    batch, heads, queries, _ = q.shape
    out = v.new_empty(batch, queries, heads, v.shape[3]).transpose(1, 2)
    return out, q.new_empty(batch, heads, queries, dtype=torch.float32)


@torch.library.custom_op("archspec::NAME_backward", mutates_args=())
@beside
def attention_backward(
    grad: Tensor, out: Tensor, lse: Tensor, q: Tensor, k: Tensor, v: Tensor, PARAMETERS, start: int,
    scale: float, wanted: list[bool],
) -> list[Tensor]:  # fmt: skip
    """Gradients of q, k and v, then of those further operands that are `wanted`."""
    batch, heads, queries, _ = q.shape
    groups, keys = k.shape[1], k.shape[2]
    delta = torch.empty_like(lse)
    dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
    if not q.numel() or not k.numel():
        return [torch.zeros_like(x) for x in (dq, dk, dv, *learners((q, k, v, ARGUMENTS), wanted))]
    t = rowwise(tiles("backward_queries", q, k, v, grad), queries)
    size = widths(q, v, t)
    grid = (triton.cdiv(queries, t.M) * batch * heads,)
    row_sums[grid](
        out, grad, delta, *out.stride()[:3], *grad.stride()[:3], queries, heads,
        W=size["W"], WP=size["WP"], M=t.M,
    )  # fmt: skip
    places = (*q.stride()[:3], *k.stride()[:3], *v.stride()[:3], *grad.stride()[:3])
    numbers = (start, queries, keys, heads, heads // groups, scale)
    backward_queries[grid](
        q, k, v, grad, lse, delta, dq, cap, dropout or None, seed, POINTERS,
        *places, *dq.stride()[:3], *numbers, **size,
        ONE_LOOP=t.one_loop, SPECIAL=t.special,
    )  # fmt: skip
    t = rowwise(tiles("backward_keys", q, k, v, grad), queries)
    t = t._replace(special=t.special and heads == groups)  # the compiler takes one loop, not one in another
    grid = (triton.cdiv(keys, t.N) * batch * groups,)
    backward_keys[grid](
        q, k, v, grad, lse, delta, dk, dv, cap, dropout or None, seed, POINTERS,
        *places, *dk.stride()[:3], *dv.stride()[:3], *numbers,
        **widths(q, v, t), ONE_LOOP=t.one_loop, SPECIAL=t.special,
    )  # fmt: skip
    found = [dq, dk, dv]
    if LEARNED:
        found += learned_gradients(grad, lse, delta, q, k, v, ARGUMENTS, start, scale, wanted)
    if SUNK and wanted[SUNK_AT]:
        weights = torch.exp2(sinks.float()[:, None] * 1.4426950408889634 - lse)
        found.append(-(weights * delta).sum((0, 2)).to(sinks.dtype))
    return found


@attention_backward.register_fake
def _(
    grad: Tensor, out: Tensor, lse: Tensor, q: Tensor, k: Tensor, v: Tensor, PARAMETERS, start: int,
    scale: float, wanted: list[bool],
) -> list[Tensor]:  # fmt: skip
    return [torch.empty_like(x) for x in (q, k, v, *learners((q, k, v, ARGUMENTS), wanted))]


def learners(operands: tuple[Any, ...], wanted: list[bool]) -> list[Tensor]:
    """The operands after q, k and v that have gradients."""
    return [x for x, learns in zip(operands[3:], wanted[3:], strict=False) if learns]


def remember(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
    """What the gradient needs: besides the operands only the result and one number a row."""
    ctx.others = [x for x in inputs if not isinstance(x, Tensor)]
    ctx.tensors = [isinstance(x, Tensor) for x in inputs]
    ctx.save_for_backward(*(x for x in inputs if isinstance(x, Tensor)), *output)


def gradient(ctx: Any, grad: Tensor, _: Tensor | None) -> tuple[Tensor | None, ...]:
    """Of every operand."""
    *tensors, out, lse = ctx.saved_tensors
    given, others = iter(tensors), iter(ctx.others)
    inputs = [next(given) if is_tensor else next(others) for is_tensor in ctx.tensors]
    grad = grad if grad.stride(3) == 1 else grad.contiguous()
    wanted = [*ctx.needs_input_grad]
    found = iter(attention_backward(grad, out, lse, *inputs, wanted))
    return tuple(next(found) if i < 3 or learns else None for i, learns in enumerate(wanted))


attention_forward.register_autograd(gradient, setup_context=remember)


def forward_flops(q: list[int], k: list[int], v: list[int], *_: Any, **__: Any) -> int:
    """2 per multiply-add of all pairs, as FlopCounterMode counts torch's own attention; of shapes."""
    return 2 * q[0] * q[1] * q[2] * k[2] * (q[3] + v[3])


def backward_flops(*shapes: Any, **_: Any) -> int:
    """Scores once more, then the gradients of weights, queries, keys and values."""
    _, _, _, q, k, v = shapes[:6]
    return 2 * q[0] * q[1] * q[2] * k[2] * (3 * q[3] + 2 * v[3])


def counted(operation: Any, formula: Any) -> None:
    """Tells FlopCounterMode, which a file that is imported twice has told already."""
    if operation not in flop_counter.flop_registry:
        flop_counter.register_flop_formula(operation)(formula)


counted(torch.ops.archspec.NAME, forward_flops)
counted(torch.ops.archspec.NAME_backward, backward_flops)


def drawn(q: Tensor, rate: float) -> Tensor:
    """A seed [1] from torch's generator of the device; without a rate of dropout nothing is drawn."""
    if rate:
        return torch.randint(2**62, (1,), device=q.device)
    return torch.zeros(1, dtype=torch.int64, device=q.device)


def attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    SIGNATURE,
    *,
    dropout_p: float = 0.0,
    start: int = 0,
    scale: float | None = None,
) -> Tensor:
    """DOCUMENTATION"""
    if torch.is_autocast_enabled(q.device.type):
        q, k, v = (x.to(torch.get_autocast_dtype(q.device.type)) for x in (q, k, v))
    scale = q.shape[3] ** -0.5 if scale is None else scale
    refuse(q, k, v, scale)
    if CHECKED:
        check(q, k, start, LOOKED)
    q, k, v = (x if x.stride(3) == 1 else x.contiguous() for x in (q, k, v))
    return attention_forward(q, k, v, CALL, start, scale)[0]
