"""Attention by blocks of queries, each with the keys that it can reach."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def chosen(where: Tensor) -> Tensor:
    """Indices of what is true, per row: [B, N] -> [B, most of a row]; N stands where a row has fewer."""
    size = where.shape[1]
    most = size if torch.compiler.is_compiling() else int(where.sum(-1).max())
    order = torch.argsort(where.int(), dim=-1, descending=True, stable=True)[:, :most]
    return torch.where(where.gather(1, order), order, size)


def at(table: Tensor, places: Tensor) -> Tensor:
    """table[b, place]: [B, K] and [(B,) N, ., .] -> [B, N, ., .]."""
    if places.dim() == 3:
        return table[:, places]
    return table.gather(1, places.flatten(1).long()).view(places.shape)


class Step(NamedTuple):
    """Some queries, the keys near them, and the mask of these and then the picked: [B or 1, 1, C, W + G]."""

    rows: slice
    keys: slice
    mask: Tensor


class Windows(NamedTuple):
    """Queries in `blocks` of `size`; block n sees `width` keys from first + n * size on, and the picked.

    `mask` [B or 1, blocks, size, width + picked]: true where a query of a block may look.
    """

    start: int
    queries: int
    keys: int
    first: int
    size: int
    width: int
    blocks: int
    picked: Tensor | None = None
    mask: Tensor | None = None

    def places(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """Positions of queries [N, C, 1] and of keys [(B,) N, 1, W], and which of these keys there are."""
        small: Any = {"dtype": torch.int32, "device": device}  # masks compare many pairs of them
        begin = torch.arange(self.blocks, **small)[:, None] * self.size
        q = begin + torch.arange(self.size, **small)
        k = begin + self.first + torch.arange(self.width, **small)
        there = (k >= 0) & (k < self.keys)
        if self.picked is not None:
            far = self.picked[:, None].int()  # [B, 1, G]
            low = begin + self.first
            beyond = ((far < low) | (far >= low + self.width)) & (far < self.keys)
            k, there = (torch.cat((x.expand(len(far), -1, -1), y.expand(-1, self.blocks, -1)), -1)
                        for x, y in ((k, far), (there, beyond)))  # fmt: skip
        q = (self.start + q.clamp(max=self.queries - 1))[..., None]
        return q, k.clamp(0, self.keys - 1)[..., None, :], there[..., None, :]

    def split(self, q: Tensor) -> Tensor:
        """[B, H, Q, E] -> [B * N, H, C, E]."""
        q = F.pad(q, (0, 0, 0, self.blocks * self.size - self.queries))
        blocks = q.reshape(*q.shape[:2], self.blocks, self.size, q.shape[3])
        return blocks.transpose(1, 2).flatten(0, 1)

    def near(self, x: Tensor) -> Tensor:
        """The keys or values of each block: [B, H, K, E] -> [B * N, H, W, E]."""
        end = self.first + (self.blocks - 1) * self.size + self.width
        inside = self.first >= 0 and end <= self.keys and not torch.compiler.is_compiling()
        x_ = x[:, :, self.first : end] if inside else F.pad(x, (0, 0, -self.first, end - self.keys))
        x_ = x_.unfold(2, self.width, self.size).movedim(2, 1).transpose(-1, -2)  # [B, N, H, W, E]
        if self.picked is not None:
            x_ = torch.cat((x_, self.far(x)[:, None].expand(-1, self.blocks, -1, -1, -1)), dim=-2)
        return x_.flatten(0, 1)

    def far(self, x: Tensor) -> Tensor:
        """The keys or values that are picked: [B, H, K, E] -> [B, H, G, E]."""
        assert self.picked is not None
        rows = torch.arange(len(x), device=x.device)[:, None]
        return x.transpose(1, 2)[rows, self.picked.clamp(max=self.keys - 1)].transpose(1, 2)

    def steps(self) -> list[Step]:
        """Half a block at a time, as fewer keys are near; a whole one if those that are not may be picked."""
        assert self.mask is not None
        step = self.size // 2 if self.picked is None and self.size % 128 == 0 else self.size
        found: list[Step] = []
        for begin in range(0, self.queries, step):
            block, row = divmod(begin, self.size)
            rows, low = slice(begin, min(begin + step, self.queries)), self.first + begin
            keys = slice(max(low, 0), min(low + step + self.width - self.size, self.keys))
            mask = self.mask[:, block : block + 1, row : row + rows.stop - begin]
            near = mask[..., keys.start - low + row : keys.stop - low + row]
            if self.picked is not None:
                near = torch.cat((near, mask[..., self.width :]), -1)
            found.append(Step(rows, keys, near))
        return found


def seen(windows: Windows, mask: Tensor) -> Tensor | Windows:
    """The windows with the mask of their places; where one block holds all, a mask [B or 1, 1, Q, K]."""
    if windows.width != windows.keys:
        return windows._replace(mask=mask if mask.dim() == 4 else mask[None])
    return mask if mask.dim() == 4 else mask[:, None]  # torch fuses no mask of three axes


def windows_over(
    start: int, queries: int, keys: int, before: int, after: int, picked: Tensor | None = None
) -> Windows:
    """Blocks of `queries` from `start` on that see `before` keys back, `after` ahead, and picked ones [B, G].

    One block where that is about all keys, or where the graph must hold for any length.
    """
    one_by_one = picked is not None and picked.device.type == "cpu" and not torch.is_grad_enabled()
    few = 8 if one_by_one else 4  # else halves do, see `steps`, or all keys of all blocks are copied
    size = min(queries, -(-(before + after) // (64 * few)) * 64 or 64)
    fixed = torch.compiler.is_compiling() if picked is not None else torch.compiler.is_exporting()
    if fixed or before + size + after >= keys:
        return Windows(start, queries, keys, 0, queries, keys, 1)
    count = -(-queries // size)
    return Windows(start, queries, keys, start - before, size, before + size + after, count, picked)


def window_attention(
    q: Tensor, k: Tensor, v: Tensor, mask: Tensor | Windows | None, **options: Any
) -> Tensor:
    """F.scaled_dot_product_attention, block by block where the mask is in blocks."""
    if not isinstance(mask, Windows):
        return F.scaled_dot_product_attention(q, k, v, mask, **options)
    if q.device.type != "cpu" or torch.is_grad_enabled() or torch.compiler.is_compiling():
        return block_attention(q, k, v, mask, **options)
    y = q.new_empty(len(q), q.shape[2], q.shape[1], v.shape[3]).transpose(1, 2)  # heads lie together, as in q
    for keys, values, steps in runs(mask, k, v):
        for step in steps:  # what a few queries read stays in the cache
            few = q[:, :, step.rows], keys[:, :, step.keys], values[:, :, step.keys], step.mask
            y[:, :, step.rows] = F.scaled_dot_product_attention(*few, **options)
    return y


def runs(windows: Windows, k: Tensor, v: Tensor) -> list[tuple[Tensor, Tensor, list[Step]]]:
    """Steps with their keys and values. The picked stand once among those of several, where each reads on."""
    steps = windows.steps()
    if windows.picked is None:
        return [(k, v, steps)]
    far = windows.far(k), windows.far(v)
    count, found = windows.width // windows.size, list[tuple[Tensor, Tensor, list[Step]]]()
    for few in (steps[i : i + count] for i in range(0, len(steps), count)):
        near = slice(few[0].keys.start, few[-1].keys.stop)
        middle = few[-1].keys.start - near.start
        keys, values = (joined(x[:, :, near], middle, y) for x, y in zip((k, v), far, strict=True))
        found.append((keys, values, [across(step, near.start, middle) for step in few]))
    return found


def joined(x: Tensor, middle: int, far: Tensor) -> Tensor:
    """[B, H, K, E] and before place `middle` [B, H, G, E]; the heads of a place lie together, as in x."""
    parts = x[:, :, :middle], far, x[:, :, middle:]
    return torch.cat([part.transpose(1, 2) for part in parts], dim=1).transpose(1, 2)


def across(step: Step, low: int, middle: int) -> Step:
    """The same among keys from `low` on with the picked before place `middle`, all of which it reads."""
    begin, near = step.keys.start - low, step.keys.stop - step.keys.start
    here = middle - begin
    mask = torch.cat((step.mask[..., :here], step.mask[..., near:], step.mask[..., here:near]), -1)
    return Step(step.rows, slice(begin, begin + mask.shape[-1]), mask)


def block_attention(q: Tensor, k: Tensor, v: Tensor, windows: Windows, **options: Any) -> Tensor:
    """F.scaled_dot_product_attention of every block at once."""
    assert windows.mask is not None
    seen = windows.mask.expand(len(q), -1, -1, -1).flatten(0, 1)[:, None]
    y = F.scaled_dot_product_attention(windows.split(q), windows.near(k), windows.near(v), seen, **options)
    blocks = y.reshape(len(q), -1, *y.shape[1:])  # [B, N, H, C, E]
    return blocks.transpose(1, 2).flatten(2, 3)[:, :, : q.shape[2]]


def chosen_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    where: Tensor,
    others: Tensor | None = None,
    **options: Any,
) -> Tensor:
    """F.scaled_dot_product_attention of the queries where `where` [B, Q] is true; `others` or 0 elsewhere."""
    others = q.new_zeros(*q.shape[:3], v.shape[3]) if others is None else others
    if torch.compiler.is_compiling():  # how many there are is known only when it runs
        y = F.scaled_dot_product_attention(q, k, v, mask, **options)
        return torch.where(where[:, None, :, None], y, others)
    rows = chosen(where)
    places = rows.clamp(max=q.shape[2] - 1)[:, None, :, None]
    some = q.gather(2, places.expand(-1, q.shape[1], -1, q.shape[3]))
    return with_rows(others, rows, F.scaled_dot_product_attention(some, k, v, mask, **options))


def project_and_choose(
    x: Tensor,
    query: nn.Linear,
    key: nn.Linear,
    value: nn.Linear,
    heads: int,
    mask: Tensor | None,
    where: Tensor,
    others: Tensor | None = None,
    *,
    scale: float | None = None,
    dropout_p: float = 0.0,
) -> Tensor:
    """`chosen_attention` of query(x), key(x) and value(x), x [B, S, D].

    Few queries need no keys and values: q (K x) = (q K) x, and the mean of value(x) is value of the mean. A
    bias of the keys adds the same to all scores of a query, which changes no weight.
    """
    few = not torch.compiler.is_compiling() and int(where.sum(-1).max()) * heads < key.out_features
    if not few or type(key) is not nn.Linear or type(value) is not nn.Linear:
        q, k, v = (y.unflatten(-1, (heads, -1)).transpose(1, 2) for y in (query(x), key(x), value(x)))
        return chosen_attention(q, k, v, mask, where, others, scale=scale, dropout_p=dropout_p)
    rows = chosen(where)
    some = x.gather(1, rows.clamp(max=x.shape[1] - 1)[..., None].expand(-1, -1, x.shape[2]))
    q = query(some).unflatten(-1, (heads, -1))  # [B, G, H, E]
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    from_keys, to_values = key.weight, value.weight
    biased = torch.is_grad_enabled() or dropout_p > 0  # else biases change nothing, or are the value's own
    if biased:
        x = F.pad(x, (0, 1), value=1.0)
        from_keys, to_values = with_bias(key), with_bias(value)
    q = torch.einsum("bghe,hed->bghd", q, from_keys.unflatten(0, (heads, -1))).flatten(1, 2)
    mean = F.scaled_dot_product_attention(
        q[:, None], x[:, None], x[:, None], mask, dropout_p=dropout_p, scale=scale
    )
    y = mean[:, 0] @ to_values.T if biased else value(mean[:, 0])
    y = y.reshape(len(y), -1, heads, heads, y.shape[2] // heads)  # [B, G, H, H, E]
    y = y.diagonal(dim1=2, dim2=3).permute(0, 3, 1, 2)  # each head's values of its own mean
    others = x.new_zeros(*y.shape[:2], x.shape[1], y.shape[3]) if others is None else others
    return with_rows(others, rows, y)


def with_bias(linear: nn.Linear) -> Tensor:
    """Weight and bias as one matrix [out, in + 1], for inputs whose last feature is 1."""
    bias = linear(linear.weight.new_zeros(1, linear.in_features))  # what it makes of nothing
    return torch.cat((linear.weight, bias.T), dim=1)


def with_rows(x: Tensor, rows: Tensor, new: Tensor) -> Tensor:
    """x [B, H, S, E] with the rows [B, G] of axis S from `new` [B, H, G, E]; row S is none."""
    batch, place = (rows < x.shape[2]).nonzero(as_tuple=True)
    y = x.clone()
    y[batch, :, rows[batch, place]] = new[batch, :, place]
    return y
