"""`patch`: its verbs, its paths, and what it refuses."""

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.errors import Diagnostic, SpecError
from archspec.spec.node import Mapping
from tests.spec.documents import BASE, at, patched, read, resolved
from tests.spec.marked import cut, marked, where

BODY = ("blocks", "block", "body")
FIRST = (*BODY, 0, "residual")
SECOND = (*BODY, 1, "residual", "body")


def refusals(*verbs: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(SpecError) as error:
        patched(*verbs)
    return error.value.diagnostics


@pytest.mark.parametrize(
    ("verb", "place", "expected"),
    [
        # set: arguments are merged, short forms become mappings first
        ("{at: blocks.block.attn, set: {mask: null, rope: {theta: 1e4}}}", (*FIRST, 1),
         {"attn": {"op": "attention", "mask": None, "rope": {"theta": 10000.0}}}),
        ("{at: blocks.block.ln_1, set: {eps: 1e-6}}", (*FIRST, 0),
         {"ln_1": {"op": "layernorm", "eps": 1e-6}}),
        ("{at: model.silu, set: {when: c}}", ("model", 5), {"silu": {"when": "c"}}),
        ("{at: blocks.block.ln_1, set: {op: rmsnorm}}", (*FIRST, 0), {"ln_1": {"op": "rmsnorm"}}),
        ("{at: model.towers.inner, set: {when: c}}", ("model", 3, "towers", "body", 1, "inner"),
         {"body": [{"deep": "linear"}, "silu"], "when": "c"}),
        ("{at: blocks.block.parallel, set: {join: concat}}", (*BODY, 3, "parallel"),
         {"branches": [[{"left": "linear"}], [{"right": "linear"}, "gelu"]], "join": "concat"}),
        ("{at: blocks.block.conv_shortcut, set: {out: 1}}", (*BODY, 1, "residual", "shortcut"),
         {"conv_shortcut": {"op": "linear", "out": 1}}),
        ("{at: model.h, set: {vary: {attn.window: [1, 2]}}}", ("model", 2, "h", "vary"),
         {"attn.window": [1, 2]}),
        ("{at: params, set: {dropout: 0, x: 1}}", ("params",),
         {"hidden_size": 64, "num_layers": 2, "dropout": 0, "x": 1}),
        ("{at: weights.hf, set: {class: X}}", ("weights", "hf", "class"), "X"),
        # replace: the value changes, the name stays
        ("{at: blocks.block.ln_1, replace: rmsnorm}", (*FIRST, 0), {"ln_1": "rmsnorm"}),
        ("{at: model.silu, replace: {op: gelu}}", ("model", 5), {"silu": {"op": "gelu"}}),
        ("{at: params.dropout, replace: 0.2}", ("params", "dropout"), 0.2),
        ("{at: blocks.block.attn.mask, replace: window}", (*FIRST, 1, "attn", "mask"), "window"),
        ("{at: tie.lm_head.weight, replace: x.y}", ("tie",), {"lm_head.weight": "x.y"}),
        ("{at: weights.hf.rename.h.*, replace: x}", ("weights", "hf", "rename"),
         {"h": "layers", "h.*.attn": "layers.*.attention", "h.*": "x"}),
        ("{at: blocks.block.q, replace: 'split(x, 3)'}", (*BODY, 2), {"q, k, v": "split(x, 3)"}),
        ('{at: "blocks.block.q, k, v", replace: "f(x)"}', (*BODY, 2), {"q, k, v": "f(x)"}),
        # delete
        ("{at: model.silu, delete: true}", ("model", 5), {"lm_head": {"op": "linear", "out": 10}}),
        ("{at: blocks.block.residual.attn, delete: true}", FIRST,
         [{"ln_1": "layernorm"}, {"dropout": {"p": "dropout"}}]),
        ("{at: tie.lm_head.weight, delete: true}", ("tie",), {}),
        ("{at: outputs.hidden, delete: true}", ("outputs",), {"logits": "lm_head"}),
        ("{at: blocks.block.attn.mask, delete: true}", (*FIRST, 1, "attn"), {"op": "attention"}),
        # insert
        ("{after: blocks.block.attn, insert: {post: rmsnorm}}", (*FIRST, 2), {"post": "rmsnorm"}),
        ("{before: blocks.block.attn, insert: {pre: rmsnorm}}", (*FIRST, 1), {"pre": "rmsnorm"}),
        ("{before: model.wte, insert: gelu}", ("model", 0), "gelu"),
        ("{after: model.lm_head, insert: {out: softmax}}", ("model", 7), {"out": "softmax"}),
        ("{before: weights.hf.rename.h, insert: {wte: embed}}", ("weights", "hf", "rename"),
         {"wte": "embed", "h": "layers", "h.*.attn": "layers.*.attention", "h.*": "layers.*"}),
        # paths: through scopes without a name, through named ones, and deeper where nothing is nearer
        ("{at: blocks.block.residual.ln_2, replace: x}", (*SECOND, 0), {"ln_2": "x"}),
        ("{at: blocks.block.body.residual.mlp, replace: x}", (*SECOND, 1), {"mlp": "x"}),
        ("{at: blocks.block.right, replace: x}", (*BODY, 3, "parallel", 1, 0), {"right": "x"}),
        ("{at: model.towers.res, replace: x}", ("model", 3, "towers", "body", 0), {"res": "x"}),
        ("{at: model.res, replace: x}", ("model", 3, "towers", "body", 0), {"res": "x"}),
        ("{at: model.deep, replace: x}", ("model", 3, "towers", "body", 1, "inner", 0), {"deep": "x"}),
        ("{at: model.up.each.m, replace: [3]}", ("model", 4, "up", "each", "m"), [3]),
        ("{at: model.up.inner.last, replace: x}", ("model", 4, "up", "body", 1, "inner", "body", 0),
         {"last": "x"}),
        ("{at: model.dropout, replace: x}", ("model", 1), {"dropout": "x"}),
        ("{at: blocks.block.in.x, replace: '[B]'}", ("blocks", "block", "in", "x"), "[B]"),
    ],
)  # fmt: skip
def test_a_verb_changes_one_place(verb: str, place: tuple[str | int, ...], expected: Any):
    node = patched(verb)
    assert at(node, *place) == expected
    assert node.keys() == read("base.yaml", BASE).without("expect").keys()


def test_verbs_apply_in_order():
    node = patched(
        "{at: model.wte, delete: true}",
        "{before: model.dropout, insert: {wte: linear}}",
        "{at: model.wte, set: {out: 3}}",
        "{after: model.wte, insert: silu}",
    )
    assert at(node, "model")[:3] == [
        {"wte": {"op": "linear", "out": 3}},
        "silu",
        {"dropout": {"p": "dropout"}},
    ]


def test_a_step_with_nothing_after_its_colon_takes_arguments():
    parent = {"p.yaml": "model:\n  - silu:\n  - gelu: ~\n"}
    node = resolved("extends: p.yaml\npatch: [{at: model.silu, set: {when: c}}]", parent)
    assert at(node, "model") == [{"silu": {"when": "c"}}, {"gelu": None}]


def test_a_section_can_be_deleted():
    assert patched("{at: losses, delete: true}").get("losses") is None


def test_what_was_written_keeps_its_span():
    node = patched("{at: blocks.block.ln_1, set: {eps: 1e-6}}")
    step = node
    for key in ("blocks", "block"):
        inner = step.get(key)
        assert isinstance(inner, Mapping)
        step = inner
    scalars = {text: name for name, text in texts(step)}
    assert scalars["layernorm"] == "base.yaml"
    assert scalars["1e-6"] == "child.yaml"


def texts(node: Any) -> list[tuple[str, str]]:
    if isinstance(node, Mapping):
        return [found for key, value in node.entries for found in [*texts(key), *texts(value)]]
    items = getattr(node, "items", None)
    if items is not None:
        return [found for item in items for found in texts(item)]
    return [(node.span.source.name, cut(node.span))]


@pytest.mark.parametrize(
    ("verb", "code", "message", "hint"),
    [
        ("{at: blocks.block.«attm», delete: true}", "P007", "there is no 'attm' in 'blocks.block'",
         "did you mean 'attn'?"),
        ("{at: blocks.«blok».attn, delete: true}", "P007", "there is no 'blok' in 'blocks'",
         "did you mean 'block'?"),
        ("{at: «modle».wte, delete: true}", "P007", "there is no 'modle' in the document",
         "did you mean 'model'?"),
        ("{at: 'blocks.block.«attm»', delete: true}", "P007", "no 'attm'", "did you mean 'attn'?"),
        ("{at: params.«zzz», replace: 1}", "P007", "no 'zzz' in 'params'",
         "there is: hidden_size, num_layers, dropout"),
        ("{at: model.h.«attn», delete: true}", "P007", "no 'attn' in 'model.h'", "patch 'blocks.block.attn'"),
        ("{at: model.silu.«x», delete: true}", "P007", "no 'x' in 'model.silu'",
         "it holds nothing with a name"),
        ("{at: blocks.«attn», delete: true}", "P007", "no 'attn' in 'blocks'", "there is: block"),
        ("{at: tie.«lm_head», delete: true}", "P007", "no 'lm_head' in 'tie'",
         "did you mean 'lm_head.weight'?"),
        ("{at: «blocks.block.dropout», delete: true}", "P008",
         "names 2 places: base.yaml:18:13, base.yaml:24:15", "in front"),
        ("{at: «blocks.block.residual», delete: true}", "P008", "names 2 places", "in front"),
        ("{at: «model.inner», delete: true}", "P008", "names 2 places", "in front"),
        ("{at: params.dropout, set: «{x: 1}»}", "P009", "'set' needs a mapping here, not a number",
         "use 'replace'"),
        ("{after: params.dropout, insert: {«num_layers»: 1}}", "P009", "'num_layers' is already there",
         "'replace'"),
        ("{after: params.dropout, insert: «x»}", "P009", "a mapping takes a key with a value",
         "insert: {name: value}"),
        ("«3»", "P006", "a verb is a mapping, not an integer", "write {at: PATH"),
        ("{at: a, «sett»: {}}", "P006", "'sett' is not a word of 'patch'", "did you mean 'set'?"),
        ("«{at: a}»", "P006", "one place and one change", "write {at: PATH"),
        ("«{set: {a: 1}}»", "P006", "one place and one change", "write {at: PATH"),
        ("«{at: a, after: b, delete: true}»", "P006", "one place and one change", "write {at: PATH"),
        ("«{at: a, delete: true, replace: 1}»", "P006", "one place and one change", "write {at: PATH"),
        ("«{at: a, insert: x}»", "P006", "one place and one change", "write {at: PATH"),
        ("«{after: a, delete: true}»", "P006", "one place and one change", "write {at: PATH"),
        ("{at: «3», delete: true}", "P006", "'at' takes a path", "names with dots"),
        ("{at: «a..b», delete: true}", "P006", "'at' takes a path", "names with dots"),
        ("{at: «''», delete: true}", "P006", "'at' takes a path", "names with dots"),
        ("{at: a, delete: «false»}", "P006", "'delete' takes only true", "leave the verb out"),
        ("{at: a, set: «{}»}", "P006", "not an empty mapping", "set: {name: value}"),
        ("{at: a, set: «x»}", "P006", "not a string", "set: {name: value}"),
        ("{after: a, insert: «{a: 1, b: 2}»}", "P006", "'insert' takes one step", "insert: {name: value}"),
        ("{at: blocks.block.attn.mask, replace: «" + "[" * 60 + "]" * 60 + "»}", "P010", "64 levels",
         "block"),
    ],
)  # fmt: skip
def test_a_wrong_verb_is_located(verb: str, code: str, message: str, hint: str):
    there = marked(f"extends: base.yaml\npatch:\n  - {verb}\n")
    with pytest.raises(SpecError) as error:
        resolved(there.text)
    (found,) = error.value.diagnostics
    assert (found.code, where(found.span)) == (code, there.covered)
    assert message in found.message
    assert hint in (found.hint or "")


def test_an_expression_takes_no_arguments():
    (found,) = refusals("{at: blocks.block.q, set: {axis: 0}}")
    assert (found.code, found.hint) == ("P009", "use 'replace'")
    assert "takes no arguments" in found.message


def test_the_findings_of_all_verbs_are_shown():
    codes = [
        found.code for found in refusals("{at: x, delete: true}", "{at: y}", "{at: model.zz, delete: true}")
    ]
    assert codes == ["P007", "P006", "P007"]


def test_a_message_about_a_long_path_is_short():
    (found,) = refusals(f"{{at: params.{'x' * 10_000}.y, delete: true}}")
    assert found.code == "P007"
    assert len(str(found)) < 300


@pytest.mark.parametrize("patch", ["null", "{at: x, delete: true}", "x"])
def test_patch_is_a_list(patch: str):
    with pytest.raises(SpecError) as error:
        resolved(f"extends: base.yaml\npatch: {patch}\n")
    assert error.value.diagnostics[0].code == "P006"


def test_the_number_of_verbs_is_bounded():
    patched(*["{at: params.dropout, replace: 1}"] * 256)
    (found,) = refusals(*["{at: params.dropout, replace: 1}"] * 257)
    assert (found.code, found.message) == ("P010", "'patch' has 257 verbs, more than 256")


def test_a_path_through_a_maze_takes_no_time():
    maze = "model:\n  - " + "residual: [{" * 25 + "residual: [x, y]" + "}]" * 25 + "\n"
    path = ".".join(["residual"] * 13) + ".none"
    start = time.process_time()
    with pytest.raises(SpecError) as error:
        resolved(f"extends: m.yaml\npatch: [{{at: model.{path}, delete: true}}]", {"m.yaml": maze})
    assert error.value.diagnostics[0].code == "P007"
    assert time.process_time() - start < 1


@given(st.text(alphabet="ab.", min_size=1, max_size=10))
def test_a_path_finds_a_key_exactly_where_it_is(path: str):
    keys = {"a": {"b": 1, "a.b": {"a": 2}}, "a.b": {"a": {"b": 3}}, "b.a": 4}
    text = "params: {a: {b: 1, a.b: {a: 2}}, a.b: {a: {b: 3}}, b.a: 4}"
    child = f"extends: k.yaml\npatch: [{{at: 'params.{path}', replace: found}}]"
    ways = routes(keys, path)
    if len(ways) == 1:
        assert at(resolved(child, {"k.yaml": text}), "params", *ways[0]) == "found"
    else:
        with pytest.raises(SpecError) as error:
            resolved(child, {"k.yaml": text})
        expected = "P006" if not all(path.split(".")) else "P008" if ways else "P007"
        assert error.value.diagnostics[0].code == expected


def routes(value: Any, path: str) -> list[tuple[str, ...]]:
    """All ways to read a dotted path as keys, by brute force."""
    if not isinstance(value, dict):
        return []
    whole: list[tuple[str, ...]] = [(path,)] if path in value else []
    parts = path.split(".")
    heads = [".".join(parts[:n]) for n in range(1, len(parts))]
    return whole + [
        (head, *rest)
        for head in heads
        if head in value
        for rest in routes(value[head], path[len(head) + 1 :])
    ]


def test_a_patch_that_nests_step_by_step_is_bounded():
    deep = "{a: " * 40 + "1" + "}" * 40
    path = "params.dropout" + ".a" * 40
    assert at(patched(f"{{at: params.dropout, replace: {deep}}}"), *path.split(".")) == 1
    (found,) = refusals(f"{{at: params.dropout, replace: {deep}}}", f"{{at: {path}, replace: {deep}}}")
    assert found.code == "P010"


def test_the_child_file_is_where_a_path_is_wrong():
    (found,) = refusals("{at: nowhere, delete: true}")
    assert found.span is not None
    assert Path(found.span.source.name).name == "child.yaml"
