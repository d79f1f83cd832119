"""Each preset means the model that the reference builds from the same configuration."""

from typing import Any

import pytest
import torch
import transformers

from archspec import api
from archspec.lowering.weights_section import read_section
from archspec.weights.folder import hub_config
from archspec.weights.rules import read_rules
from tests.parity.catalog import ALL

NAMES = sorted({model.spec for model in ALL})
PRESETS = [(name, preset) for name in NAMES for preset in (None, *api.load(name).document.presets)]

OF_ALL = {"decoder_start_token_id", "num_labels", "tie_word_embeddings"}  # settings of any reference


def configured(name: str, preset: str | None) -> dict[str, Any]:
    """config.json as an export writes it."""
    return dict(hub_config(read_rules(read_section(api.load(name, preset=preset), "hf").plain)))


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_the_reference_counts_the_same(name: str, preset: str | None):
    config = configured(name, preset)
    kind = getattr(transformers, config["architectures"][0])
    with torch.device("meta"):
        reference = kind(kind.config_class(**config))
    count = sum(parameter.numel() for parameter in reference.parameters())
    assert api.check(api.load(name, preset=preset)).parameters == count


@pytest.mark.parametrize(("name", "preset"), PRESETS)
def test_the_reference_knows_every_setting(name: str, preset: str | None):
    """It takes unknown ones without a word."""
    config = configured(name, preset)
    known = getattr(transformers, config["architectures"][0]).config_class().to_dict()
    assert config.keys() - known.keys() <= OF_ALL
