"""Models of the parity cases at sizes worth timing: one file in `sizes/` for each, by the case's name."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, cast

from archspec.spec.node import plain
from archspec.spec.yaml import load_file
from tests.parity.catalog import ALL, Case, Draw, Model

FOLDER = Path(__file__).parent / "sizes"


@dataclass(frozen=True, slots=True)
class Size:
    """What differs from the parity case: config, params, letters, and inputs whose shapes are numbers.

    `behind`: how many tokens stand in the cache when decoding is timed. `of`: the parity case, where the file
    has another name. `attentions`: ours to be timed, where they are not those that the reference has.
    """

    config: dict[str, Any]
    params: dict[str, Any]
    sizes: dict[str, int]
    inputs: dict[str, Draw] = field(default_factory=dict[str, Draw])
    behind: int = 0
    of: str | None = None
    attentions: list[str] = field(default_factory=list[str])


def names() -> list[str]:
    return [path.stem for path in sorted(FOLDER.glob("*.yaml"))]


def sized(name: str) -> tuple[Model, Size]:
    """The model, larger, with one case `timed`: the inputs of its last parity case, which has no padding."""
    size = Size(**cast("dict[str, Any]", plain(load_file(FOLDER / f"{name}.yaml"))))
    (model,) = [model for model in ALL if model.name == (size.of or name)]
    last = [*model.cases.values()][-1]
    case = Case(size.sizes, last.inputs | size.inputs)
    config, params = model.config | size.config, model.params | size.params
    return replace(model, config=config, params=params, cases={"timed": case}), size
