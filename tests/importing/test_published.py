"""Configurations as their library writes them, and shorter ones as people do, mean the reference's model."""

import json
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub.errors import StrictDataclassError

from archspec import api
from archspec.dims.num import Value
from archspec.errors import ArchspecError, Collector
from archspec.ir.graph import parameter_count
from archspec.library import names
from archspec.lowering.settings import Settings
from archspec.spec.node import Mapping
from archspec.spec.spec import Spec
from archspec.weights.folder import hub_config
from archspec.weights.of_spec import rules_of
from tests.parity.catalog import ALL, Model


def is_told(spec: str) -> bool:
    """Whether a spec says what a config.json may leave out."""
    section = api.load(spec).section("weights").get("hf")
    return isinstance(section, Mapping) and section.get("import") is not None


MODELS = [model for model in ALL if is_told(model.spec) and hasattr(transformers, model.reference)]
ONE_EACH = list({model.spec: model for model in reversed(MODELS)}.values())


def reference(model: Model) -> Any:
    return getattr(transformers, model.reference)


def full(model: Model, config: dict[str, Any]) -> dict[str, Any]:
    """All fields, as they are when such a model is saved."""
    return {**reference(model).config_class(**config).to_dict(), "architectures": [model.reference]}


def short(model: Model, config: dict[str, Any]) -> dict[str, Any]:
    """The given fields alone."""
    return {
        "model_type": reference(model).config_class.model_type,
        "architectures": [model.reference],
        **config,
    }


def imported(folder: Path, config: dict[str, Any], base: str | None = None) -> Spec:
    """The spec that a configuration becomes, read back from its text."""
    (folder / "config.json").write_text(json.dumps(config, indent=2), encoding="utf-8")
    made = api.import_config(folder, base=base, name="imported")
    path = folder / "imported.yaml"
    path.write_text(made.text, encoding="utf-8")
    return api.load(path)


def values(spec: Spec) -> dict[str, Value]:
    return Settings(spec, Collector()).values


def outcome(folder: Path, config: dict[str, Any], base: str) -> dict[str, Value] | str:
    """The params that a configuration means, or that it means none."""
    try:
        return values(imported(folder, config, base))
    except ArchspecError:
        return "refused"


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_a_saved_configuration_gives_the_params(model: Model, tmp_path: Path):
    found = imported(tmp_path, full(model, model.config))
    assert values(found) == values(api.load(model.spec, preset=model.preset, overrides=model.params))


@pytest.mark.parametrize("model", ONE_EACH, ids=lambda model: model.name)
def test_what_is_left_out_means_what_the_reference_takes(model: Model, tmp_path: Path):
    for gone in (None, *model.config):
        fewer = {name: value for name, value in model.config.items() if name != gone}
        try:
            whole = full(model, fewer)
        except (ValueError, StrictDataclassError):  # the reference refuses it
            continue
        assert outcome(tmp_path, short(model, fewer), model.spec) == outcome(tmp_path, whole, model.spec), (
            gone
        )


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)
def test_the_parameters_are_as_many_as_the_references(model: Model, tmp_path: Path):
    kind = reference(model)
    config = kind.config_class(**model.config)
    with torch.device("meta"):
        learned = [each.numel() for each in kind(config).parameters() if each.requires_grad]
    found = imported(tmp_path, {**config.to_diff_dict(), "architectures": [model.reference]})
    assert parameter_count(api.lower(found)) == sum(learned)


@pytest.mark.parametrize("name", sorted(filter(is_told, names())))
def test_an_export_is_imported_as_what_it_was(name: str, tmp_path: Path):
    """Under every preset: what `config` writes, `import` reads."""
    for preset in (None, *api.load(name).document.presets):
        spec = api.load(name, preset=preset)
        assert values(imported(tmp_path, hub_config(rules_of(spec, "hf")), name)) == values(spec)


def test_the_cases_are_there():
    assert {"gpt2", "bert", "t5"} <= {model.spec for model in MODELS}
