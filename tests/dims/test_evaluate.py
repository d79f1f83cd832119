"""Expressions to values, and every way in which they have none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.dims import num as n
from archspec.dims.evaluate import EvalError, describe, evaluate
from archspec.dims.expr import Expr
from archspec.dims.functions import FUNCTIONS, MAX_ITEMS
from archspec.dims.num import Num, Value
from archspec.dims.parse import parse
from tests.dims.expressions import expressions
from tests.dims.test_parse import fragments, syntax_error

_LIST: Value = (n.num(512), n.num(512), None)
SCOPE: dict[str, Value] = {
    "hidden_size": n.named("hidden_size", 768),
    "num_heads": n.named("num_heads", 12),
    "a": n.named("a", 2),
    "x1": n.named("x1", 0.5),
    "gated": True,
    "activation": "gelu",
    "windows": _LIST,
    "nothing": None,
    "S": n.symbol("S"),
    "B": n.symbol("B"),
    "many": (n.num(0),) * 9000,
}


def lookup(name: str) -> Value:
    if name not in SCOPE:
        raise KeyError(tuple(SCOPE))
    return SCOPE[name]


def value(text: str) -> Value:
    return evaluate(parse(text), lookup)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("4 * hidden_size", 3072),
        ("hidden_size / num_heads", 64.0),
        ("hidden_size // 7 % 10", 9),
        ("2**-1", 0.5),
        ("-hidden_size + 1", -767),
        ("1 if gated else 2", 1),
        ("1 if not gated else 2", 2),
        ("1 if activation == 'gelu' else 2", 1),
        ("1 if nothing == null else 2", 1),
        ("1 if S == S else 2", 1),
        ("1 if S + 1 > S else 2", 1),
        ("1 if S != S + 1 and gated else 2", 1),
        ("1 if gated or undefined else 2", 1),
        ("2 if not gated and undefined else 3", 3),
        ("1 if inf == inf else 2", 1),
        ("1 if 9007199254740993 > 9007199254740992.0 else 2", 1),
        ("windows[0]", 512),
        ("windows[-2]", 512),
        ("len(windows)", 3),
        ("len(windows[1:])", 2),
        ("len(windows[::-1])", 3),
        ("len([1, 2] + [3])", 3),
        ("len([1, 2] * 3)", 6),
        ("len([1, 2] * -3)", 0),
        ("len([] * 9223372036854775807)", 0),
        ("sum([1, 2, a])", 5),
        ("sum(range(5))", 10),
        ("sum(range(1, 10, 2))", 25),
        ("first([7, 8])", 7),
        ("last([7, 8])", 8),
        ("first(reversed([7, 8]))", 8),
        ("prod([2, 3, 4])", 24),
        ("prod([])", 1),
        ("min(hidden_size, 512)", 512),
        ("max([1, a, 0])", 2),
        ("abs(-3)", 3),
        ("round(2.6)", 3),
        ("round(2.345, 1)", 2.3),
        ("floor(2.6)", 2),
        ("ceil(2.1)", 3),
        ("int(2.9)", 2),
        ("float(2)", 2.0),
        ("whole(hidden_size / 256)", 3),
        ("sqrt(16)", 4.0),
        ("log2(8)", 3.0),
        ("round(exp(1) * 1000)", 2718),
        ("round(log(10) * 1000)", 2303),
        ("round_up(2 * hidden_size, 256)", 1536),
        ("round_up(100, 64)", 128),
    ],
)
def test_numbers(text: str, expected: float):
    found = value(text)
    assert isinstance(found, Num)
    assert found.value == expected
    assert type(found.value) is type(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("gated and 1 < 2", True),
        ("not gated", False),
        ("'a'", "a"),
        ("activation", "gelu"),
        ("null", None),
        ("windows == [512, 512, null]", True),
        ("activation != null", True),
        ("[1, true, 'x']", (n.num(1), True, "x")),
        ("windows[2]", None),
        ("512 in windows", True),
        ("null in windows and not 7 in windows", True),
        ("activation in ['gelu', 'silu'] and not 'a' in []", True),
        ("[2 * a for a in range(3)] + [a]", (n.num(0), n.num(2), n.num(4), n.num(2))),
        ("[sum(range(k)) for k in [2, 4]]", (n.num(1), n.num(6))),
        ("[x for x in [1, 2] for y in range(x)]", (n.num(1), n.num(2), n.num(2))),
        ("[]  == [x for x in []]", True),
    ],
)
def test_other_values(text: str, expected: Value):
    assert value(text) == expected


def test_every_function_is_used_above():
    cases = [mark.args[1] for mark in test_numbers.pytestmark]  # type: ignore[attr-defined]  # set by the decorator
    texts = " ".join(text for table in cases for text, _ in table)
    assert {name for name in FUNCTIONS if f"{name}(" not in texts} == set()


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("min(hidden_size, 512)", "min(hidden_size, 512)"),
        ("sqrt(hidden_size)", "sqrt(hidden_size)"),
        ("sqrt(16)", "4.0"),
        ("a if gated else 3", "a"),
        ("windows[0] * a", "512 * a"),
        ("sum([a, a, 1])", "a + a + 1"),
        ("[x * a for x in [3]][0] * a", "6 * a"),
    ],
)
def test_writings_survive(text: str, written: str):
    assert str(value(text)) == written


def test_a_function_of_many_numbers_is_written_as_its_value():
    text = f"max({', '.join(['a'] * 100)})"
    assert str(value(text)) == "2"


@pytest.mark.parametrize(
    ("text", "code", "at", "end", "message", "hint"),
    [
        ("hiden_size * 2", "N001", 0, 10, "unknown name 'hiden_size'", "did you mean 'hidden_size'?"),
        ("1 + zzzz", "N001", 4, 8, "unknown name 'zzzz'", "known here: hidden_size, num_heads"),
        ("-gated", "N002", 1, 6, "expected a number, found true", None),
        ("-activation", "N002", 1, 11, "expected a number, found the word 'gelu'", None),
        ("not a", "N002", 4, 5, "expected true or false, found the number a = 2", "compare it"),
        ("1 if a else 2", "N002", 5, 6, "expected true or false", "compare it"),
        ("a + gated", "N002", 0, 9, "'+' does not combine the number a = 2 and true", None),
        ("a @ a", "N002", 0, 5, "'@' does not combine", None),
        ("windows - windows", "N002", 0, 17, "'-' does not combine a list of 3 and a list of 3", None),
        ("activation < 'z'", "N002", 0, 16, "'<' does not order the word 'gelu' and the word 'z'", None),
        ("1 in a", "N002", 0, 6, "'in' looks into a list, not into the number a = 2", None),
        ("[x for x in a]", "N002", 12, 13, "'for' runs over a list, not over the number a = 2", None),
        ("[zzzz for y in [1]]", "N001", 1, 5, "unknown name 'zzzz'", "known here: hidden_size"),
        ("[1 for x in many for y in many]", "N004", 0, 31, "more than 100,000 items are gone through", None),
        ("[[1 for x in many] for y in many]", "N004", 1, 18, "more than 100,000 items are gone", None),
        ("windows[0, 1]", "N002", 0, 13, "only a list takes one index here, not a list of 3", None),
        ("a[0]", "N002", 0, 4, "only a list takes one index here, not the number a = 2", None),
        ("windows[gated]", "N002", 8, 13, "expected a number, found true", None),
        ("windows[2:][0] + 1", "N002", 0, 18, "'+' does not combine null and the number 1", None),
        ("squirt(4)", "N003", 0, 9, "unknown function 'squirt'", "did you mean 'sqrt'?"),
        ("min(a, k=1)", "N003", 0, 11, "'min' takes no named arguments here", None),
        ("min()", "N003", 0, 5, "'min' does not take ()", None),
        ("sqrt('x')", "N003", 0, 9, "'sqrt' does not take (the word 'x')", None),
        ("sqrt(1, 2)", "N003", 0, 10, "'sqrt' does not take (the number 1, the number 2)", None),
        ("sqrt(-1)", "N003", 0, 8, "'sqrt' does not take (the number -1)", None),
        ("log(0)", "N003", 0, 6, "'log' does not take (the number 0)", None),
        ("len(a)", "N003", 0, 6, "'len' does not take (the number a = 2)", None),
        ("len()", "N003", 0, 5, "'len' does not take ()", None),
        ("last([])", "N003", 0, 8, "'last' does not take (a list of 0)", None),
        ("sum([null])", "N003", 0, 11, "'sum' does not take (a list of 1)", None),
        ("sum([true])", "N003", 0, 11, "'sum' does not take (a list of 1)", None),
        ("range(1, 2, 0)", "N003", 0, 14, "'range' does not take", None),
        ("1 + a // 0", "N004", 4, 10, "a // 0 divides by zero", None),
        ("hidden_size**9", "N004", 0, 14, "hidden_size ** 9 is out of range", None),
        ("windows[3]", "N004", 8, 9, "index 3 is outside a list of 3", None),
        ("windows[0.5]", "N004", 0, 12, "0.5 is 0.5, not a whole number", None),
        ("len(windows[::0])", "N004", 12, 15, "a slice cannot step by 0", None),
        ("round_up(3, 0)", "N004", 0, 14, "'round_up' of (the number 3, the number 0) is out of range", None),
        ("1 + whole(hidden_size / 5)", "N004", 4, 26, "hidden_size / 5 = 153.6 has to be whole", None),
        ("exp(1000)", "N004", 0, 9, "'exp' of (the number 1000) is out of range", None),
        ("exp(700)", "N004", 0, 8, "exp() of 700 is out of range", None),
        ("int(inf)", "N004", 0, 8, "'int' of (the number inf) is out of range", None),
        ("range(0.5)", "N004", 0, 10, "not a whole number", None),
        ("range(10001)", "N004", 0, 12, "a list of more than 10000 items", None),
        ("range(4611686018427387904)", "N004", 0, 26, "a list of more than 10000 items", None),
        ("[1, 2] * 5001", "N004", 0, 13, "a list of more than 10000 items", None),
        ("many + many", "N004", 0, 11, "a list of more than 10000 items", None),
        ("[many, many]", "N004", 0, 12, "a list of more than 10000 items", None),
        ("[many] * 9", "N004", 0, 10, "a list of more than 10000 items", None),
        ("[" * 22 + "]" * 22, "N004", 0, 44, "20 lists deep", None),
        ("1 if S > 3 else 2", "N005", 5, 10, "'S > 3' is known only when the model runs", "a condition may"),
        (
            "1 if S == B else 2",
            "N005",
            5,
            11,
            "'S == B' is known only when the model runs",
            "a condition may",
        ),
        ("2 * min(S, 512)", "N005", 4, 15, "S is known only when the model runs", None),
        ("windows[S]", "N005", 0, 10, "S is known only when the model runs", None),
    ],
)
def test_errors(text: str, code: str, at: int, end: int, message: str, hint: str | None):
    with pytest.raises(EvalError) as error:
        value(text)
    found = error.value
    assert (found.code, found.at, found.end) == (code, at, end)
    assert message in found.message
    assert (hint or "") in (found.hint or "")
    assert (found.hint is None) == (hint is None)


def test_a_lookup_may_refuse_without_a_list_of_names():
    with pytest.raises(EvalError) as error:
        evaluate(parse("b"), {}.__getitem__)
    assert (error.value.code, error.value.hint) == ("N001", None)


def fault(expr: Expr) -> EvalError | None:
    try:
        evaluate(expr, lookup)
    except EvalError as error:
        return error
    return None


@given(expressions)
def test_any_tree_has_a_value_or_an_error_of_this_floor(expr: Expr):
    error = fault(expr)
    assert error is None or error.code in ("N001", "N002", "N003", "N004", "N005")


@given(st.lists(st.one_of(fragments, st.sampled_from(sorted(SCOPE))), max_size=6).map(" ".join))
def test_any_text_has_a_value_or_an_error(text: str):
    if syntax_error(text) is None:
        error = fault(parse(text))
        assert error is None or 0 <= error.at < error.end <= len(text)


def test_lists_of_lists_stay_comparable():
    assert value("[many] == [many]") is True
    assert len(value("range(10000)") or ()) == MAX_ITEMS  # type: ignore[arg-type]  # a list


def test_described_words():
    shown = [describe(v) for v in (n.num(3), (None,), None, True, "relu")]
    assert shown == ["the number 3", "a list of 1", "null", "true", "the word 'relu'"]
