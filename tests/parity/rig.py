"""A reference with random weights, what it computes, and our model with the same weights."""

import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
import transformers
from torch import Tensor, nn

from archspec import api
from tests.parity.catalog import Model
from tests.parity.compare import Expected, named
from tests.parity.draw import draw, randomise

Inputs = dict[str, Tensor]


@dataclass(frozen=True, eq=False)
class Rig:
    """`folder` holds the reference as `transformers` saves it."""

    model: Model
    folder: Path
    reference: nn.Module

    @classmethod
    def set_up(cls, model: Model, folder: Path) -> "Rig":
        reference = build(model)
        randomise(reference, model.seed)
        save(reference, folder)
        return cls(model, folder, reference)

    def ours(self, attention: str = "eager", spec: Path | None = None, weights: Path | None = None) -> nn.Module:
        """Our model with the folder's weights, from the library's spec unless another is given."""
        return api.compile(
            spec or self.model.spec, preset=self.model.preset, overrides=self.model.params,
            attention=attention, weights=weights or self.folder,
        )  # fmt: skip

    def inputs(self, case: str) -> Inputs:
        return draw(self.model.cases[case], self.model.cases[case].inputs, self.model.name, case)

    def expected(self, case: str) -> Expected:
        """What the reference computes on the inputs of a case."""
        return _expected(self, case)

    def run(self, module: nn.Module, inputs: Inputs, **more: object) -> Inputs:
        """The outputs of a model of ours."""
        with torch.no_grad():
            return named(module(**inputs, **more), self.model.outputs)


@cache
def _expected(rig: Rig, case: str) -> Expected:
    given, where = rig.inputs(case), rig.model.cases[case].where
    single, double = (results(m, given, rig.model.outputs) for m in (rig.reference, doubled(rig.reference)))
    return Expected.measured(single, double, None if where is None else given[where])


def results(reference: nn.Module, given: Inputs, outputs: dict[str, str]) -> Inputs:
    """The reference's outputs by our names."""
    with torch.no_grad():
        result = reference(**given)
    return {ours: getattr(result, theirs) for ours, theirs in outputs.items()}


def build(model: Model) -> Any:
    """The reference class with the model's config and eager attention."""
    kind = getattr(transformers, model.reference)
    config = kind.config_class(**model.config)
    config._attn_implementation = "eager"
    return kind(config).eval()


def doubled(reference: nn.Module) -> nn.Module:
    return copy.deepcopy(reference).double()


def save(reference: Any, folder: Path) -> None:
    reference.save_pretrained(folder)
