"""Each preset means the model that the reference builds from the same configuration."""

from inspect import getfile, signature
from pathlib import Path
from typing import Any

import pytest
import torch

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
    for preset in (None, *api.load(name).document.presets)
    for section in api.load(name).document.weights
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
    """It takes unknown ones without a word, and keeps them; older names of a setting it turns into new ones.

    Some are only named where the model reads them.
    """
    kind, config = reference(name, preset, section)
    if not hasattr(kind, "config_class"):
        assert config.keys() <= signature(kind).parameters.keys()
        return
    kept, known = kind.config_class(**config).to_dict(), kind.config_class().to_dict()
    read = Path(getfile(kind)).read_text(encoding="utf-8")
    unread = {key for key in config.keys() & kept.keys() if f'"{key}"' not in read}
    assert unread - known.keys() <= OF_ALL
