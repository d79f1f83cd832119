from typing import Any

import numpy as np
import pytest

from archspec.errors import Source, Span, WeightsError
from archspec.weights.arrays import TensorSpec
from archspec.weights.mapping import WeightMap, identity
from archspec.weights.rules import read_rules
from tests.weights.models import (
    DECODER,
    DECODER_RULES,
    DECODER_TIES,
    ENCODER,
    ENCODER_RULES,
    ENCODER_TIES,
    SEQ2SEQ,
    SEQ2SEQ_RULES,
    SEQ2SEQ_TIES,
    D,
    assert_same,
    build,
    from_hub,
    layers,
    numbered,
    table,
    to_hub,
)


@pytest.mark.parametrize(
    ("tensors", "ties", "rules"),
    [
        (DECODER, DECODER_TIES, DECODER_RULES),
        (SEQ2SEQ, SEQ2SEQ_TIES, SEQ2SEQ_RULES),
        (ENCODER, ENCODER_TIES, ENCODER_RULES),
    ],
)
def test_a_map_goes_there_and_back(
    tensors: dict[str, TensorSpec], ties: dict[str, str], rules: dict[str, Any]
):
    weights = build(tensors, ties, **rules)
    ours = numbered(tensors)
    hub = to_hub(weights, ours)
    assert {name: array.shape for name, array in hub.items()} == weights.hub_shapes()
    assert not hub.keys() & ties.keys()
    assert_same(from_hub(weights, hub), ours)


def test_the_first_rename_that_fits_wins_and_segments_take_the_rest():
    tensors = table(a__q__q=(1,), a__k=(2,), b__q=(3,), q__q=(4,))
    weights = build(tensors, rename={"a.q": "x.q", "a": "y.k", "b.q": "q"}, segments={"q": "Q", "k": "K"})
    assert weights.hub_shapes() == {"x.q.Q": (1,), "y.k.K": (2,), "q": (3,), "Q.Q": (4,)}


def test_an_empty_side_adds_or_drops_a_prefix():
    tensors = table(model__a=(1,), model__b=(2,))
    assert list(build(tensors, rename={"": "m"}).hub_shapes()) == ["m.model.a", "m.model.b"]
    assert list(build(tensors, rename={"model": ""}).hub_shapes()) == ["a", "b"]


def test_a_pattern_may_name_a_module_a_tensor_or_one_layer():
    tensors = layers(2, {"q.weight": (4, 2), "q.bias": (4,)}, "h")
    rows = [0, 2, 1, 3]
    ours = numbered(tensors)
    for pattern, changed in (
        ("q", set(tensors)),
        ("q.weight", {"h.0.q.weight", "h.1.q.weight"}),
        ("h.1.q", {"h.1.q.weight", "h.1.q.bias"}),
    ):
        hub = to_hub(build(tensors, rope={pattern: {"head_dim": 4}}), ours)
        assert_same(hub, {name: ours[name][rows] if name in changed else ours[name] for name in ours})


def test_tied_names_are_copies_and_never_written():
    weights = build(DECODER, DECODER_TIES, **DECODER_RULES)
    assert [recipe.hub for recipe in weights.copies] == [("lm_head.weight",)]
    assert "lm_head.weight" not in weights.hub_shapes()
    assert weights.hub["lm_head.weight"] == DECODER["wte.weight"]


def test_a_tied_tensor_may_be_part_of_a_fused_one():
    tensors = table(a=(2,), b=(2,))
    weights = build(tensors, {"c": "a"}, fuse={"bc": ["b", "c"]})
    ours = {"a": np.array([1, 2]), "b": np.array([3, 4])}
    hub = to_hub(weights, ours)
    assert_same(hub, {"a": np.array([1, 2]), "bc": np.array([3, 4, 1, 2])})
    assert_same(from_hub(weights, hub), ours)


