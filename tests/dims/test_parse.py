"""Text to tree and back, and where errors point."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archspec.dims import parse as parser
from archspec.dims.expr import (
    Binary,
    Expr,
    Literal,
    Name,
    Slice,
    Unary,
    exceeds,
    height,
    names,
    substitute,
    write,
)
from archspec.dims.parse import ExprSyntaxError, parse
from tests.dims.expressions import expressions, parts

_SIGNS = (*tuple("+-*/%@()[],:=<."), "//", "**", "==", "...", "f(")
_TOKENS = (*_SIGNS, "a", "b", "12", "1.5e3", "not", "and", "or", "if", "else", "null", "neg", "inf", "'x'")
fragments = st.lists(st.sampled_from(_TOKENS), max_size=12).map(" ".join)


def syntax_error(text: str) -> ExprSyntaxError | None:
    try:
        parse(text)
    except ExprSyntaxError as error:
        return error
    return None


@given(expressions)
def test_what_is_written_parses_to_the_same_tree(expr: Expr):
    text = write(expr)
    assert parse(text) == expr
    assert write(parse(text)) == text  # tells 1 from true and 1.0, which are equal


@given(expressions)
def test_every_node_knows_its_stretch_of_the_text(expr: Expr):
    text = write(expr)
    for part in parts(parse(text)):
        if not isinstance(part, Slice):
            assert write(parse(text[part.at : part.end])) == write(part)


@given(st.one_of(st.text(max_size=60), fragments))
def test_any_text_parses_or_is_an_error_inside_it(text: str):
    error = syntax_error(text)
    if error is not None:
        assert 0 <= error.at <= len(text)
        assert error.at < error.end <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("a - b - c", "(a - b) - c"),
        ("a ** b ** c", "a**(b**c)"),
        ("-a**2", "-(a**2)"),
        ("a * -b", "a * (-b)"),
        ("2**-1", "2**(-1)"),
        ("not a and b", "(not a) and b"),
        ("not a == b", "not (a == b)"),
        ("a or b and c", "a or (b and c)"),
        ("a + b < c", "(a + b) < c"),
        ("a if t else b if u else c", "a if t else (b if u else c)"),
        ("a // b * c % d", "((a // b) * c) % d"),
        ("+a", "a"),
        ("True", "true"),
        ("None", "null"),
        (".5", "0.5"),
        (" a+ b ", "a + b"),
        ("f(a, k=b,)", "f(a, k=b)"),
        ("[a, b,]", "[a, b]"),
        ("not a in b", "not (a in b)"),
        ("a + b in c and d", "((a + b) in c) and d"),
        ("[a if t else b for a in c or d]", "[(a if t else b) for a in (c or d)]"),
    ],
)
def test_precedence(text: str, same: str):
    assert parse(text) == parse(same)
    assert write(parse(text)) == write(parse(same))


def test_numbers_keep_their_kind():
    assert [type(x.value) for x in map(parse, ("1", "1.0", "1e0", "inf")) if isinstance(x, Literal)] == [
        int,
        float,
        float,
        float,
    ]


def test_a_sign_joins_its_number():
    assert parse("-2") == Literal(-2)
    assert parse("-2**2") == Unary("-", Binary("**", Literal(2), Literal(2)))


def test_names_are_listed_in_reading_order():
    assert list(names(parse("f(b + a, k=a)[c, 0:d]"))) == ["b", "a", "a", "c", "d"]
    assert list(names(parse("[a + b for a in c for b in f(a, b)] + a"))) == ["c", "b", "a"]


def test_renaming():
    assert write(parse("a * (b + a)"), {"a": "self.a"}) == "self.a * (b + self.a)"


def test_names_are_replaced_by_expressions():
    expr = parse("f(a, k=-a)[a, a:b:a] + [a] if not a else b")
    found = substitute(expr, {"a": parse("x + 1")})
    assert write(found) == "f(x + 1, k=-(x + 1))[x + 1, x + 1:b:x + 1] + [x + 1] if not x + 1 else b"
    assert substitute(expr, {}) == expr
    bound = parse("[a + b for a in a for c in a]")
    assert write(substitute(bound, {"a": parse("x"), "b": parse("y")})) == "[a + y for a in x for c in a]"


@pytest.mark.parametrize(
    ("text", "at", "end", "message", "hint"),
    [
        ("", 0, 1, "expected a value before the end", None),
        ("a +", 3, 4, "expected a value before the end", None),
        ("a + * b", 4, 5, "expected a value before '*'", None),
        ("a b", 2, 3, "unexpected 'b'", None),
        ("(a", 2, 3, "expected ')' before the end", None),
        ("f(a b)", 4, 5, "expected ',' before 'b'", None),
        ("f(k=a, b)", 7, 8, "a positional argument stands after a named one", None),
        ("[a b]", 3, 4, "expected ',' before 'b'", None),
        ("[a for 2 in b]", 7, 8, "expected a name behind 'for'", None),
        ("[a for a.b in c]", 7, 10, "expected a name behind 'for'", None),
        ("[a for b]", 8, 9, "expected 'in' before ']'", None),
        ("[a for b in c, d]", 13, 14, "expected ']' before ','", None),
        ("[a, b for c in d]", 6, 9, "expected ',' before 'for'", None),
        ("a if b", 6, 7, "expected 'else' before the end", None),
        ("a < b < c", 6, 7, "unexpected '<'", "write 'and' between two comparisons"),
        ("x[1:2:3:4]", 2, 3, "expected an index or a slice", None),
        ("x[]", 2, 3, "expected an index or a slice", None),
        ("x[a b]", 4, 5, "expected ']' before 'b'", None),
        ("  $d", 2, 3, "unexpected character '$'", "names need no '$'"),
        ("{d}", 0, 1, "unexpected character '{'", "names need no braces"),
        ("a & b", 2, 3, "unexpected character '&'", "write 'and'"),
        ("a | b", 2, 3, "unexpected character '|'", "write 'or'"),
        ("a ^ 2", 2, 3, "unexpected character '^'", "write '**' for a power"),
        ("!a", 0, 1, "unexpected character '!'", "write 'not'"),
        ("a; b", 1, 2, "unexpected character ';'", "one expression only"),
        ("3d", 0, 1, "unexpected character '3'", None),
        ("'a", 0, 1, "unexpected character '''", None),
        ("else", 0, 4, "expected a value before 'else'", None),
        ("a + 1e999", 4, 9, "this number is out of range", "for infinity, write 'inf'"),
        ("9223372036854775808", 0, 19, "this number is out of range", "for infinity, write 'inf'"),
    ],
)
def test_errors(text: str, at: int, end: int, message: str, hint: str | None):
    with pytest.raises(ExprSyntaxError) as error:
        parse(text)
    found = error.value
    assert (found.message, found.at, found.end, found.hint) == (message, at, end, hint)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("(" * 500 + "a" + ")" * 500, "nested deeper than 60 levels"),
        ("-" * 500 + "a", "nested deeper than 60 levels"),
        ("not " * 500 + "a", "nested deeper than 60 levels"),
        ("[" * 500, "nested deeper than 60 levels"),
        ("a ** " * 500 + "a", "nested deeper than 60 levels"),
        ("a" + "+1" * 1500, "more than 150 operators in a chain"),
        ("a" + "[0]" * 1000, "more than 150 operators in a chain"),
        ("a" * 4001, "longer than 4000 characters"),
    ],
)
def test_bounds(text: str, message: str):
    with pytest.raises(ExprSyntaxError, match=message):
        parse(text)


def test_a_long_expression_within_bounds_is_read_and_written():
    text = " + ".join(["a"] * parser.MAX_HEIGHT)
    assert write(parse(text)) == text


def test_measures_of_a_tree():
    expr = parse("f(a, b + c)[0]")
    assert height(expr) == 4
    assert not exceeds(expr, 7)
    assert exceeds(expr, 6)
    assert height(Name("a")) == 1
