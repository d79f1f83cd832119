"""Low-rank adapters (Hu et al. 2021, arXiv:2106.09685): what training adds to frozen weights.

Every adapted matrix W [out, in] is frozen and gets A [rank, in] and B [out, rank]; both are trained.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from archspec.analysis.optimizer import Parameter
from archspec.analysis.ranges import positive
from archspec.errors import ArchspecError, Diagnostic, did_you_mean


def adapted(
    parameters: Sequence[Parameter], rank: int, targets: Sequence[str], *, itemsize: int = 2
) -> tuple[Parameter, ...]:
    """The parameters, frozen and kept in `itemsize` bytes an element, and adapters of the named matrices.

    A target is the whole name of a parameter, or one of its dotted parts (`q_proj`), as in PEFT's
    `target_modules`. Raises ArchspecError D004 for a rank below 1, D006 for a target that no matrix has.
    """
    positive("rank", rank)
    base = (replace(each, trainable=False, itemsize=each.itemsize or itemsize) for each in parameters)
    found = chosen(parameters, targets)
    return (*base, *(adapter for matrix in found for adapter in _adapters(matrix, rank)))


def chosen(parameters: Sequence[Parameter], targets: Sequence[str]) -> tuple[Parameter, ...]:
    """The matrices that get adapters. Raises ArchspecError D006 for a target that no matrix has."""
    for target in targets:
        _exists(target, parameters)
    return tuple(each for each in parameters if any(_named(each, target) for target in targets))


def trainable_fraction(parameters: Sequence[Parameter]) -> float:
    """Share of the elements that are trained. Raises ArchspecError D004 where there are none at all."""
    count = sum(each.count for each in parameters)
    positive("the number of parameters", count)
    return sum(each.count for each in parameters if each.trainable) / count


def _adapters(matrix: Parameter, rank: int) -> tuple[Parameter, Parameter]:
    out, inner = matrix.shape
    stem, copies = matrix.name.removesuffix(".weight"), matrix.copies
    return (
        Parameter(f"{stem}.lora_a", (rank, inner), copies=copies),
        Parameter(f"{stem}.lora_b", (out, rank), copies=copies),
    )


def _named(parameter: Parameter, target: str) -> bool:
    parts = parameter.name.split(".")
    return len(parameter.shape) == 2 and (target == parameter.name or target in parts)


def _exists(target: str, parameters: Sequence[Parameter]) -> None:
    if not any(_named(each, target) for each in parameters):
        matrices = [each.name for each in parameters if len(each.shape) == 2]
        words = list(dict.fromkeys(part for name in matrices for part in name.split(".")))
        message = f"no matrix is called '{target}', and none has such a part in its name"
        raise ArchspecError(Diagnostic("D006", message, hint=did_you_mean(target, [*matrices, *words])))