def test_a_map_of_our_own_names_changes_nothing():
    ours = numbered(DECODER)
    assert_same(to_hub(identity(DECODER, DECODER_TIES), ours), ours)


def test_a_name_may_be_reused_once_it_is_free():
    tensors = table(r=(1,), s=(1,), p=(2,), q=(2,))
    weights = build(tensors, fuse={"a": ["p", "q"], "p": ["r", "s"], "m": ["p", "a"]})
    ours = numbered(tensors)
    assert_same(to_hub(weights, ours), {"m": np.array([0, 1, 2, 3, 4, 5])})
    assert_same(from_hub(weights, to_hub(weights, ours)), ours)


WRONG: list[tuple[dict[str, Any], str, str]] = [
    ({"rename": {"h.*.atn": "x.*"}}, "W002", "did you mean 'h.*.attn'?"),
    ({"rename": {"h.*": "x.*", "h.*.attn": "y.*"}}, "W002", "an earlier rule takes"),
    ({"segments": {"atn": "x"}}, "W002", "did you mean 'attn'?"),
    ({"transpose": ["attn.qkv.wieght"]}, "W002", "did you mean 'attn.qkv.weight'?"),
    ({"transpose": ["bias"]}, "W002", "have nothing to change"),
    ({"fuse": {"ln": ["ln1", "ln2"]}}, "W002", "did you mean 'ln_1'?"),
    ({"base_prefix": "transformer"}, "W002", "no hub tensor begins with 'transformer.'"),
    ({"rename": {"h.0": "h.1"}}, "W003", "'h.1.ln_1.weight' and 'h.0.ln_1.weight' would both be"),
    ({"rename": {"h.*": "h"}}, "W001", "'h.*' has 1 `*`, but 'h' has 0"),
    ({"segments": {"": "x"}}, "W001", "'' is not a name"),
    ({"accept": {"a b": "x"}}, "W001", "'a b' is not a name"),
    ({"ignore": ["a..b"]}, "W001", "'a..b' is not a name"),
    ({"split": {"attn.qkv": ["q", ""]}}, "W001", "'attn.' is not a name"),
    ({"stack": {"h.w": "h"}}, "W001", "must have one `*`"),
    ({"unstack": {"qkv": "qkv"}}, "W001", "must have one `*`"),
    ({"split": {"attn.qkv": ["q", "q"]}}, "W003", "would become 'h.0.attn.q.weight', but that name is taken"),
    ({"split": {"attn.qkv": ["q", "out"]}}, "W003", "would become 'h.0.attn.out.weight'"),
    ({"split": {"attn.qkv": list("qkvwx")}}, "W004", "24 rows do not fall into 5 equal parts"),
    ({"split": {"attn.qkv": {"into": ["a", "b"], "sizes": [8, 8]}}}, "W004", "add up to 24"),
    ({"split": {"attn.qkv": {"into": ["a", "b"], "axis": 1}}}, "W004", "has no axis 1"),
    ({"fuse": {"norm": ["ln_1", "ln_9"]}}, "W004", "'h.0.norm.weight' lacks its part ln_9"),
    ({"fuse": {"norm": ["ln_1", "ln_1"]}}, "W004", "more than once"),
    ({"fuse": {"mix": ["ln_1", "attn.qkv"]}}, "W004", "do not join: float32 [8], float32 [24, 8]"),
    (
        {"stack": {"h.*": "h"}, "rename": {"h.1": "h.2"}},
        "W004",
        "needs every index from 0 to 2, but has [0, 2]",
    ),
    ({"unstack": {"lone": "lone.*"}}, "W004", "[] has no axis 0"),
    ({"rope": {"qkv": {"head_dim": 5}}}, "W004", "head_dim 5 does not divide axis 0 of [24, 8]"),
    ({"rope": {"qkv": {"head_dim": 4, "rotary_dim": 3}}}, "W004", "rotary_dim 3 must be even"),
    ({"rope": {"qkv": {"head_dim": 4, "rotary_dim": 6}}}, "W004", "at most head_dim 4"),
    ({"interleave": {"qkv": {"groups": 5, "parts": 3}}}, "W004", "5 groups of 3 do not divide"),
    ({"reorder": {"qkv": [0, 2]}}, "W004", "must hold each of 0 to 1 once"),
    ({"reshape": {"ln_1.weight": [3, -1]}}, "W004", "[8] cannot take the shape [3, -1]"),
    ({"reshape": {"ln_1.weight": [-1, -1]}}, "W004", "cannot take the shape"),
    ({"transpose": ["qkv.weight", "attn.qkv.weight"]}, "W005", "more than one `transpose` rule"),
    (
        {"reorder": {"qkv": [1, 0], "q": [1, 0]}, "split": {"qkv": list("qkv")}},
        "W005",
        "on its way to the hub",
    ),
    ({"fuse": {"a": ["ln_1", "attn.qkv"], "b": ["ln_1", "ln_2"]}}, "W004", "do not join"),
    ({"alias": {"a": "h.0.ln_1.wait"}}, "W006", "did you mean 'h.0.ln_1.weight'?"),
    ({"alias": {"lone": "h.0.ln_1.weight"}}, "W006", "it is a hub tensor of its own"),
    ({"ignore": ["attn.qkv"]}, "W007", "would ignore 'h.0.attn.qkv.weight'"),
]
BLOCK = {"ln_1.weight": (D,), "ln_2.weight": (D,), "attn.qkv.weight": (3 * D, D), "attn.qkv.bias": (3 * D,)}
BLOCKS = {**layers(2, {**BLOCK, "attn.out.weight": (D, D)}, "h"), **table(lone=())}


