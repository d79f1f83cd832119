"""What is ignored in a configuration changes nothing: the reference computes the same whatever it says."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import nn

from archspec.importing.harmless import table
from tests.importing.changes import ILLEGAL, Edit, at, changed, others, together
from tests.importing.published import SECTIONS, Config, Section
from tests.parity.catalog import Model
from tests.parity.draw import draw, randomise
from tests.parity.rig import build, results

SMALL = [section for section in SECTIONS if section.case()]
# Fields that cannot be compared in this way.
NOT_TRIED = {
    "return_dict": "results come as a tuple",
    "use_return_dict": "results come as a tuple",
    "torchscript": "results come as a tuple",
    "attn_implementation": "another one computes nearly the same",
    "_attn_implementation": "another one computes nearly the same",
    "chunk_size_feed_forward": "the length must be a multiple of it",
    "quantization_config": "needs other packages",
    **dict.fromkeys(
        ("mode", "chunkwise_kernel", "sequence_kernel", "step_kernel", "autocast_kernel_dtype"),
        "says which kernel computes the same, by words of which few are here",
    ),
    "mask_time_prob": "in training alone; with it a model has what stands in the place of frames",
    "mask_feature_prob": "in training alone; with it a model has what stands in the place of frames",
    "use_mask_token": "in pre-training alone; with it a model has what stands in the place of patches",
    "rescale_every": "halves what the norms then bring to one size, and only their eps tells",
}


def computed(reference: nn.Module, model: Model) -> dict[str, torch.Tensor]:
    """What a reference computes of the model's first case."""
    name, case = next(iter(model.cases.items()))
    return results(reference, draw(case, case.inputs, model.name, name), model)


def full(reference: Any) -> Config:
    config = reference.config
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)


def builds(model: Model, config: Config) -> bool:
    try:
        build(replace(model, config=config))
    except (*ILLEGAL, NotImplementedError):
        return False
    return True


def alike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal but for rounding: some fields say in what order the same is computed."""
    return all(torch.allclose(other[name], value, rtol=1e-5, atol=1e-5) for name, value in one.items())


def plausible(known: Config, path: str) -> list[Any]:
    try:
        return others(at(known, path))
    except (KeyError, TypeError):  # the reference's configuration has no such field
        return others(None)


def legal(model: Model, known: Config, paths: Iterable[str]) -> list[Edit]:
    """Another value of each field, such that the reference can be built with all of them."""
    left = {path: plausible(known, path) for path in paths}
    config, found = model.config, list[Edit]()
    while left := {path: values for path, values in left.items() if values}:
        edits = [(path, values.pop(0)) for path, values in left.items()]
        config, more = together(config, edits, lambda config: builds(model, config))
        left = {path: values for path, values in left.items() if path not in dict(more)}
        found += more
    return found


@pytest.mark.parametrize("section", SMALL, ids=str)
def test_what_is_ignored_changes_nothing(section: Section):
    """What the spec ignores, and of what is harmless anywhere all that the reference knows."""
    model = section.case()
    assert model is not None
    reference = build(model)
    randomise(reference, model.seed, model.gain)
    known, expected = full(reference), computed(reference, model)
    ignored = section.fields.ignore - NOT_TRIED.keys()
    anywhere = table().any.keys() & known.keys() - NOT_TRIED.keys() - section.fields.config.keys()
    edits = legal(model, known, sorted(ignored | anywhere))
    assert ignored <= {path for path, _ in edits}

    def same(*some: Edit) -> bool:
        other = build(replace(model, config=changed(model.config, *some)))
        other.load_state_dict(reference.state_dict())
        return alike(expected, computed(other, model))

    wrong = [] if same(*edits) else [edit for edit in edits if not same(edit)] or edits
    assert wrong == []
