"""Each preset means the model that the reference builds from the same configuration."""

from collections.abc import Callable
from dataclasses import fields
from inspect import signature
from typing import Any
from unittest.mock import patch

import pytest
import torch
from transformers import PreTrainedConfig
from transformers.modeling_rope_utils import RopeParameters

from archspec import api
from archspec.lowering.weights_section import read_section
from archspec.weights.folder import hub_config
from archspec.weights.rules import WeightRules, read_rules
from tests.parity.catalog import ALL
from tests.parity.rig import reference_class

NAMES = sorted({model.spec for model in ALL})
PRESETS = [
    (name, preset, section)
    for name in NAMES
    for preset in (None, *api.load(name).presets)
    for section in api.load(name).table("weights")
]

OF_ALL = {"decoder_start_token_id", "num_labels", "tie_word_embeddings"}  # settings of any reference


def rules(name: str, preset: str | None, section: str) -> WeightRules:
    return read_rules(read_section(api.load(name, preset=preset), section).plain)


def reference(name: str, preset: str | None, section: str) -> tuple[Any, dict[str, Any]]:
    """The class, and config.json as an export writes it, without the name of the class."""
    found = rules(name, preset, section)
    assert found.class_ is not None
    named = {"architectures", "_class_name"}
    settings = {key: value for key, value in hub_config(found).items() if key not in named}
    return reference_class(found.library, found.class_), settings


@pytest.mark.parametrize(("name", "preset", "section"), PRESETS)
def test_the_reference_counts_the_same(name: str, preset: str | None, section: str):
    kind, config = reference(name, preset, section)
    with torch.device("meta"):
        model = kind(kind.config_class(**config)) if hasattr(kind, "config_class") else kind(**config)
    count = sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad)
    assert (
        api.check(api.load(name, preset=preset, graph=rules(name, preset, section).graph)).parameters == count
    )


@pytest.mark.parametrize(("name", "preset", "section"), PRESETS)
def test_the_reference_knows_every_setting(name: str, preset: str | None, section: str):
    """Each is a field of its configuration, or the model reads it while it is built.

    It takes unknown ones without a word, and keeps them; older names of a setting it turns into new ones.
    """
    kind, config = reference(name, preset, section)
    if not hasattr(kind, "config_class"):
        assert config.keys() <= signature(kind).parameters.keys()
        return
    made = kind.config_class(**config)
    assert config.get("model_type") == made.model_type
    kept = config.keys() & made.to_dict().keys() - {"model_type"}
    if unknown := kept - fields_of(made) - OF_ALL:
        assert unknown <= read_by(kind, made)
    for key in kept:
        inner = getattr(made, key)
        if isinstance(inner, PreTrainedConfig):
            assert config[key].keys() <= fields_of(inner), key
        elif isinstance(config[key], dict):
            assert rope_settings(config[key]) <= RopeParameters.__annotations__.keys(), key


def fields_of(config: Any) -> set[str]:
    return {field.name for field in fields(config)}


def read_by(kind: Any, config: Any) -> set[str]:
    """The settings that the reference asks for by name while it is built."""
    seen = set[str]()
    ask: Callable[..., Any] = type(config).__getattribute__

    def asked(self: Any, name: str) -> Any:
        seen.add(name)
        return ask(self, name)

    with patch.object(type(config), "__getattribute__", asked), torch.device("meta"):
        kind(config)
    return seen


def rope_settings(given: dict[str, Any]) -> set[str]:
    """The names in a table of rotary settings, or of one for each kind of layer."""
    if any(isinstance(value, dict) for value in given.values()):
        return {name for value in given.values() for name in value}
    return {*given}
