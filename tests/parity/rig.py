"""A reference with random weights, what it computes, and our model with the same weights."""

import copy
import importlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import pytest
import torch
from torch import Tensor, nn
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS, eager_mask

from archspec import api
from archspec.errors import UnsupportedError
from tests.parity.catalog import Model
from tests.parity.compare import Expected, named
from tests.parity.draw import draw, randomise

Inputs = dict[str, Tensor]
T = TypeVar("T")

# One definition of each operation, which the faster implementations of the reference only approximate.
EAGER = {"attn_implementation": "eager", "experts_implementation": "eager"}


def finite_mask(*args: Any, dtype: torch.dtype, **kwargs: Any) -> Tensor | None:
    """What eager references add to scores, with the least fp32 number where they take the least fp64 one.

    They cast scores to fp32 for the softmax. There the least fp64 number is infinite, and a query that sees
    nothing would give NaN, which reaches every later layer.
    """
    make = cast("Callable[..., Tensor | None]", eager_mask)
    mask = make(*args, dtype=torch.float32 if dtype == torch.float64 else dtype, **kwargs)
    return mask if mask is None else mask.to(dtype)


ALL_MASK_ATTENTION_FUNCTIONS.register("eager", finite_mask)


@dataclass(frozen=True, eq=False)
class Rig:
    """`folder` holds the reference as `transformers` saves it; `kept` is what was once computed."""

    model: Model
    folder: Path
    reference: nn.Module
    kept: dict[tuple[object, ...], Any] = field(default_factory=dict[tuple[object, ...], Any])

    @classmethod
    def set_up(cls, model: Model, folder: Path) -> "Rig":
        reference = build(model)
        randomise(reference, model.seed, model.gain)
        save(reference, folder)
        return cls(model, folder, reference)

    def ours(self, attention: str = "eager", spec: Path | None = None, weights: Path | None = None) -> Any:
        """Our model with the folder's weights, from the library's spec unless another is given.

        It is the caller's own, to change. The test is skipped where the build is refused, as the model says.
        """
        if spec or weights:
            return self._built(attention, spec, weights)
        return copy.deepcopy(self.once(("ours", attention), partial(self._built, attention)))

    def once(self, key: tuple[object, ...], make: Callable[[], T]) -> T:
        """What `make` gives, made when it is first asked for."""
        if key not in self.kept:
            self.kept[key] = make()
        return self.kept[key]

    def _built(self, attention: str, spec: Path | None = None, weights: Path | None = None) -> Any:
        build = partial(
            api.compile, spec or self.model.spec, preset=self.model.preset, overrides=self.model.params,
            graph=self.model.graph,
            attention=attention, weights=weights or self.folder,
        )  # fmt: skip
        if attention not in self.model.refuses:
            return build()
        with pytest.raises(UnsupportedError):
            build()
        pytest.skip(f"{self.model.name} cannot be built with attention={attention}")

    def inputs(self, case: str) -> Inputs:
        return draw(self.model.cases[case], self.model.cases[case].inputs, self.model.name, case)

    def expected(self, case: str) -> Expected:
        """The reference's outputs on the inputs of a case, by our names."""
        run = partial(self._measured, case, partial(results, model=self.model))
        return self.once(("expected", case), run)

    def attentions(self, case: str) -> Expected:
        """The reference's attention weights [B, Q, H, K], by the path of our module that computes them."""
        return self._measured(case, partial(attentions, model=self.model))

    def _measured(self, case: str, run: Callable[[nn.Module, Inputs], Inputs]) -> Expected:
        given, where = self.inputs(case), self.model.cases[case].where
        single, double = run(self.reference, given), run(self.cast("fp64"), given)
        return Expected.measured(single, double, None if where is None else given[where])

    def cast(self, precision: Literal["fp64", "bf16"]) -> nn.Module:
        """The reference in another precision. It is everyone's, to run."""
        return self.once((precision,), partial(CASTS[precision], self.reference))

    def results(self, case: str, precision: Literal["fp64", "bf16"]) -> Inputs:
        """The reference's outputs in another precision, by our names."""
        run = partial(results, self.cast(precision), self.inputs(case), self.model)
        return self.once((case, precision), run)

    def run(self, module: Any, inputs: Inputs, **more: object) -> Inputs:
        """The outputs of a model of ours."""
        with torch.no_grad():
            return named(module(**as_exact(inputs, module), **more), self.model.outputs)


def results(reference: nn.Module, given: Inputs, model: Model) -> Inputs:
    """The reference's outputs by our names."""
    with torch.no_grad():
        result = reference(**spelt(as_exact(given, reference), model))
    return {ours: getattr(result, theirs) for ours, theirs in model.outputs.items()}


def attentions(reference: nn.Module, given: Inputs, model: Model) -> Inputs:
    with torch.no_grad():
        result = reference(**spelt(as_exact(given, reference), model), output_attentions=True)
    return {
        path.replace("*", str(layer)) if isinstance(path, str) else path[layer]: weights.transpose(1, 2)
        for kind, path in model.attentions.items()
        for layer, weights in enumerate(getattr(result, kind))
    }


def as_exact(given: Inputs, module: nn.Module) -> Inputs:
    """Features and pixels in the dtype of the module's weights."""
    dtype = next(module.parameters()).dtype
    return {name: x.to(dtype) if x.is_floating_point() else x for name, x in given.items()}


def spelt(given: Inputs, model: Model) -> Inputs:
    """Our inputs by the reference's names."""
    return {model.arguments.get(name, name): value for name, value in given.items()}


def reference_class(library: str, name: str) -> Any:
    return getattr(importlib.import_module(library), name)


def build(model: Model) -> Any:
    """The reference class with the model's config; where there is a choice, with eager attention and experts.

    A padding token's row of an embedding learns like any other: that it does not is no part of a spec.
    """
    kind = reference_class(model.library, model.reference)
    if not hasattr(kind, "config_class"):
        return kind(**model.config).eval()
    config = kind.config_class(**model.config)
    config._attn_implementation = config._experts_implementation = "eager"
    reference = kind(config).eval()
    for module in reference.modules():
        if isinstance(module, nn.Embedding):
            module.padding_idx = None
    return reference


def doubled(reference: nn.Module) -> nn.Module:
    return copy.deepcopy(reference).double()


def halved(reference: nn.Module) -> nn.Module:
    return copy.deepcopy(reference).bfloat16()


CASTS = {"fp64": doubled, "bf16": halved}


def save(reference: Any, folder: Path) -> None:
    reference.save_pretrained(folder)
