"""How far apart two results may be: measured from the reference itself, never chosen."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from torch import Tensor


@dataclass(frozen=True, slots=True)
class Expected:
    """The reference's results in fp32, and how far its own rounding carries each from its result in fp64."""

    values: Mapping[str, Tensor]
    noise: Mapping[str, float]
    where: Tensor | None = None

    @classmethod
    def measured(
        cls, single: Mapping[str, Tensor], double: Mapping[str, Tensor], where: Tensor | None = None
    ) -> "Expected":
        noise = {name: _difference(double[name], value, where) for name, value in single.items()}
        return cls(single, noise, where)

    def tolerance(self, name: str) -> float:
        largest = _defined(self.values[name], self.where).abs().max().item()
        return max(8 * self.noise[name], 2e-6 * max(1.0, largest))

    def excess(self, got: Mapping[str, Tensor]) -> float:
        """The largest difference over all results, in tolerances; up to 1 is equal."""
        return max(self.excesses(got).values())

    def excesses(self, got: Mapping[str, Tensor]) -> dict[str, float]:
        """Infinite where a number is not finite."""
        assert got.keys() == self.values.keys(), f"{[*got]} against {[*self.values]}"
        return {
            name: _difference(got[name], value, self.where) / self.tolerance(name)
            for name, value in self.values.items()
        }


def _defined(value: Tensor, where: Tensor | None) -> Tensor:
    return value if where is None else value[where.bool()]


def _difference(a: Tensor, b: Tensor, where: Tensor | None) -> float:
    assert a.shape == b.shape, f"{tuple(a.shape)} against {tuple(b.shape)}"
    largest = (_defined(a, where).double() - _defined(b, where).double()).abs().max().item()
    return largest if math.isfinite(largest) else math.inf


def named(result: object, names: Mapping[str, str]) -> dict[str, Tensor]:
    """What a model of ours returns, by output: one tensor, or a named tuple of several."""
    if isinstance(result, Tensor):
        (name,) = names
        return {name: result}
    fields: dict[str, Tensor] = cast("Any", result)._asdict()
    assert fields.keys() == names.keys()
    return fields
