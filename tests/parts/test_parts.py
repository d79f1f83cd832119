"""Every part of the library: told about, sound by itself, and usable from a document it knows nothing of.

`users/` holds a small document for each part, with other names, which uses each block of it twice: with what
must be said and no more, and with all that may be said.
"""

import re
from functools import cache
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from archspec import api, library
from archspec.ir import text
from archspec.ir.verify import verify
from archspec.spec.node import plain
from archspec.spec.yaml import load_file
from tests.language import draw

ROOT = Path(__file__).resolve().parents[2]
PARTS = {path.stem: path for root in library.roots() for path in (root / "parts").glob("*.yaml")}
USERS = Path(__file__).parent / "users"
SIZES = {"N": 2, "T": 6, "I": 4, "J": 3, "past": 0}
BYSTANDER = """
archspec: 1
name: bystander
use: [{part}]
inputs: {{x: "[B, 4]"}}
model: [{{y: {{op: linear, in: x, out: 4}}}}]
outputs: {{y: y}}
"""

every_part = pytest.mark.parametrize("part", sorted(PARTS))


def read(path: Path) -> dict[str, Any]:
    return cast("dict[str, Any]", plain(load_file(path)))


@cache
def document(part: str) -> dict[str, Any]:
    return read(PARTS[part])


@every_part
def test_a_part_says_what_it_is(part: str):
    content = document(part)
    assert content["name"] == part
    assert content["summary"].endswith(".")
    assert re.search(r"arXiv:\d{4}\.\d{5}", content["source"])
    assert all(block["summary"] for block in content["blocks"].values())


@every_part
def test_inputs_have_types_and_arguments_kinds(part: str):
    for block in document(part)["blocks"].values():
        assert all(isinstance(port, str) or port["type"] for port in block.get("in", {}).values())
        assert all(isinstance(kind, str) or "default" in kind for kind in block.get("args", {}).values())


@every_part
def test_a_part_is_sound_where_nothing_of_it_is_used(part: str, tmp_path: Path):
    path = tmp_path / "bystander.yaml"
    path.write_text(BYSTANDER.format(part=part), encoding="utf-8")
    assert api.check(path).parameters == 20


@every_part
def test_a_stranger_may_say_everything_and_need_not(part: str):
    used = USERS / f"{part}.yaml"
    assert used.exists(), f"show how a stranger uses {part}: tests/parts/users/{part}.yaml"
    steps = [args for step in read(used)["model"] for args in step.values()]
    for name, block in document(part)["blocks"].items():
        args = set(block.get("args", {})) | set(list(block.get("in", {}))[1:])
        given = [set(step) for step in steps if step.get("op") == name]
        assert not given or part == "rope" or args <= set[str]().union(*given)


@every_part
def test_a_stranger_s_model_is_the_same_written_out(part: str, tmp_path: Path):
    graph = api.lower(USERS / f"{part}.yaml")
    verify(graph)
    alone = tmp_path / "alone.yaml"
    alone.write_text(api.show(USERS / f"{part}.yaml", "resolved"), encoding="utf-8")
    assert text.show(api.lower(alone)) == text.show(graph)


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@every_part
def test_a_stranger_s_model_runs_and_learns(part: str, attention: str):
    model: Any = api.compile(USERS / f"{part}.yaml", attention=attention, seed=0)
    draw.weights(model, 0)
    outputs = model(**draw.inputs(model.graph, SIZES, optional=True))
    values = outputs if isinstance(outputs, tuple) else (outputs,)
    loss = torch.stack([(value**2).sum() for value in values]).sum()
    loss.backward()
    assert loss.isfinite()
    assert not [name for name, p in model.named_parameters() if p.grad is None or not p.grad.isfinite().all()]


def test_the_documentation_lists_every_part():
    page = (ROOT / "docs" / "parts.md").read_text(encoding="utf-8")
    listed = re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE)
    assert sorted(listed) == sorted(PARTS)
