"""What is ignored in a configuration changes nothing: the reference computes the same whatever it says."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from huggingface_hub.errors import StrictDataclassError
from torch import nn

from archspec.importing.harmless import table
from tests.importing.changes import at, changed, others
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
}
REFUSED = (
    ValueError,
    TypeError,
    KeyError,
    RuntimeError,
    StrictDataclassError,
    AttributeError,
    NotImplementedError,
)


def computed(reference: nn.Module, model: Model) -> dict[str, torch.Tensor]:
    """What a reference computes of the model's first case."""
    name, case = next(iter(model.cases.items()))
    return results(reference, draw(case, case.inputs, model.name, name), model)


def set_up(model: Model) -> nn.Module:
    reference = build(model)
    randomise(reference, model.seed, model.gain)
    return reference


def full(reference: Any) -> Config:
    config = reference.config
    return config.to_dict() if hasattr(config, "to_dict") else dict(config)


def changes(model: Model, path: str, known: Config) -> Iterator[tuple[Any, nn.Module]]:
    """The reference with other values of a field, as far as it takes them."""
    for value in plausible(known, path):
        try:
            yield value, build(replace(model, config=changed(model.config, path, value)))
        except REFUSED:
            continue


def alike(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    """Equal but for rounding: some fields say in what order the same is computed."""
    return all(torch.allclose(other[name], value, rtol=1e-5, atol=1e-5) for name, value in one.items())


@pytest.mark.parametrize("section", SMALL, ids=str)
def test_an_ignored_field_changes_nothing(section: Section):
    model = section.case()
    assert model is not None
    reference = set_up(model)
    expected, known = computed(reference, model), full(reference)
    for path in sorted(section.fields.ignore):
        others = list(changes(model, path, known))
        assert others, path
        for value, other in others:
            other.load_state_dict(reference.state_dict())
            assert alike(expected, computed(other, model)), (path, value)


def plausible(known: Config, path: str) -> list[Any]:
    try:
        return list(others(at(known, path)))
    except (KeyError, TypeError):  # the reference's configuration has no such field
        return list(others(None))


@pytest.mark.parametrize("section", SMALL, ids=str)
def test_fields_that_are_harmless_anywhere_change_nothing(section: Section):
    """All at once, as far as the reference knows them and the spec does not read them."""
    model = section.case()
    assert model is not None
    reference = set_up(model)
    known, config = full(reference), dict(model.config)
    for path in sorted(table().any.keys() & known.keys() - NOT_TRIED.keys() - section.fields.config.keys()):
        for value in others(known[path]):
            try:
                build(replace(model, config=changed(config, path, value)))
            except REFUSED:
                continue
            config = changed(config, path, value)
            break
    other = build(replace(model, config=config))
    other.load_state_dict(reference.state_dict())
    assert alike(computed(reference, model), computed(other, model))