@pytest.mark.parametrize(("rules", "code", "words"), WRONG)
def test_wrong_rules_are_found_without_weights(rules: dict[str, Any], code: str, words: str):
    with pytest.raises(WeightsError) as error:
        build(BLOCKS, **rules)
    assert code in {found.code for found in error.value.diagnostics}
    assert words in str(error.value)


@pytest.mark.parametrize(("rules", "code", "words"), WRONG[:7])
def test_an_optional_rule_may_match_nothing(rules: dict[str, Any], code: str, words: str):
    tables = {kind: rule for kind, rule in rules.items() if isinstance(rule, dict) and len(rule) == 1}
    build(
        BLOCKS, **{kind: {f"{key}?": rule for key, rule in table.items()} for kind, table in tables.items()}
    )


def test_findings_are_collected_once_for_each_rule_and_located():
    source = Source("a.yaml", "")
    spans = {"rope.qkv": Span(source, 7, 5, 7, 8), "rename": Span(source, 3, 3, 3, 9)}
    rules = read_rules({"rename": {"nope": "x"}, "rope": {"qkv": {"head_dim": 5}}})
    with pytest.raises(WeightsError) as error:
        WeightMap.build(rules, BLOCKS, {}, spans)
    assert [(found.code, found.span and found.span.line) for found in error.value.diagnostics] == [
        ("W002", 3),
        ("W004", 7),
    ]
    assert "and 3 more like it" in str(error.value)


@pytest.mark.parametrize(("alias", "name"), [("x", "nope"), ("lone", "h.0.ln_1.weight")])
def test_a_tie_needs_a_tensor_and_a_free_name(alias: str, name: str):
    with pytest.raises(WeightsError, match="W006"):
        identity(BLOCKS, {alias: name})


def test_a_map_of_many_tensors_is_quick_to_check():
    tensors = layers(60, {"experts.up": (384, 2, 2), "experts.down": (384, 2, 2)}, "layers")
    weights = build(tensors, unstack={"experts.up": "experts.*.w1", "experts.down": "experts.*.w2"})
    assert len(weights.hub_shapes()) == 60 * 384 * 2
