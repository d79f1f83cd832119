import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.weights.pattern import (
    MalformedPattern,
    Match,
    Pattern,
    Substitution,
    generalised,
    join,
    parse_pair,
    sibling,
)


def substitution(**rules: str) -> Substitution:
    pairs = {key.replace("__", "."): value for key, value in rules.items()}
    return Substitution.of({key: parse_pair(key, value) for key, value in pairs.items()})


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("h.*.attn", "h.3.attn.q.weight", Match("", ("3",), "q.weight")),
        ("h.*.attn", "h.3.attn", Match("", ("3",), "")),
        ("h.*", "h.3.attn", Match("", ("3",), "attn")),
        ("h.expert_*", "h.expert_3.attn", Match("", ("3",), "attn")),
        ("h.expert_*", "h.expert_x.attn", None),
        ("h.*.attn", "h.x.attn.q", None),
        ("h.*.attn", "h.03.attn.q", None),
        ("h", "head.weight", None),
        ("attn", "h.3.attn.q", None),
        ("", "h.3", Match("", (), "h.3")),
        ("a.*.b.*", "a.1.b.22.c", Match("", ("1", "22"), "c")),
    ],
)
def test_the_start_of_a_name(pattern: str, name: str, found: Match | None):
    assert Pattern.parse(pattern, may_be_empty=True).at_start(name) == found


@pytest.mark.parametrize(
    ("pattern", "name", "found"),
    [
        ("attn.q", "h.3.attn.q.weight", Match("h.3", (), "weight")),
        ("attn.q.weight", "h.3.attn.q.weight", Match("h.3", (), "")),
        ("attn.q", "h.3.cross_attn.q.weight", None),
        ("attn.q", "h.3.attn.q_norm.weight", None),
        ("experts.*.w", "h.3.experts.12.w.bias", Match("h.3", ("12",), "bias")),
        ("a", "a.b.a.c", Match("a.b", (), "c")),
        ("a", "a", Match("", (), "")),
        ("a+b", "aab", None),
        ("a+b", "x.a+b", Match("x", (), "")),
    ],
)
def test_the_inside_of_a_name(pattern: str, name: str, found: Match | None):
    assert Pattern.parse(pattern).inside(name) == found


@pytest.mark.parametrize("written", ["", "?", "a..b", ".a", "a.", "a b", "a**", "a.**", "a?.b", "a\n"])
def test_what_is_not_a_pattern(written: str):
    with pytest.raises(MalformedPattern):
        Pattern.parse(written)


def test_a_question_mark_makes_a_pattern_optional():
    assert Pattern.parse("mlp.gate?").optional
    assert Pattern.parse("mlp.gate?").inside("h.0.mlp.gate.weight")
    assert not Pattern.parse("mlp.gate").optional


def test_indices_are_carried_over_in_order():
    assert Pattern.parse("x.*.y.*").fill(["4", "2"]) == "x.4.y.2"


@pytest.mark.parametrize(("left", "right"), [("h.*", "h"), ("h", "h.*"), ("a.*.b.*", "a.*")])
def test_a_rewrite_loses_no_index(left: str, right: str):
    with pytest.raises(MalformedPattern, match="has . `\\*`"):
        parse_pair(left, right)


def test_a_sibling_replaces_the_last_segment():
    assert sibling(Pattern.parse("self_attn.in_proj_weight"), "q.weight").text == "self_attn.q.weight"
    assert sibling(Pattern.parse("qkv"), "q").text == "q"


@pytest.mark.parametrize(("whole", "last"), [("a.b", ""), ("a.b", "*"), ("a.*", "b")])
def test_what_is_not_a_sibling(whole: str, last: str):
    with pytest.raises(MalformedPattern):
        sibling(Pattern.parse(whole), last)


@pytest.mark.parametrize(
    ("name", "rewritten", "used"),
    [
        ("q.weight", "to_q.weight", {"q"}),
        ("ff.up.weight", "net.0.weight", {"ff.up"}),
        ("ff.down", "feed.down", {"ff"}),
        ("q.q", "to_q.to_q", {"q"}),
        ("qq.ffup", "qq.ffup", set[str]()),
        ("block.7.q", "layer.7.to_q", {"block.*", "q"}),
        ("wrap.q", "to_q", {"wrap", "q"}),
    ],
)
def test_segments_are_rewritten_the_longest_first(name: str, rewritten: str, used: set[str]):
    rules = {"q": "to_q", "ff": "feed", "ff__up": "net.0", "block__*": "layer.*", "to_q": "never", "wrap": ""}
    assert substitution(**rules).apply(name) == (rewritten, frozenset(used))


def test_no_rules_change_nothing():
    assert substitution().apply("a.b") == ("a.b", frozenset())


segment = st.one_of(st.integers(0, 99).map(str), st.sampled_from(["attn", "q", "w", "h"]))
dotted = st.lists(segment, min_size=1, max_size=6).map(".".join)


@given(dotted, st.data())
def test_a_match_puts_the_name_together_again(name: str, data: st.DataObject):
    parts = name.split(".")
    start = data.draw(st.integers(0, len(parts) - 1))
    stop = data.draw(st.integers(start + 1, len(parts)))
    pattern = Pattern.parse(generalised(".".join(parts[start:stop])))
    found = pattern.inside(name)
    assert found is not None
    assert join(found.head, pattern.fill(found.indices), found.tail) == name
