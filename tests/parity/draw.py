"""Random models and random inputs. Default initialisation hides bugs, so every tensor is drawn anew."""

import zlib
from collections.abc import Callable

import torch
from torch import Tensor, nn

from tests.parity.catalog import Case, Draw


def generator(*key: object) -> torch.Generator:
    """Random numbers that depend on the key alone."""
    return torch.Generator().manual_seed(zlib.crc32(repr(key).encode()))


def randomise(model: nn.Module, seed: int) -> None:
    """Gains 1 ± 0.3, other vectors ± 0.3, matrices that keep values alive; floating-point buffers too."""
    random = generator("weights", seed)
    tables = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    with torch.no_grad():
        for name, tensor in [*model.named_parameters(), *model.named_buffers()]:
            if tensor.dim() == 1 and tensor.is_floating_point():
                tensor.uniform_(-0.3, 0.3, generator=random).add_(float(name.endswith("weight")))
            elif tensor.is_floating_point():
                deviation = 0.3 if id(tensor) in tables else 1.3 * (2 / sum(tensor.shape)) ** 0.5
                tensor.normal_(0, deviation, generator=random)


def draw(case: Case, inputs: dict[str, Draw], *key: object) -> dict[str, Tensor]:
    """The tensors of a case, in the order of `inputs`."""
    drawn: dict[str, Tensor] = {}
    for name, rule in inputs.items():
        (kind, argument), *rest = rule.items()
        drawn[name] = KINDS[kind](argument, case.sizes, drawn, generator(name, *key), **dict(rest))
    return drawn


def _below(
    limit: int, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator, *,
    shape: str, ignored: bool = False,
) -> Tensor:  # fmt: skip
    """Integers from 0 to `limit`, exclusive; a third of them is -100 where `ignored`."""
    extent = [sizes[letter] for letter in shape]
    values = torch.randint(limit, extent, generator=random)
    return torch.where(torch.rand(extent, generator=random) < 1 / 3, -100, values) if ignored else values


def _padding(
    side: str, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator, *, shape: str
) -> Tensor:
    """1 where a token stands: the first row is full, the following ones are shorter and shorter."""
    rows, length = (sizes[letter] for letter in shape)
    tokens = torch.tensor([length - row * length // rows for row in range(rows)])
    mask = (torch.arange(length) < tokens[:, None]).long()
    return mask.flip(1) if side == "left" else mask


def _counts(mask: str, sizes: dict[str, int], drawn: dict[str, Tensor], random: torch.Generator) -> Tensor:
    """Each token's place among the tokens of its row."""
    return places(drawn[mask])


def places(mask: Tensor) -> Tensor:
    return (mask.cumsum(-1) - 1).clamp(min=0)


KINDS: dict[str, Callable[..., Tensor]] = {"below": _below, "padding": _padding, "counts": _counts}
