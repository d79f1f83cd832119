"""Where a fault of an expression stands: at the very word, however its text is written."""

import pytest

from archspec.lowering.faults import text_span
from archspec.spec.node import Mapping, Scalar
from archspec.spec.yaml import load_text
from tests.spec.marked import marked, source, where


@pytest.mark.parametrize(
    "text",
    [
        "a: 2 * «word»",
        "a: «word» + 1",
        "b: 1\na: f(«word»)  # x\n",
        'a: "2 * «word»"',
        "a: '2 * «word»'",
        "a: 'it''s * «word»'",
        'a: "\\"x\\" if «word» else \\"y\\""',
        'a: "\\ttab + «word»"',
        "a: 2 *\n  3 *\n    «word» + 1\n",
        "a: '2 *\n  «word»'\n",
        "a: |\n  2 *\n  «word»\n",
        "a: >-\n  2 * 3\n  + «word»\n",
        "a: 2 *\r\n  «word»\r\n",
        "a: é * «word»",
    ],
)
def test_the_span_of_a_word(text: str):
    there = marked(text)
    node = load_text(source(there.text))
    assert isinstance(node, Mapping)
    scalar = node.get("a")
    assert isinstance(scalar, Scalar)
    at = str(scalar.value).index("word")
    assert where(text_span(scalar, at, at + 4)) == there.covered


@pytest.mark.parametrize("text", ["a: 2 «*»", 'a: "2 *«"»', "a: '2 *«'»", "a: 2\n  «*»\n"])
def test_what_is_missing_stands_behind_the_last_sign(text: str):
    there = marked(text)
    node = load_text(source(there.text))
    assert isinstance(node, Mapping)
    scalar = node.get("a")
    assert isinstance(scalar, Scalar)
    length = len(str(scalar.value))
    assert where(text_span(scalar, length, length + 1)) == there.covered


def test_a_list_is_pointed_at_as_a_whole():
    there = marked("a: «[1, 2]»")
    node = load_text(source(there.text))
    assert isinstance(node, Mapping)
    items = node.get("a")
    assert items is not None
    assert where(text_span(items, 3, 4)) == there.covered
