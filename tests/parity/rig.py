"""A reference with random weights, what it computes, and our model with the same weights."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
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

    def ours(self, attention: str = "eager", spec: Path | None = None, weights: Path | None = None) -> Any:
        """Our model with the folder's weights, from the library's spec unless another is given."""
        return api.compile(
            spec or self.model.spec, preset=self.model.preset, overrides=self.model.params,
            attention=attention, weights=weights or self.folder,
        )  # fmt: skip

    def inputs(self, case: str) -> Inputs:
        return draw(self.model.cases[case], self.model.cases[case].inputs, self.model.name, case)

    def expected(self, case: str) -> Expected:
        """The reference's outputs on the inputs of a case, by our names."""
        return self._measured(case, partial(results, outputs=self.model.outputs))

    def attentions(self, case: str) -> Expected:
        """The reference's attention weights [B, Q, H, K], by the path of our module that computes them."""
        return self._measured(case, partial(attentions, paths=self.model.attentions))

    def _measured(self, case: str, run: Callable[[nn.Module, Inputs], Inputs]) -> Expected:
        given, where = self.inputs(case), self.model.cases[case].where
        single, double = run(self.reference, given), run(doubled(self.reference), given)
        return Expected.measured(single, double, None if where is None else given[where])

    def run(self, module: Any, inputs: Inputs, **more: object) -> Inputs:
        """The outputs of a model of ours."""
        with torch.no_grad():
            return named(module(**inputs, **more), self.model.outputs)


def results(reference: nn.Module, given: Inputs, outputs: dict[str, str]) -> Inputs:
    """The reference's outputs by our names."""
    with torch.no_grad():
        result = reference(**given)
    return {ours: getattr(result, theirs) for ours, theirs in outputs.items()}


def attentions(reference: nn.Module, given: Inputs, paths: dict[str, str]) -> Inputs:
    with torch.no_grad():
        result = reference(**given, output_attentions=True)
    return {
        path.replace("*", str(layer)): weights.transpose(1, 2)
        for kind, path in paths.items()
        for layer, weights in enumerate(getattr(result, kind))
    }


def build(model: Model) -> Any:
    """The reference class with the model's config and eager attention."""
    kind = getattr(transformers, model.reference)
    config = kind.config_class(**model.config)
    config._attn_implementation = "eager"
    return kind(config).eval()


def doubled(reference: nn.Module) -> nn.Module:
    return copy.deepcopy(reference).double()


def halved(reference: nn.Module) -> nn.Module:
    return copy.deepcopy(reference).bfloat16()


def save(reference: Any, folder: Path) -> None:
    reference.save_pretrained(folder)
