"""Which layer is of which kind, as tests of the layer's index."""

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.backends.torch.pattern import one_of

WRITTEN = {
    "abbbbb": "a if i == 0 else b",
    "aaabbb": "a if i < 3 else b",
    "ababab": "a if i % 2 == 0 else b",
    "bbabba": "a if i % 3 == 2 else b",
    "bbbbba": "a if i == n - 1 else b",
    "abbcbbcbb": "a if i == 0 else c if i % 3 == 0 else b",
    "abababac": "a if i % 2 == 0 else c if i == n - 1 else b",
    "bbabbbbb": "a if i == 2 else b",
    "babbabbbbb": "a if i in (1, 4) else b",
}


@pytest.mark.parametrize(("layers", "written"), WRITTEN.items())
def test_a_rule_is_written_as_such(layers: str, written: str) -> None:
    assert one_of(layers, "n - 1") == written


@pytest.mark.parametrize("layers", ["aaaa", "abcd", "abbabaabbaababba"])
def test_what_follows_no_simple_rule_is_none(layers: str) -> None:
    assert one_of(layers, "n - 1") is None


@given(st.text("abc", min_size=2, max_size=24))
def test_what_is_written_gives_every_layer_its_kind(layers: str) -> None:
    text = one_of(layers, "n - 1")
    names = {"a": "a", "b": "b", "c": "c", "n": len(layers)}
    if text is not None:
        assert [eval(text, {}, names | {"i": i}) for i in range(len(layers))] == list(layers)


@pytest.mark.parametrize("layers", ["".join(p) * 3 for p in product("ab", repeat=2) if len({*p}) > 1])
def test_a_rule_goes_on_where_there_are_more_layers(layers: str) -> None:
    text = one_of(layers, "n - 1")
    assert text
    assert [eval(text, {}, {"a": "a", "b": "b", "i": i}) for i in range(12)] == list(layers * 2)
