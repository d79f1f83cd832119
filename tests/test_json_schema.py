"""The JSON Schema for editors: accepts what `check` accepts, refuses misspelt keys and arguments."""

from pathlib import Path
from typing import Any

import jsonschema
import pytest

from archspec.components import COMPONENTS
from archspec.errors import Source
from archspec.json_schema import schema
from archspec.library import roots
from archspec.spec.node import plain
from archspec.spec.yaml import load_file, load_text
from tests.cli.runner import SPEC

VALIDATOR = jsonschema.Draft202012Validator(schema())
DOCUMENTS = sorted(path for root in roots() for path in root.rglob("*.yaml"))
STEPS = """\
- silu
- silu:
- x: "a + 1"
- q, k: "split(x, 2)"
- {norm: layernorm}
- group: [silu]
- group: {body: [silu], in: x, when: n > 1}
- side: {branch: [silu]}
- residual: [silu]
- residual: {body: [silu], shortcut: {linear: {out: 3}}, scale: 0.5}
- y: {residual: [silu], when: flag}
- parallel: [silu, [gelu, {linear: {out: n}}]]
- parallel: {branches: [silu, [relu]], join: mul}
- h: {repeat: n, block: layer, mask: mask}
- h: {repeat: 2, body: [silu], vary: {a.b: {cycle: [1, null]}}, shared: true}
- d: {each: {m: sizes}, body: [silu]}
- push: skips
- push: {to: skips, value: x}
- z: {push: {to: skips}}
- t: {call: shared, in: y}
- b: {op: my_block, anything: 3}
- my_block: {anything: 3}
- concat: {with: {pop: skips}}
- attention: {num_heads: 4, mask: causal, rope: {}, qkv: which, softcap: null, bias: flag}
- conv2d: {out: 4, kernel: 3, padding: same}
- conv2d: {out: 4, kernel: 3, padding: 1}
"""
WRONG = """\
- [silu]
- 3
- {a: silu, b: silu}
- {}
- attention: {num_head: 4}
- a: {op: attention, num_head: 4}
- a: {op: attention, rope: {thetta: 3}}
- a: {op: attention, num_heads: [4]}
- a: {op: linear, out: 3, bias: 7}
- dropout: {probability: 0.1}
- residual: {bodi: [silu]}
- residual: silu
- parallel: {branches: [silu], join: sub}
- x: 3
- h: {repeat: [1], body: [silu]}
- y: {residual: [silu], wehn: flag}
- group: {body: silu}
"""


def document(**more: Any) -> dict[str, Any]:
    found = plain(load_text(Source("spec", SPEC)))
    assert isinstance(found, dict)
    return {**found, **more}


def items(text: str) -> list[Any]:
    found = plain(load_text(Source("steps", text)))
    assert isinstance(found, list)
    return list(found)


def test_the_schema_is_one():
    jsonschema.Draft202012Validator.check_schema(schema())
    assert {f"{word} arguments" for word in COMPONENTS} <= set(schema()["$defs"])


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_the_library_meets_it(path: Path):
    errors = [(list(error.path), error.message) for error in VALIDATOR.iter_errors(plain(load_file(path)))]
    assert errors == []


@pytest.mark.parametrize("step", items(STEPS), ids=str)
def test_every_way_to_write_a_step_meets_it(step: Any):
    assert VALIDATOR.is_valid(document(model=[step]))
    assert VALIDATOR.is_valid(document(blocks={"layer": {"body": [step]}}))


@pytest.mark.parametrize("step", items(WRONG), ids=str)
def test_a_wrong_step_does_not(step: Any):
    assert not VALIDATOR.is_valid(document(model=[step]))
    assert not VALIDATOR.is_valid(document(model=[{"residual": [step]}]))


@pytest.mark.parametrize(
    "more",
    [
        {"modle": []},
        {"archspec": 2},
        {"name": "3x"},
        {"params": {"a-b": 1}},
        {"params": {"a": {}}},
        {"inputs": {"x": {"typ": "int64[B]"}}},
        {"defaults": {"attention": {"num_head": 2}}},
        {"losses": {"lm": {"op": "cross_entropy", "logit": "y"}}},
        {"losses": {"lm": {"op": "linear", "out": 3}}},
        {"weights": {"hf": {"renam": {}}}},
        {"expect": {"parms": 3}},
        {"patch": [{"at": "model.x", "delet": True}]},
    ],
    ids=str,
)
def test_a_wrong_section_does_not(more: dict[str, Any]):
    assert VALIDATOR.is_valid(document())
    assert not VALIDATOR.is_valid(document(**more))


def test_a_child_needs_only_its_parent():
    assert VALIDATOR.is_valid(
        {"extends": "tiny.yaml", "name": "child", "patch": [{"at": "model.up", "set": {"out": 3}}]}
    )
    assert not VALIDATOR.is_valid({"archspec": 1, "name": "child"})
