"""Random models and random inputs. Default initialisation hides bugs, so every tensor is drawn anew."""

import zlib
from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from tests.parity.catalog import Case, Draw

Shape: TypeAlias = str | list[str | int]


def generator(*key: object) -> torch.Generator:
    """Random numbers that depend on the key alone."""
    return torch.Generator().manual_seed(zlib.crc32(repr(key).encode()))


def randomise(model: nn.Module, seed: int, gain: float = 1.0) -> None:
    """Gains and variances 1 ± 0.3, other vectors ± 0.3, matrices that keep values alive; buffers of
    checkpoints too, and counts from 1 to 99.

    `gain`: how much louder than that matrices are, but for embeddings.
    """
    random = generator("weights", seed)
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    kept = model.state_dict().keys()
    buffers = [(name, tensor) for name, tensor in model.named_buffers() if name in kept]
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *buffers]:
            if tensor.dim() < 2 and tensor.is_floating_point():
                tensor.uniform_(-0.3, 0.3, generator=random).add_(float(name.endswith(("weight", "var"))))
            elif tensor.is_floating_point():
                deviation = 0.3 if id(tensor) in tables else 1.3 * gain * (2 / sum(tensor.shape)) ** 0.5
                tensor.normal_(0, deviation, generator=random)
            elif tensor.dim() == 0:
                tensor.random_(1, 100, generator=random)


def draw(case: Case, inputs: dict[str, Draw], *key: object) -> dict[str, Tensor]:
    """The tensors of a case, in order. A shape is letters of `sizes`; a list may hold numbers too."""
    drawn: dict[str, Tensor] = {}
    for name, rule in inputs.items():
        (kind, argument), *rest = rule.items()
        drawn[name] = KINDS[kind](argument, case.sizes, drawn, generator(name, *key), **dict(rest))
    return drawn


def extents(shape: Shape, sizes: dict[str, int]) -> list[int]:
    return [sizes[size] if isinstance(size, str) else size for size in shape]


def free(case: Case, name: str) -> list[str | None]:
    """The letter of each axis of an input; None for a size that no case changes."""
    rule = case.inputs[name]
    if "shape" not in rule:
        return free(case, rule["counts"])
    return [size if isinstance(size, str) else None for size in rule["shape"]]


def _below(
    limit: int, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator, *,
    shape: Shape, ignored: bool = False,
) -> Tensor:  # fmt: skip
    """Integers from 0 to `limit`, exclusive; a third of them is -100 where `ignored`."""
    extent = extents(shape, sizes)
    values = torch.randint(limit, extent, generator=random)
    return torch.where(torch.rand(extent, generator=random) < 1 / 3, -100, values) if ignored else values


def _normal(
    deviation: float,
    sizes: dict[str, int],
    drawn: dict[str, Tensor],
    random: torch.Generator,
    *,
    shape: Shape,
) -> Tensor:
    """Around 0: pixels, latents, features."""
    return torch.randn(extents(shape, sizes), generator=random) * deviation


def _padding(
    side: str, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator, *, shape: str
) -> Tensor:
    """1 where a token stands: the first row is full, the following ones are shorter and shorter.

    `middle`: like left, but the first place holds a token, so that every query sees one and a gap follows it.
    """
    rows, length = (sizes[letter] for letter in shape)
    tokens = torch.tensor([length - row * length // rows for row in range(rows)])
    mask = (torch.arange(length) < tokens[:, None]).long()
    mask = mask if side == "right" else mask.flip(1)
    return torch.cat([torch.ones_like(mask[:, :1]), mask[:, 1:]], 1) if side == "middle" else mask


def _first(
    count: int, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator, *, shape: Shape
) -> Tensor:
    """1 at the first places of a row, 0 at the others."""
    mask = torch.zeros(extents(shape, sizes), dtype=torch.long)
    mask[..., :count] = 1
    return mask


def _counts(mask: str, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator) -> Tensor:
    """Each token's place among the tokens of its row."""
    return places(drawn[mask])


def places(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)


KINDS: dict[str, Callable[..., Tensor]] = {
    "below": _below, "normal": _normal, "padding": _padding, "first": _first, "counts": _counts,
}  # fmt: skip
